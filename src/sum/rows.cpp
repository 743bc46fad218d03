// SPDX-License-Identifier: GPL-2.0-only
#include "sum/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "model/cgroup_text.h"
#include "model/flag_text.h"
#include "model/time_sum.h"
#include "sum/allocator.h"
#include "sum/call_site.h"
#include "util/bounded.h"
#include "util/hash_map.h"

namespace pobpf {
namespace {

constexpr const char* kUnreadableStack = "(unreadable stack)";

Label number_label(std::int64_t value) { return {std::to_string(value), value}; }

/// Null: not known.
const char* process_state_name(unsigned state) {
  switch (state) {
    case POBPF_PROCESS_LIVING:
      return "living";
    case POBPF_PROCESS_DEAD:
      return "dead";
    case POBPF_PROCESS_REUSED:
      return "reused";
    default:
      return nullptr;
  }
}

Label name_label(const std::vector<std::string>& names, std::int64_t index) {
  const auto name = name_at(names, index);
  return {name ? std::string(*name) : fmt::format("unknown({})", index), std::nullopt};
}

class RowMaker {
 public:
  RowMaker(const Grouping& grouping, Session& session, const RowErrorCallback& on_error)
      : grouping_(grouping), session_(session), on_error_(on_error) {
    const auto& fields = grouping.fields;
    is_stack_by_handle_ = grouping.has_stack() && !grouping.depth;
    needs_frames_ = (grouping.has_stack() && grouping.depth) ||
                    !grouping.ignored_functions.empty() ||
                    std::any_of(fields.begin(), fields.end(), needs_stack);
  }

  void add(const GroupSum& group) {
    Row row;
    row.pages = group.sum.pages;
    row.allocations = group.sum.allocations;
    row.time = group.sum.time;
    row.nr_rows = 1;
    const auto* frames =
        needs_frames_ && group.key.handle != 0 ? frames_of(group.key.handle) : nullptr;
    static const std::vector<Frame> no_frames;
    const auto& stack = frames == nullptr ? no_frames : *frames;
    if (!grouping_.ignored_functions.empty() && has_function(stack, grouping_.ignored_functions)) {
      row.kind = RowKind::kIgnored;
    } else {
      for (const GroupField field : grouping_.fields)
        if (field != GroupField::kStack) row.labels.push_back(label(field, group.key, stack));
      if (is_stack_by_handle_) row.handle = group.key.handle;
      if (grouping_.has_stack() && grouping_.depth &&
          !set_frames(row, std::span(stack).first(std::min(*grouping_.depth, stack.size()))))
        return add_without_room(group.sum);
    }
    set_key(row);
    add(std::move(row));
  }

  /// Adds the sum of all groups that there is no room for.
  void add_other(const pobpf_group_sum& sum) {
    Row row;
    row.kind = RowKind::kOther;
    row.pages = sum.pages;
    row.allocations = sum.allocations;
    row.time = sum.time;
    row.key = "other";
    add(std::move(row));
  }

  RowSet take() { return std::move(set_); }

 private:
  void add_without_room(const pobpf_group_sum& sum) {
    set_.is_full = true;
    add_other(sum);
  }

  void add(Row row) {
    const auto known = index_.find(row.key);
    if (known != index_.end()) {
      set_.row_of_group.push_back(known->second);
      set_.rows[known->second].add(row);
      return;
    }
    bytes_ += bytes_of(row);
    if (row.kind == RowKind::kGroup && bytes_ > session_.row_bytes_max())
      return add_without_room(
          {.pages = row.pages, .allocations = row.allocations, .time = row.time});
    set_.row_of_group.push_back(set_.rows.size());
    index_.emplace(row.key, set_.rows.size());
    set_.rows.push_back(std::move(row));
  }

  /// The memory of the names of a row, twice, as its key has them once more.
  static std::size_t bytes_of(const Row& row) {
    std::size_t bytes = 2 * row.key.size();
    for (const Label& label : row.labels)
      bytes += sizeof(Label) + label.text.size() + label.short_text.size();
    for (const std::string& frame : row.frames) bytes += sizeof(std::string) + frame.size();
    return bytes;
  }

  /// False: there is no room for them.
  bool set_frames(Row& row, std::span<const Frame> frames) {
    if (grouping_.stacks == nullptr) {
      for (const Frame& frame : frames) row.frames.push_back(frame.symbol);
      return true;
    }
    bytes_ += grouping_.stacks->bytes_to_add(frames);
    if (bytes_ > session_.row_bytes_max()) return false;
    row.stack = &grouping_.stacks->add(frames);
    return true;
  }

  const std::vector<Frame>* frames_of(std::uint32_t handle) {
    auto stack = session_.stack(handle);
    if (stack) return &(*stack)->frames;
    on_error_(std::move(stack).error());
    static const std::vector<Frame> unknown = {{0, kUnreadableStack}};
    return &unknown;
  }

