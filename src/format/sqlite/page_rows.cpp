// SPDX-License-Identifier: GPL-2.0-only
#include "format/sqlite/page_rows.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>
#include <vector>

#include "model/flag_text.h"
#include "sum/allocator.h"
#include "sum/call_site.h"
#include "util/bounded.h"
#include "util/escape.h"
#include "util/hash_map.h"

namespace pobpf {
namespace {

constexpr std::size_t kKnownMax = 1U << 16;

/// True if it was not there. Forgets all when there are too many.
template <typename T>
bool remember(HashSet<T>& known, T value) {
  if (known.size() >= kKnownMax && !known.contains(value)) known.clear();
  return known.insert(value).second;
}

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

SqlValue text_or_null(const std::string& text) {
  if (text.empty()) return {};
  return std::string_view(text);
}

SqlValue flag_field(const PageFlagParts& parts, std::string_view name) {
  for (const auto& [field, value] : parts.fields)
    if (field == name) return sql_integer(value);
  return {};
}

}  // namespace

Result<DistinctRows> DistinctRows::make(SqliteDatabase& database, const std::string& table,
                                        std::initializer_list<const char*> columns) {
  std::string conditions;
  std::string marks;
  for (const char* column : columns) {
    if (!conditions.empty()) conditions += " AND ";
    conditions.append(column).append(" IS ?");
    marks += marks.empty() ? "?" : ", ?";
  }
  auto find = database.prepare(fmt::format("SELECT id FROM {} WHERE {}", table, conditions));
  if (!find) return fail(std::move(find).error());
  auto insert = database.prepare(
      fmt::format("INSERT INTO {} ({}) VALUES ({})", table, fmt::join(columns, ", "), marks));
  if (!insert) return fail(std::move(insert).error());
  return DistinctRows(database, *std::move(find), *std::move(insert));
}

Result<std::int64_t> DistinctRows::id(std::string_view key, std::span<const SqlValue> values) {
  std::string owned(key);
  if (const auto found = known_.find(owned); found != known_.end()) return found->second;
  find_.set(values);
  auto has_row = find_.run();
  if (!has_row) return fail(std::move(has_row).error());
  std::int64_t id = find_.integer();
  if (!*has_row) {
    insert_.set(values);
    if (auto inserted = insert_.run(); !inserted) return fail(std::move(inserted).error());
    id = database_->last_rowid();
  }
  if (known_.size() >= kKnownMax) known_.clear();
  known_.emplace(std::move(owned), id);
  return id;
}

Result<ContextRows> ContextRows::make(SqliteDatabase& database) {
  // of a damaged file it may come behind pages that refer to it
  auto stack = database.prepare("INSERT OR REPLACE INTO stacks VALUES (?, ?, ?, ?, NULL)");
  if (!stack) return fail(std::move(stack).error());
  auto frame = database.prepare("INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!frame) return fail(std::move(frame).error());
  auto cgroup = database.prepare("INSERT OR REPLACE INTO cgroups VALUES (?, ?, NULL, ?)");
  if (!cgroup) return fail(std::move(cgroup).error());
  constexpr const char* kUnlessThere = "ON CONFLICT DO NOTHING RETURNING 1";
  auto unknown_stack = database.prepare(
      fmt::format("INSERT INTO stacks (handle, error) VALUES (?, ?) {}", kUnlessThere));
  if (!unknown_stack) return fail(std::move(unknown_stack).error());
  auto unknown_cgroup = database.prepare(
      fmt::format("INSERT INTO cgroups (id, error) VALUES (?, ?) {}", kUnlessThere));
  if (!unknown_cgroup) return fail(std::move(unknown_cgroup).error());
  return ContextRows(*std::move(stack), *std::move(frame), *std::move(cgroup),
                     *std::move(unknown_stack), *std::move(unknown_cgroup));
}

Status ContextRows::add_unknown(SqliteStatement& insert, std::uint64_t number, Error error) {
  const std::string reason = escaped(error.what);
  insert.set(std::vector<SqlValue>{sql_integer(number), std::string_view(reason)});
  auto is_new = insert.run();
  if (!is_new) return fail(std::move(is_new).error());
  if (*is_new && nr_unreadable_++ == 0) first_error_ = std::move(error);
  return {};
}

Status ContextRows::add_stack(std::uint32_t handle, PageContext& context) {
  if (handles_.contains(handle)) return {};
  auto stack = context.stack(handle);
  if (!stack) return add_unknown(unknown_stack_, handle, std::move(stack).error());
  handles_.insert(handle);
  const auto& frames = (*stack)->frames;
  const std::string function = escaped(call_site(frames));
  const std::string module = escaped(module_of(frames));
  stack_.set(std::vector<SqlValue>{std::int64_t{handle}, static_cast<std::int64_t>(frames.size()),
                                   text_or_null(function), text_or_null(module)});
  if (auto done = stack_.run(); !done) return fail(std::move(done).error());
  return add_frames(handle, **stack);
}

Status ContextRows::add_frames(std::uint32_t handle, const Stack& stack) {
  for (std::size_t i = 0; i < stack.frames.size(); ++i) {
    const Frame& frame = stack.frames[i];
    const std::string address = frame.address == 0 ? "" : fmt::format("{:#x}", frame.address);
    const std::string symbol = escaped(frame.symbol);
    const std::string function = escaped(frame_function(frame.symbol));
    const std::string module = escaped(frame_module(frame.symbol));
    const auto offset = frame_offset(frame.symbol);
    frame_.set(std::vector<SqlValue>{std::int64_t{handle}, static_cast<std::int64_t>(i),
                                     text_or_null(address), std::string_view(symbol),
                                     text_or_null(function), text_or_null(module),
                                     offset ? sql_integer(*offset) : SqlValue()});
    if (auto done = frame_.run(); !done) return fail(std::move(done).error());
  }
  return {};
}

Status ContextRows::add_cgroup(std::uint64_t id, PageContext& context) {
  if (cgroup_ids_.contains(id)) return {};
  auto path = context.cgroup_path(id);
  if (!path) return add_unknown(unknown_cgroup_, id, std::move(path).error());
  cgroup_ids_.insert(id);
  const std::string name = escaped(cgroup_name_of(*path));
  const std::string whole = escaped(whole_path(*path).value_or(""));
  cgroup_.set(std::vector<SqlValue>{sql_integer(id), std::string_view(name), text_or_null(whole)});
  if (auto done = cgroup_.run(); !done) return fail(std::move(done).error());
  return {};
}

Result<std::unique_ptr<PageRows>> PageRows::make(SqliteDatabase& database, const KernelFacts& facts,
                                                 const PageTypes& types) {
  std::string marks;
  for (unsigned column = kPfn; column < kNrColumns; ++column) marks += ", ?";
  auto page = database.prepare("INSERT INTO pages VALUES (NULL" + marks + ")");
  if (!page) return fail(std::move(page).error());
  // a mask or a word comes again once it is forgotten, or once an import says more of it
  auto gfp = database.prepare("INSERT OR REPLACE INTO gfp VALUES (?, ?, ?)");
  if (!gfp) return fail(std::move(gfp).error());
  auto word = database.prepare("INSERT OR REPLACE INTO flag_words VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!word) return fail(std::move(word).error());
  auto processes = DistinctRows::make(database, "processes", {"pid", "tgid", "comm"});
  if (!processes) return fail(std::move(processes).error());
  auto kinds = DistinctRows::make(database, "kinds", {"kind_flags", "page_type", "mapping"});
  if (!kinds) return fail(std::move(kinds).error());
  auto allocators = DistinctRows::make(database, "allocators", {"name"});
  if (!allocators) return fail(std::move(allocators).error());
  auto context_rows = ContextRows::make(database);
  if (!context_rows) return fail(std::move(context_rows).error());
  Statements statements{*std::move(page),        *std::move(gfp),   *std::move(word),
                        *std::move(processes),   *std::move(kinds), *std::move(allocators),
                        *std::move(context_rows)};
  // make_unique() cannot reach the constructor
  return std::unique_ptr<PageRows>(new PageRows(std::move(statements), facts, types));
}

PageRows::PageRows(Statements statements, const KernelFacts& facts, const PageTypes& types)
    : facts_(facts),
      types_(types),
      stack_order_min_(make_kind_facts(types, facts).stack_order_min),
      page_(std::move(statements.page)),
      gfp_(std::move(statements.gfp)),
      flag_word_(std::move(statements.flag_word)),
      processes_(std::move(statements.processes)),
      kinds_(std::move(statements.kinds)),
      allocators_(std::move(statements.allocators)),
      context_rows_(std::move(statements.context)) {}

void PageRows::set(Column column, std::optional<std::uint64_t> value) {
  auto& last = values_.at(column);
  if (last == value) return;
  last = value;
  page_.set(static_cast<int>(column), value ? sql_integer(*value) : SqlValue());
}

void PageRows::set_known(Column column, bool is_known, std::uint64_t value) {
  set(column, is_known ? std::optional(value) : std::nullopt);
}

void PageRows::forget_old_texts() {
  if (std::exchange(version_, facts_.version()) == facts_.version()) return;
  gfp_masks_.clear();
  words_.clear();
}

Status PageRows::add(const pobpf_page& page, const pobpf_page_detail* detail, PageFields fields,
                     PageContext& context) {
  forget_old_texts();
  set_numbers(page, fields);
  if (auto status = set_process(page, fields); !status) return status;
  if (auto status = set_gfp(page, fields); !status) return status;
  if (auto status = set_flags(page, fields); !status) return status;
  if (auto status = set_memcg(page, fields, context); !status) return status;
  if (auto status = set_kind(page, detail, fields, context); !status) return status;
  if (auto status = set_free_side(detail, fields, context); !status) return status;
  if (has_field(fields, PageField::kHandle) && values_.at(kHandle) != page.handle)
    if (auto status = context_rows_.add_stack(page.handle, context); !status) return status;
  set_known(kHandle, has_field(fields, PageField::kHandle), page.handle);
  if (auto done = page_.run(); !done) return fail(std::move(done).error());
  return {};
}

void PageRows::set_numbers(const pobpf_page& page, PageFields fields) {
  set_known(kPfn, has_field(fields, PageField::kPfn), page.pfn);
  set(kFreed, is_freed(page) ? 1 : 0);
  set_known(kOrder, has_field(fields, PageField::kOrder), page.order);
  set_known(kTsNsec, has_field(fields, PageField::kTsNsec), page.ts_nsec);
  set_known(kFreeTsNsec, has_field(fields, PageField::kFreeTsNsec), page.free_ts_nsec);
  set_known(kPageblockMigratetype, has_field(fields, PageField::kPageblockMigratetype),
            page.pageblock_migratetype);
  // -1 is -1 there too
  set_known(kLastMigrateReason, has_field(fields, PageField::kLastMigrateReason),
            static_cast<std::uint64_t>(std::int64_t{page.last_migrate_reason}));
}

Status PageRows::set_process(const pobpf_page& page, PageFields fields) {
  const bool has_pid = has_field(fields, PageField::kPid);
  const bool has_tgid = has_field(fields, PageField::kTgid);
  const bool has_comm = has_field(fields, PageField::kComm);
  constexpr PageFields kTaskFields =
      PageFields{} | PageField::kPid | PageField::kTgid | PageField::kComm;
  struct {
    std::int32_t pid;
    std::int32_t tgid;
    std::uint8_t comm[POBPF_COMM_BYTES];
    PageFields known;
  } key{page.pid, page.tgid, {}, fields & kTaskFields};
  std::memcpy(key.comm, page.comm, sizeof(key.comm));
  if (process_key_ == bytes_of(key)) return {};
  process_key_ = bytes_of(key);
  if (!has_pid && !has_tgid && !has_comm) {
    set(kProcess, std::nullopt);
    return {};
  }
  const std::string comm = escaped(bounded(page.comm, sizeof(page.comm)));
  const std::array<SqlValue, 3> values = {has_pid ? SqlValue(std::int64_t{page.pid}) : SqlValue(),
                                          has_tgid ? SqlValue(std::int64_t{page.tgid}) : SqlValue(),
                                          has_comm ? SqlValue(std::string_view(comm)) : SqlValue()};
  auto id = processes_.id(process_key_, values);
  if (!id) return fail(std::move(id).error());
  set(kProcess, static_cast<std::uint64_t>(*id));
  return {};
}

Status PageRows::set_gfp(const pobpf_page& page, PageFields fields) {
  const bool is_known = has_field(fields, PageField::kGfpMask);
  set_known(kGfpMask, is_known, page.gfp_mask);
  if (!is_known || !remember(gfp_masks_, page.gfp_mask)) return {};
  std::string names;
  append_gfp_names(names, page.gfp_mask, facts_);
  names = escaped(names);
  const bool has_names = has_gfp_names(page.gfp_mask, facts_);
  const unsigned migratetype = gfp_migratetype(page.gfp_mask, facts_);
  gfp_.set(std::vector<SqlValue>{
      std::int64_t{page.gfp_mask}, has_names ? SqlValue(std::string_view(names)) : SqlValue(),
      migratetype == kUnknownMigratetype ? SqlValue() : std::int64_t{migratetype}});
  if (auto done = gfp_.run(); !done) return fail(std::move(done).error());
  return {};
}

Status PageRows::set_flags(const pobpf_page& page, PageFields fields) {
  const bool is_known = has_field(fields, PageField::kFlags);
  set_known(kFlags, is_known, page.flags);
  if (!is_known || !remember(words_, std::uint64_t{page.flags})) return {};
  std::string names;
  append_page_flag_names(names, page.flags, facts_);
  names = escaped(names);
  const PageFlagParts parts = page_flag_parts(page.flags, facts_);
  SqlValue nid = flag_field(parts, "node");
  // a kernel that keeps none has one
  if (!facts_.texts && std::holds_alternative<std::monostate>(nid)) nid = std::int64_t{0};
  const bool has_names = has_page_flag_names(page.flags, fields, facts_);
  flag_word_.set(std::vector<SqlValue>{
      sql_integer(page.flags), has_names ? SqlValue(std::string_view(names)) : SqlValue(), nid,
      flag_field(parts, "zone"), flag_field(parts, "lastcpupid"), flag_field(parts, "section"),
      flag_field(parts, "kasantag")});
  if (auto done = flag_word_.run(); !done) return fail(std::move(done).error());
  return {};
}

Status PageRows::set_memcg(const pobpf_page& page, PageFields fields, PageContext& context) {
  const bool is_known = has_field(fields, PageField::kMemcg);
  set_known(kMemcgFlags, is_known, page.memcg_flags);
  set_known(kCgroupId, is_known, page.cgroup_id);
  if (!is_known || (page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return {};
  return context_rows_.add_cgroup(page.cgroup_id, context);
}

Status PageRows::set_kind(const pobpf_page& page, const pobpf_page_detail* detail,
                          PageFields fields, PageContext& context) {
  if (detail == nullptr || !has_field(fields, PageField::kKind)) {
    set(kKind, std::nullopt);
    set(kAllocator, std::nullopt);
    return {};
  }
  struct {
    std::uint64_t kind_flags;
    std::uint32_t page_type;
    std::uint32_t mapping;
  } const key{detail->kind_flags, detail->page_type, detail->mapping};
  if (kind_key_ != bytes_of(key) || !values_.at(kKind)) {
    kind_key_ = bytes_of(key);
    const std::array<SqlValue, 3> values = {sql_integer(detail->kind_flags),
                                            std::int64_t{detail->page_type},
                                            std::int64_t{detail->mapping}};
    auto id = kinds_.id(kind_key_, values);
    if (!id) return fail(std::move(id).error());
    set(kKind, static_cast<std::uint64_t>(*id));
  }
  if (!has_field(fields, PageField::kHandle) || !has_field(fields, PageField::kOrder)) {
    set(kAllocator, std::nullopt);
    return {};
  }
  auto id = allocator(page, *detail, context);
  if (!id) return fail(std::move(id).error());
  set(kAllocator, static_cast<std::uint64_t>(*id));
  return {};
}

Result<std::int64_t> PageRows::allocator(const pobpf_page& page, const pobpf_page_detail& detail,
                                         PageContext& context) {
  pobpf_group_key key{};
  pobpf::set_kind(key, page, detail, stack_order_min_);
  if (const auto found = allocator_ids_.find(key); found != allocator_ids_.end())
    return found->second;
  std::vector<Frame> frames;
  // a stack that cannot be read is counted with the stacks
  if (key.handle != 0)
    if (auto stack = context.stack(key.handle)) frames = (*stack)->frames;
  const std::string name = escaped(allocator_of(key, frames, types_, facts_));
  const std::array<SqlValue, 1> values = {std::string_view(name)};
  auto id = allocators_.id(name, values);
  if (!id) return id;
  if (allocator_ids_.size() >= kKnownMax) allocator_ids_.clear();
  allocator_ids_.emplace(key, *id);
  return id;
}

Status PageRows::set_free_side(const pobpf_page_detail* detail, PageFields fields,
                               PageContext& context) {
  const bool is_known = detail != nullptr && has_field(fields, PageField::kFreeSide);
  const bool has_task = is_known && detail->has_free_pid != 0;
  const auto number = [](std::int32_t value) {
    return std::optional(static_cast<std::uint64_t>(std::int64_t{value}));
  };
  set(kFreePid, has_task ? number(detail->free_pid) : std::nullopt);
  set(kFreeTgid, has_task ? number(detail->free_tgid) : std::nullopt);
  if (!is_known) {
    set(kFreeHandle, std::nullopt);
    return {};
  }
  set(kFreeHandle, std::uint64_t{detail->free_handle});
  if (detail->free_handle == 0) return {};
  return context_rows_.add_stack(detail->free_handle, context);
}

}  // namespace pobpf
