// SPDX-License-Identifier: GPL-2.0-only
// CSV, one line a page; docs/export.md is the contract.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "format/csv_field.h"
#include "format/page_columns.h"
#include "format/page_formatter.h"
#include "format/text_cache.h"
#include "model/flag_text.h"
#include "util/bounded.h"
#include "util/escape.h"

namespace pobpf {
namespace {

/// Fields that a kernel may keep in page->flags, in the order of their columns.
constexpr const char* kFlagFields[] = {"node", "zone", "lastcpupid", "section", "kasantag"};

class CsvFormatter final : public PageFormatter {
 public:
  CsvFormatter(const KernelFacts& facts, pobpf_mode mode, CommStyle style)
      : facts_(facts), has_stack_(mode != POBPF_MODE_HANDLE), style_(style) {}

  void set_fields(PageFields fields) override {
    fields_ = fields;
    if (std::exchange(version_, facts_.version()) == facts_.version()) return;
    gfp_.clear();
    flags_.clear();
  }

  void append_header(std::string& out) override {
    for (const PageColumnInfo& column : kPageColumns)
      if (column.csv == InCsv::kAlways || (column.csv == InCsv::kWithStacks && has_stack_))
        out.append(column.key).append(",");
    // each name has a comma behind it
    out.back() = '\r';
    out += '\n';
  }

  using PageFormatter::append;
  Status append(const pobpf_page& page, const pobpf_page_detail* detail, PageContext& context,
                std::string& out) override {
    unknown_.reset();
    append_size(page, out);
    append_task(page, out);
    append_request(page, out);
    append_block(page, out);
    append_flags(page, out);
    append_migrated(page, out);
    append_memcg(page, context, out);
    if (has_stack_) append_stack(has(PageField::kHandle), page.handle, context, out);
    append_free_side(detail, context, out);
    out += is_freed(page) ? "true," : ",";
    append_memcg_path(page, context, out);
    // each field has a comma behind it
    out.back() = '\r';
    out += '\n';
    if (unknown_) return fail(*unknown_);
    return {};
  }

 private:
  [[nodiscard]] bool has(PageField field) const { return has_field(fields_, field); }

  template <typename T>
  void append_known(std::string& out, PageField field, T value) const {
    if (has(field)) append_number(out, value);
    out += ',';
  }

  void append_text(std::string& out, std::string_view text) const {
    if (style_ == CommStyle::kRaw) {
      append_csv_field(out, text);
      return;
    }
    append_csv_field(out, escaped(text));
  }

  void append_name(std::string& out, const std::vector<std::string>& names, long index) const {
    if (const auto name = name_at(names, index))
      append_text(out, *name);
    else
      fmt::format_to(std::back_inserter(out), "unknown({})", index);
  }

  void append_size(const pobpf_page& page, std::string& out) const {
    append_known(out, PageField::kPfn, page.pfn);
    append_known(out, PageField::kOrder, page.order);
    append_known(out, PageField::kOrder, 1ULL << page.order);
    append_known(out, PageField::kHandle, page.handle);
  }

  void append_task(const pobpf_page& page, std::string& out) const {
    append_known(out, PageField::kPid, page.pid);
    append_known(out, PageField::kTgid, page.tgid);
    if (has(PageField::kComm)) append_text(out, bounded(page.comm, sizeof(page.comm)));
    out += ',';
    append_known(out, PageField::kTsNsec, page.ts_nsec);
    append_known(out, PageField::kFreeTsNsec, page.free_ts_nsec);
  }

  void append_request(const pobpf_page& page, std::string& out) {
    append_known(out, PageField::kGfpMask, page.gfp_mask);
    if (!has(PageField::kGfpMask)) {
      out += ",,";
      return;
    }
    out += gfp_.get(page.gfp_mask, [&](std::string& text) {
      std::string names;
      append_gfp_names(names, page.gfp_mask, facts_);
      append_text(text, names);
      text += ',';
      const unsigned migratetype = gfp_migratetype(page.gfp_mask, facts_);
      if (migratetype != kUnknownMigratetype)
        append_name(text, facts_.migratetype_names, static_cast<long>(migratetype));
      text += ',';
    });
  }

  void append_block(const pobpf_page& page, std::string& out) const {
    if (const auto block = facts_.pageblock(page.pfn); block && has(PageField::kPfn))
      append_number(out, *block);
    out += ',';
    if (has(PageField::kPageblockMigratetype))
      append_name(out, facts_.migratetype_names, page.pageblock_migratetype);
    out += ',';
  }