  [[nodiscard]] Label label(GroupField field, const pobpf_group_key& key,
                            const std::vector<Frame>& frames) {
    const KernelFacts& facts = session_.facts();
    switch (field) {
      case GroupField::kStack:
        break;
      case GroupField::kFunction:
        return {std::string(call_site(frames)), std::nullopt};
      case GroupField::kModule: {
        const auto module = module_of(frames);
        return {module.empty() ? "(kernel)" : std::string(module), std::nullopt};
      }
      case GroupField::kAllocator:
        return {allocator_of(key, frames, session_.page_types(), facts), std::nullopt};
      case GroupField::kTgid:
        return {std::to_string(key.tgid), key.tgid, {}, process_state_name(key.process_state)};
      case GroupField::kPid:
        return number_label(key.pid);
      case GroupField::kComm:
        return {std::string(bounded(key.comm, sizeof(key.comm))), std::nullopt};
      case GroupField::kOrder:
        return number_label(key.order);
      case GroupField::kGfp: {
        if (!has_gfp_names(key.gfp_mask, facts))
          return {fmt::format("{:#x}", key.gfp_mask), std::nullopt};
        std::string names;
        append_gfp_names(names, key.gfp_mask, facts);
        return {names.empty() ? "0" : names, std::nullopt};
      }
      case GroupField::kMigratetype:
        return name_label(facts.migratetype_names, key.migratetype);
      case GroupField::kNid:
        return number_label(key.nid);
      case GroupField::kZone:
        return name_label(facts.zone_names, key.zone);
      case GroupField::kMemcg:
        return memcg(key);
      case GroupField::kMigrateReason:
        if (key.last_migrate_reason == facts.migrate_reason_never) return {"(none)", std::nullopt};
        return name_label(facts.migrate_reason_names, key.last_migrate_reason);
      case GroupField::kFreed:
        return {key.was_freed != 0 ? "before" : "never", std::nullopt};
    }
    return {};
  }

  Label memcg(const pobpf_group_key& key) {
    if (key.cgroup_id == 0)
      return {(key.memcg_flags & POBPF_MEMCG_UNKNOWN) != 0 ? "(unknown)" : "(none)", std::nullopt};
    auto path = session_.cgroup_path(key.cgroup_id);
    if (!path) {
      on_error_(std::move(path).error());
      return {fmt::format("(cgroup {})", key.cgroup_id), std::nullopt};
    }
    std::string note;
    if ((key.memcg_flags & POBPF_MEMCG_OFFLINE) != 0) {
      // others may have had the same path, and one may have it now; an import's numbers are its own
      note =
          session_.facts().texts ? " (offline)" : fmt::format(" (offline, id {})", key.cgroup_id);
    }
    return {*path + note, std::nullopt, short_cgroup_path(*path) + note};
  }

  static void set_key(Row& row) {
    row.key = static_cast<char>('0' + static_cast<int>(row.kind));
    for (const Label& label : row.labels) {
      row.key.append(label.text).push_back('\0');
      if (label.state != nullptr) row.key.append(label.state).push_back('\0');
    }
    for (const std::string& frame : row.frames) row.key.append(frame).push_back('\n');
    if (row.handle) row.key += std::to_string(*row.handle);
    // an index has each stack once
    if (row.stack != nullptr) row.key += fmt::format("{}", fmt::ptr(row.stack));
  }

  const Grouping& grouping_;
  Session& session_;
  const RowErrorCallback& on_error_;
  bool is_stack_by_handle_;
  bool needs_frames_;
  RowSet set_;
  HashMap<std::string, std::size_t> index_;
  std::size_t bytes_ = 0;
};

}  // namespace

bool Grouping::has_stack() const {
  return std::find(fields.begin(), fields.end(), GroupField::kStack) != fields.end();
}

std::uint32_t Grouping::kernel_fields() const {
  std::uint32_t bits = kernel_group_fields(fields);
  if (!ignored_functions.empty()) bits |= POBPF_GROUP_HANDLE;
  if (wants_age) bits |= POBPF_GROUP_TIME;
  return bits;
}

void Row::add(const Row& other) {
  allocations = allocations_of_both(pages, allocations, other.pages, other.allocations);
  pages += other.pages;
  add_times(time, other.time);
  change += other.change;
  growth += other.growth;
  nr_rows += other.nr_rows;
}

std::optional<std::uint64_t> Row::mean_age_ns(std::uint64_t now_ns) const {
  if (allocations == 0 || (time.high == 0 && time.low == 0)) return std::nullopt;
  const std::uint64_t mean = mean_time(time, allocations);
  return now_ns > mean ? now_ns - mean : 0;
}

RowSet make_rows(const GroupSums& sums, const Grouping& grouping, Session& session,
                 const RowErrorCallback& on_error) {
  RowMaker maker(grouping, session, on_error);
  for (const GroupSum& group : sums.groups) maker.add(group);
  if (sums.other.pages != 0) maker.add_other(sums.other);
  return maker.take();
}

std::uint64_t ungrouped_pages(const std::vector<Row>& rows) {
  std::uint64_t nr_pages = 0;
  for (const Row& row : rows)
    if (row.kind == RowKind::kOther) nr_pages += row.pages;
  return nr_pages;
}

std::vector<std::string> frames_of(const Row& row) {
  if (row.stack == nullptr) return row.frames;
  std::vector<std::string> frames;
  for (const std::string* symbol : *row.stack) frames.push_back(*symbol);
  return frames;
}

std::vector<std::string> frames_of(const Row& row, Session& session,
                                   const RowErrorCallback& on_error) {
  if (!row.handle) return frames_of(row);
  auto stack = session.stack(*row.handle);
  if (!stack) {
    on_error(std::move(stack).error());
    return {kUnreadableStack};
  }
  std::vector<std::string> frames;
  for (const Frame& frame : (*stack)->frames) frames.push_back(frame.symbol);
  return frames;
}

void index_stacks(std::vector<Row>& rows, Session& session, StackIndex& stacks) {
  std::size_t bytes = 0;
  for (Row& row : rows) {
    if (!row.handle) continue;
    // that it cannot be read is said where it is shown
    const auto stack = session.stack(*row.handle);
    const std::vector<Frame> unreadable = {{0, kUnreadableStack}};
    const std::vector<Frame>& frames = stack ? (*stack)->frames : unreadable;
    bytes += stacks.bytes_to_add(frames);
    if (bytes > session.row_bytes_max()) return;
    row.stack = &stacks.add(frames);
  }
}

}  // namespace pobpf
