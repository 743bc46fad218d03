// SPDX-License-Identifier: GPL-2.0-only
// JSON lines, one object a page; docs/json.md is the contract. Runs once a page, so what repeats
// from page to page is kept as the text of its members, each with a comma in front.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "format/json_members.h"
#include "format/page_columns.h"
#include "format/page_formatter.h"
#include "format/text_cache.h"
#include "model/flag_text.h"
#include "util/bounded.h"

namespace pobpf {
namespace {

/// The text of the members that `add` writes.
template <typename Add>
std::string members_text(Add&& add) {
  std::string text;
  JsonWriter json(text);
  json.object([&] { add(json); });
  text.pop_back();
  text.front() = ',';
  if (text.size() == 1) text.clear();
  return text;
}

class JsonFormatter final : public PageFormatter {
 public:
  JsonFormatter(const KernelFacts& facts, pobpf_mode mode) : facts_(facts), mode_(mode) {
    for (const PageColumnInfo& column : kPageColumns)
      keys_.push_back(fmt::format(",\"{}\":", column.key));
  }

  void set_fields(PageFields fields) override {
    if (fields == fields_ && version_ == facts_.version()) return;
    fields_ = fields;
    version_ = facts_.version();
    head_.clear();
    tail_.clear();
    tasks_.clear();
    blocks_.clear();
    gfp_.clear();
    flags_.clear();
    migrated_.clear();
    charges_.clear();
  }

  using PageFormatter::append;
  Status append(const pobpf_page& page, const pobpf_page_detail* detail, PageContext& context,
                std::string& out) override {
    const std::size_t begin = out.size();
    unknown_.reset();
    if (has(PageField::kPfn)) append_number(out, PageColumn::kPfn, page.pfn);
    if (head_.empty() || !is_same_head(page)) make_head(page);
    out += head_;
    if (has(PageField::kTsNsec)) append_number(out, PageColumn::kTsNsec, page.ts_nsec);
    if (has(PageField::kFreeTsNsec)) append_number(out, PageColumn::kFreeTsNsec, page.free_ts_nsec);
    if (tail_.empty() || !is_same_tail(page)) make_tail(page, context);
    out += tail_;
    last_ = page;
    // what could not be read is asked for again
    if (unknown_) tail_.clear();
    const bool has_free_side = detail != nullptr && has(PageField::kFreeSide);
    if (has_free_side) append_free_side(*detail, out);
    if (has_free_side && detail->free_handle != 0)
      append_stack(PageColumn::kFreeStack, detail->free_handle, context, out);
    if (has(PageField::kHandle)) append_stack(PageColumn::kStack, page.handle, context, out);
    // the first member has no comma
    if (out.size() == begin) out += '{';
    out[begin] = '{';
    out += "}\n";
    if (unknown_) return fail(*unknown_);
    return {};
  }

 private:
  [[nodiscard]] bool has(PageField field) const { return has_field(fields_, field); }

  /// Begins a member.
  void append_key(std::string& out, PageColumn column) const {
    out += keys_[static_cast<std::size_t>(column)];
  }
  template <typename T>
  void append_number(std::string& out, PageColumn column, T value) const {
    append_key(out, column);
    pobpf::append_number(out, value);
  }

  // Neighbouring pages mostly have one owner and one block.

  [[nodiscard]] bool is_same_head(const pobpf_page& page) const {
    return page.kind == last_.kind && page.order == last_.order && page.handle == last_.handle &&
           page.pid == last_.pid && page.tgid == last_.tgid &&
           std::memcmp(page.comm, last_.comm, sizeof(page.comm)) == 0;
  }

  [[nodiscard]] bool is_same_tail(const pobpf_page& page) const {
    return page.gfp_mask == last_.gfp_mask && page.flags == last_.flags &&
           facts_.pageblock(page.pfn) == facts_.pageblock(last_.pfn) &&
           page.pageblock_migratetype == last_.pageblock_migratetype &&
           page.last_migrate_reason == last_.last_migrate_reason &&
           page.memcg_flags == last_.memcg_flags && page.cgroup_id == last_.cgroup_id;
  }