  void append_flags(const pobpf_page& page, std::string& out) {
    if (!has(PageField::kFlags)) {
      out += ',';
      if (has(PageField::kFlagNames)) {
        std::string names;
        append_page_flag_names(names, page.flags, facts_);
        append_text(out, names);
      }
      out.append(1 + std::size(kFlagFields), ',');
      return;
    }
    out += flags_.get(page.flags, [&](std::string& text) {
      fmt::format_to(std::back_inserter(text), "{:#x},", page.flags);
      std::string names;
      append_page_flag_names(names, page.flags, facts_);
      append_text(text, names);
      text += ',';
      const auto fields = page_flag_parts(page.flags, facts_).fields;
      for (const std::string_view name : kFlagFields) {
        const auto found = std::ranges::find(
            fields, name, [](const auto& field) { return std::string_view(field.first); });
        if (found != fields.end())
          append_number(text, found->second);
        else if (!facts_.texts && name == "node")
          text += '0';
        text += ',';
      }
    });
  }

  void append_migrated(const pobpf_page& page, std::string& out) const {
    if (has(PageField::kLastMigrateReason) &&
        page.last_migrate_reason != facts_.migrate_reason_never)
      append_name(out, facts_.migrate_reason_names, page.last_migrate_reason);
    out += ',';
  }

  static const char* truth(bool is_true) { return is_true ? "true" : "false"; }

  void note(Error error) {
    if (!unknown_) unknown_ = std::move(error);
  }

  void append_memcg(const pobpf_page& page, PageContext& context, std::string& out) {
    if (has(PageField::kMemcg)) out += truth((page.memcg_flags & POBPF_MEMCG_SLAB) != 0);
    out += ',';
    if (!has(PageField::kMemcg) || (page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) {
      out += ",,,,";
      return;
    }
    if (auto name = context.cgroup_name(page.cgroup_id); name)
      append_text(out, *name);
    else
      note(std::move(name).error());
    out += ',';
    // that of an import is a number of its own
    if (!facts_.texts) append_number(out, page.cgroup_id);
    fmt::format_to(std::back_inserter(out), ",{},{},",
                   truth((page.memcg_flags & POBPF_MEMCG_OFFLINE) == 0),
                   truth((page.memcg_flags & POBPF_MEMCG_OBJCG) != 0));
  }

  void append_memcg_path(const pobpf_page& page, PageContext& context, std::string& out) {
    const bool is_charged = has(PageField::kMemcg) && (page.memcg_flags & POBPF_MEMCG_CHARGED) != 0;
    if (is_charged) {
      if (auto path = context.cgroup_path(page.cgroup_id); path)
        append_text(out, whole_path(*path).value_or(""));
      else
        note(std::move(path).error());
    }
    out += ',';
  }

  void append_free_side(const pobpf_page_detail* detail, PageContext& context, std::string& out) {
    const bool is_known = detail != nullptr && has(PageField::kFreeSide);
    const bool was_freed = is_known && detail->free_handle != 0;
    const bool has_task = was_freed && detail->has_free_pid != 0;
    if (is_known) append_number(out, detail->free_handle);
    out += ',';
    if (has_task) append_number(out, detail->free_pid);
    out += ',';
    if (has_task) append_number(out, detail->free_tgid);
    out += ',';
    if (has_stack_) append_stack(was_freed, was_freed ? detail->free_handle : 0, context, out);
  }

  void append_stack(bool is_known, std::uint32_t handle, PageContext& context, std::string& out) {
    if (is_known) append_frames(handle, context, out);
    out += ',';
  }

  void append_frames(std::uint32_t handle, PageContext& context, std::string& out) {
    auto stack = context.stack(handle);
    if (!stack) return note(std::move(stack).error());
    out += stacks_.get(handle, [&](std::string& text) {
      std::string frames;
      for (const Frame& frame : (*stack)->frames) {
        if (!frames.empty()) frames += ';';
        frames += frame.symbol;
      }
      append_text(text, frames);
    });
  }

  const KernelFacts& facts_;
  bool has_stack_;
  CommStyle style_;
  PageFields fields_ = kAllPageFields;
  std::uint64_t version_ = 0;     // of the facts that texts were made of
  std::optional<Error> unknown_;  // what the record refers to and could not be read
  TextCache<std::uint32_t> gfp_;
  TextCache<std::uint64_t> flags_;
  TextCache<std::uint32_t> stacks_;
};

}  // namespace

std::unique_ptr<PageFormatter> make_csv_formatter(const KernelFacts& facts, pobpf_mode mode,
                                                  CommStyle style) {
  return std::make_unique<CsvFormatter>(facts, mode, style);
}

}  // namespace pobpf