  /// The members between the PFN and the times.
  void make_head(const pobpf_page& page) {
    head_.clear();
    append_size(page, head_);
    append_task(page, head_);
  }

  /// The members behind the times, up to who freed the page.
  void make_tail(const pobpf_page& page, PageContext& context) {
    tail_.clear();
    append_gfp(page, tail_);
    append_block(page, tail_);
    append_flags(page, tail_);
    append_migrated(page, tail_);
    append_memcg(page, context, tail_);
  }

  void append_size(const pobpf_page& page, std::string& out) const {
    if (has(PageField::kOrder)) {
      append_number(out, PageColumn::kOrder, page.order);
      append_number(out, PageColumn::kNrPages, 1ULL << page.order);
    }
    if (is_freed(page)) {
      append_key(out, PageColumn::kFreed);
      out += "true";
    }
    if (has(PageField::kHandle)) append_number(out, PageColumn::kHandle, page.handle);
  }

  void append_task(const pobpf_page& page, std::string& out) {
    Task task{page.pid, page.tgid, {}};
    std::copy(std::begin(page.comm), std::end(page.comm), task.comm.begin());
    out += tasks_.get(task, [&](std::string& text) {
      text = members_text([&](JsonWriter& json) {
        if (has(PageField::kPid)) json.member(key_of(PageColumn::kPid), page.pid);
        if (has(PageField::kTgid)) json.member(key_of(PageColumn::kTgid), page.tgid);
        if (has(PageField::kComm)) write_comm(json, bounded(page.comm, sizeof(page.comm)));
      });
    });
  }

  void append_gfp(const pobpf_page& page, std::string& out) {
    if (!has(PageField::kGfpMask)) return;
    out += gfp_.get(page.gfp_mask, [&](std::string& text) {
      text = members_text([&](JsonWriter& json) { write_gfp(json, page.gfp_mask, facts_); });
    });
  }

  void append_block(const pobpf_page& page, std::string& out) {
    if (!has(PageField::kPageblockMigratetype)) return;
    const auto block = facts_.pageblock(page.pfn);
    if (has(PageField::kPfn) && block) append_number(out, PageColumn::kPageblock, *block);
    out += blocks_.get(page.pageblock_migratetype, [&](std::string& text) {
      text = members_text([&](JsonWriter& json) {
        json.member(key_of(PageColumn::kPageblockMigratetype),
                    name_at(facts_.migratetype_names, page.pageblock_migratetype));
      });
    });
  }

  void append_flags(const pobpf_page& page, std::string& out) {
    if (!has(PageField::kFlags) && !has(PageField::kFlagNames)) return;
    out += flags_.get(page.flags, [&](std::string& text) {
      text = members_text([&](JsonWriter& json) {
        if (has(PageField::kFlags))
          json.member(key_of(PageColumn::kFlags), fmt::format("{:#x}", page.flags));
        write_flags(json, page.flags);
      });
    });
  }

  void write_flags(JsonWriter& json, std::uint64_t flags) const {
    if (facts_.texts && !facts_.texts->page_flags.contains(flags)) return;
    const PageFlagParts parts = page_flag_parts(flags, facts_);
    json.member(key_of(PageColumn::kPageFlags), parts.names);
    // the names of %pGp, but "node" goes by the name that everybody filters by
    constexpr std::string_view kNid = key_of(PageColumn::kNid);
    std::vector<std::string_view> keys;
    for (const auto& [name, value] : parts.fields) {
      const std::string_view key = name == "node" ? kNid : name;
      // files bring names, too, and no key may come twice
      if (is_page_key(key) || std::ranges::find(keys, key) != keys.end()) continue;
      keys.push_back(key);
      json.member(key, value);
    }
    if (!facts_.texts && std::ranges::find(keys, kNid) == keys.end()) json.member(kNid, 0);
  }

  void append_migrated(const pobpf_page& page, std::string& out) {
    if (!has(PageField::kLastMigrateReason)) return;
    out += migrated_.get(page.last_migrate_reason, [&](std::string& text) {
      text = members_text(
          [&](JsonWriter& json) { write_migrate_reason(json, page.last_migrate_reason, facts_); });
    });
  }

  void append_memcg(const pobpf_page& page, PageContext& context, std::string& out) {
    if (!has(PageField::kMemcg)) return;
    append_key(out, PageColumn::kSlabMemcg);
    out += (page.memcg_flags & POBPF_MEMCG_SLAB) != 0 ? "true" : "false";
    if (is_charge_unknown(page.memcg_flags)) {
      out += R"(,"memcg":{"name":null})";
      return;
    }
    if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) {
      out += R"(,"memcg":null)";
      return;
    }
    JsonCharge charge{.cgroup_id = page.cgroup_id, .memcg_flags = page.memcg_flags};
    const auto append_charge = [&](std::string& text) {
      text += members_text([&](JsonWriter& json) { write_memcg(json, charge, facts_); });
    };
    auto name = context.cgroup_name(page.cgroup_id);
    auto path = context.cgroup_path(page.cgroup_id);
    if (name) charge.name = *name;
    if (path) charge.path = whole_path(*path);
    if (name && path) {
      out += charges_.get({page.cgroup_id, page.memcg_flags}, append_charge);
      return;
    }
    append_charge(out);
    note(std::move(name ? path.error() : name.error()));
  }

  void append_free_side(const pobpf_page_detail& detail, std::string& out) const {
    append_number(out, PageColumn::kFreeHandle, detail.free_handle);
    // what was never freed was freed by nobody
    if (detail.free_handle == 0 || detail.has_free_pid == 0) return;
    append_number(out, PageColumn::kFreePid, detail.free_pid);
    append_number(out, PageColumn::kFreeTgid, detail.free_tgid);
  }

  /// The array of frames; null if they cannot be read.
  void append_stack(PageColumn column, std::uint32_t handle, PageContext& context,
                    std::string& out) {
    if (mode_ == POBPF_MODE_HANDLE) return;
    append_key(out, column);
    auto stack = context.stack(handle);
    if (!stack) {
      out += "null";
      note(std::move(stack).error());
      return;
    }
    out += stacks_.get(handle, [&](std::string& text) {
      JsonWriter json(text);
      write_frames(json, **stack);
    });
  }

  void note(Error error) {
    if (!unknown_) unknown_ = std::move(error);
  }

  struct Task {
    std::int32_t pid;
    std::int32_t tgid;
    std::array<std::uint8_t, POBPF_COMM_BYTES> comm;
    bool operator==(const Task&) const = default;
  };
  struct Charge {
    std::uint64_t cgroup_id;
    std::uint64_t flags;
    bool operator==(const Charge&) const = default;
  };

  const KernelFacts& facts_;
  pobpf_mode mode_;
  PageFields fields_ = kAllPageFields;
  std::vector<std::string> keys_;  // by PageColumn, as they stand behind another member
  std::uint64_t version_ = 0;      // of the facts that texts were made of
  std::optional<Error> unknown_;   // what the record refers to and could not be read
  pobpf_page last_{};
  std::string head_;  // of the last page; empty: to be made
  std::string tail_;
  TextCache<Task> tasks_;
  TextCache<std::uint32_t> gfp_;
  TextCache<std::uint8_t> blocks_;
  TextCache<std::uint64_t> flags_;
  TextCache<std::int16_t> migrated_;
  TextCache<Charge> charges_;
  TextCache<std::uint32_t> stacks_;
};

}  // namespace

std::unique_ptr<PageFormatter> make_json_formatter(const KernelFacts& facts, pobpf_mode mode) {
  return std::make_unique<JsonFormatter>(facts, mode);
}

}  // namespace pobpf
