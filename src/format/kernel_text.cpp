// SPDX-License-Identifier: GPL-2.0-only
// The text of debugfs page_owner: mm/page_owner.c: print_page_owner() of the kernel that the facts
// describe. Runs once a page, so what repeats from page to page is made once.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "format/page_formatter.h"
#include "format/text_cache.h"
#include "model/flag_text.h"
#include "util/bounded.h"
#include "util/escape.h"

namespace pobpf {
namespace {

/// A decimal number in a text that is written again in place for as long as it has as many digits.
class DecimalInText {
 public:
  void append(std::string& text, std::uint64_t value) {
    append_number(text, value);
    end_ = text.size();
    high_ = value / kLow;
  }

  /// False if the text has to be made anew. Times of neighbouring pages differ in their last
  /// digits.
  bool rewrite(std::string& text, std::uint64_t value) const {
    if (value / kLow != high_ || high_ == 0) return false;
    auto low = static_cast<std::uint32_t>(value % kLow);
    char* at = text.data() + end_;
    for (int pair = 0; pair < 4; ++pair) {
      at -= 2;
      std::memcpy(at, &kPairs[std::size_t{2} * (low % 100)], 2);
      low /= 100;
    }
    return true;
  }

 private:
  static constexpr std::uint64_t kLow = 100'000'000;  // four pairs of digits
  static constexpr std::array<char, 200> kPairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
      pairs[2 * i] = static_cast<char>('0' + i / 10);
      pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
  }();

  std::size_t end_ = 0;
  std::uint64_t high_ = 0;  // the number without its last digits
};

/// The same for a hexadecimal number.
class HexInText {
 public:
  void append(std::string& text, std::uint64_t value) {
    const std::size_t begin = text.size();
    append_number(text, value, 16);
    end_ = text.size();
    first_digit_shift_ = 4 * (end_ - begin - 1);
  }

  bool rewrite(std::string& text, std::uint64_t value) const {
    static constexpr char kDigits[] = "0123456789abcdef";
    const std::uint64_t first = value >> first_digit_shift_;
    if (first == 0 || first > 15) return false;
    char* at = text.data() + end_;
    for (; value != 0; value >>= 4) *--at = kDigits[value & 15];
    return true;
  }

 private:
  std::size_t end_ = 0;
  std::size_t first_digit_shift_ = 0;
};

class KernelTextFormatter final : public PageFormatter {
 public:
  KernelTextFormatter(const KernelFacts& facts, TextLayout layout, pobpf_mode mode, CommStyle style)
      : facts_(facts), layout_(layout), mode_(mode), is_escaped_(style == CommStyle::kEscaped) {
    KernelTextFormatter::set_fields(kAllPageFields);
  }

  void set_fields(PageFields fields) override {
    const bool has_changed = version_ != facts_.version();
    if (fields == fields_ && !has_changed) return;
    if (has_changed) {
      version_ = facts_.version();
      layout_ = facts_.text_layout.value_or(layout_);
      gfp_.clear();
      flags_.clear();
    }
    fields_ = fields;
    has_free_ts_ = layout_.shows_free_ts && has(PageField::kFreeTsNsec);
    is_rewritable_ = has(PageField::kTsNsec) && has(PageField::kPfn);
    record_.clear();
    head_.clear();
    tail_.clear();
  }

  using PageFormatter::append;
  Status append(const pobpf_page& page, const pobpf_page_detail* /*detail*/, PageContext& context,
                std::string& out) override {
    if (!rewrite_record(page)) make_record(page, context);
    out.append(record_);
    if (unknown_) return fail(*unknown_);
    return {};
  }

 private:
  [[nodiscard]] bool has(PageField field) const { return has_field(fields_, field); }

  void append_untrusted(std::string& out, std::string_view text) const {
    if (is_escaped_)
      append_escaped(out, text);
    else
      out += text;
  }

  /// A name of the kernel's tables; the kernel itself would read past them.
  void append_name(std::string& out, const std::vector<std::string>& names, long index) const {
    if (const auto name = name_at(names, index))
      append_untrusted(out, *name);
    else
      append_unknown(out, index);
  }

  template <typename T>
  static void append_unknown(std::string& out, T number) {
    out += "unknown(";
    append_number(out, number);
    out += ')';
  }

  /// Neighbouring pages mostly have one owner, one block and one stack: then only their numbers are
  /// written again into the text of the last page.
  bool rewrite_record(const pobpf_page& page) {
    if (record_.empty() || !is_rewritable_ || !is_same_but_for_numbers(page)) return false;
    if (has_free_ts_ && !free_ts_.rewrite(record_, page.free_ts_nsec)) return false;
    return ts_.rewrite(record_, page.ts_nsec) &&
           (layout_.is_pfn_decimal ? decimal_pfn_.rewrite(record_, page.pfn)
                                   : hex_pfn_.rewrite(record_, page.pfn));
  }

  /// Compared in pieces of several members.
  [[nodiscard]] bool is_same_but_for_numbers(const pobpf_page& page) const {
    static_assert(offsetof(pobpf_page, pfn) == 8 && offsetof(pobpf_page, gfp_mask) == 48 &&
                  sizeof(pobpf_page) == 80);
    return std::memcmp(&page, &last_, 8) == 0 && page.flags == last_.flags &&
           page.cgroup_id == last_.cgroup_id &&
           std::memcmp(&page.gfp_mask, &last_.gfp_mask, 32) == 0 &&
           facts_.pageblock(page.pfn) == facts_.pageblock(last_.pfn);
  }

  // kept out of the way of the short path
  [[gnu::noinline]] void make_record(const pobpf_page& page, PageContext& context) {
    record_.clear();
    if (!is_same_head(page)) make_head(page);
    if (tail_.empty() || !is_same_tail(page)) make_tail(page, context);
    last_ = page;
    record_ = head_;
    if (has(PageField::kTsNsec)) {
      record_ += ", ts ";
      ts_.append(record_, page.ts_nsec);
      record_ += " ns";
    }
    if (has_free_ts_) {
      record_ += ", free_ts ";
      free_ts_.append(record_, page.free_ts_nsec);
      record_ += " ns";
    }
    record_ += '\n';
    append_page_line(page);
  }

  /// From the PFN on. Without it the line begins with what is known; without that there is none.
  void append_page_line(const pobpf_page& page) {
    if (!has(PageField::kPfn)) {
      record_.append(tail_, 1);
    } else if (layout_.is_pfn_decimal) {
      record_ += "PFN ";
      decimal_pfn_.append(record_, page.pfn);
      record_ += tail_;
    } else {
      record_ += "PFN 0x";
      hex_pfn_.append(record_, page.pfn);
      record_ += tail_;
    }
  }

  [[nodiscard]] bool is_same_head(const pobpf_page& page) const {
    return !head_.empty() && page.kind == last_.kind && page.order == last_.order &&
           page.gfp_mask == last_.gfp_mask && page.pid == last_.pid && page.tgid == last_.tgid &&
           std::memcmp(page.comm, last_.comm, sizeof(page.comm)) == 0;
  }

  void make_head(const pobpf_page& page) {
    // the tail shows the migratetype of the gfp mask
    tail_.clear();

    // as the kernel's messages begin
    head_ = is_freed(page) ? "page_owner tracks the page as freed\n" : "";
    head_ += "Page allocated";
    if (has(PageField::kOrder)) {
      head_ += " via order ";
      append_number(head_, page.order);
    }
    if (has(PageField::kGfpMask))
      head_ += gfp_.get(page.gfp_mask, [&](std::string& text) {
        std::string mask;
        append_gfp_mask(mask, page.gfp_mask, facts_);
        text = ", mask ";
        append_untrusted(text, mask);
      });
    if (has(PageField::kPid)) {
      head_ += ", pid ";
      append_number(head_, page.pid);
    }
    if (has(PageField::kTgid)) {
      head_ += ", tgid ";
      append_number(head_, page.tgid);
    }
    if (has(PageField::kComm)) {
      head_ += " (";
      append_untrusted(head_, bounded(page.comm, sizeof(page.comm)));
      head_ += ')';
    }
  }

  [[nodiscard]] bool is_same_tail(const pobpf_page& page) const {
    return page.flags == last_.flags && page.handle == last_.handle &&
           facts_.pageblock(page.pfn) == facts_.pageblock(last_.pfn) &&
           page.pageblock_migratetype == last_.pageblock_migratetype &&
           page.last_migrate_reason == last_.last_migrate_reason &&
           page.memcg_flags == last_.memcg_flags && page.cgroup_id == last_.cgroup_id;
  }

  /// Everything behind the PFN.
  void make_tail(const pobpf_page& page, PageContext& context) {
    tail_.clear();
    unknown_.reset();
    append_block(page, tail_);
    append_flags(page, tail_);
    if (!tail_.empty() || has(PageField::kPfn)) tail_ += '\n';
    // a line without a PFN begins one character later
    if (tail_.empty()) tail_ = ' ';
    append_stack(page, context, tail_);
    append_migrated(page, tail_);
    append_memcg(page, context, tail_);
    tail_ += '\n';
  }

  void note(Error error) {
    if (!unknown_) unknown_ = std::move(error);
  }

  void append_block(const pobpf_page& page, std::string& out) const {
    const unsigned migratetype =
        has(PageField::kGfpMask) ? gfp_migratetype(page.gfp_mask, facts_) : kUnknownMigratetype;
    if (migratetype != kUnknownMigratetype) {
      out += " type ";
      append_name(out, facts_.migratetype_names, static_cast<long>(migratetype));
    }
    if (!has(PageField::kPageblockMigratetype)) return;
    if (const auto block = facts_.pageblock(page.pfn); block && has(PageField::kPfn)) {
      out += " Block ";
      append_number(out, *block);
    }
    out += " type ";
    append_name(out, facts_.migratetype_names, page.pageblock_migratetype);
  }

  void append_flags(const pobpf_page& page, std::string& out) {
    if (has(PageField::kFlags)) {
      out += flags_.get(page.flags, [&](std::string& text) {
        std::string flags;
        append_page_flags(flags, page.flags, facts_);
        text = " Flags ";
        append_untrusted(text, flags);
      });
    } else if (has(PageField::kFlagNames) && facts_.texts) {
      const auto names = facts_.texts->page_flags.find(page.flags);
      out += " Flags (";
      if (names == facts_.texts->page_flags.end())
        append_unknown(out, page.flags);
      else
        append_untrusted(out, names->second);
      out += ')';
    }
  }

  void append_stack(const pobpf_page& page, PageContext& context, std::string& out) {
    if (!has(PageField::kHandle)) return;
    bool shows_handle = mode_ != POBPF_MODE_STACK;
    if (mode_ != POBPF_MODE_HANDLE) {
      auto stack = context.stack(page.handle);
      if (!stack) {
        shows_handle = true;
        note(std::move(stack).error());
      } else if (is_escaped_) {
        append_escaped_lines(out, (*stack)->kernel_text);
      } else {
        out += (*stack)->kernel_text;
      }
    }
    if (!shows_handle) return;
    out += "handle: ";
    append_number(out, page.handle);
    out += '\n';
  }

  static void append_escaped_lines(std::string& out, std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      append_escaped(out, text.substr(0, end));
      out += '\n';
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

  void append_migrated(const pobpf_page& page, std::string& out) const {
    if (!has(PageField::kLastMigrateReason) ||
        page.last_migrate_reason == facts_.migrate_reason_never)
      return;
    out += "Page has been migrated, last migrate reason: ";
    append_name(out, facts_.migrate_reason_names, page.last_migrate_reason);
    out += '\n';
  }

  /// mm/page_owner.c: print_page_owner_memcg()
  void append_memcg(const pobpf_page& page, PageContext& context, std::string& out) {
    if (!has(PageField::kMemcg) || layout_.omits_charges) return;
    if ((page.memcg_flags & POBPF_MEMCG_SLAB) != 0) out += "Slab cache page\n";
    if (is_charge_unknown(page.memcg_flags)) out += "Charged to memcg (unknown)\n";
    if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return;
    out += "Charged ";
    if ((page.memcg_flags & POBPF_MEMCG_OBJCG) != 0) out += "(via objcg) ";
    out += "to ";
    if ((page.memcg_flags & POBPF_MEMCG_OFFLINE) != 0) out += "offline ";
    out += "memcg ";
    if (auto name = context.cgroup_name(page.cgroup_id); name) {
      append_untrusted(out, *name);
    } else {
      append_unknown(out, page.cgroup_id);
      note(std::move(name).error());
    }
    out += '\n';
  }

  const KernelFacts& facts_;
  TextLayout layout_;
  pobpf_mode mode_;
  bool is_escaped_;
  PageFields fields_ = 0;
  std::uint64_t version_ = 0;   // of the facts that texts were made of
  bool has_free_ts_ = false;    // shown
  bool is_rewritable_ = false;  // there are the numbers to write again
  TextCache<std::uint32_t> gfp_;
  TextCache<std::uint64_t> flags_;
  std::string record_;  // of the last page; empty: to be made
  DecimalInText ts_;
  DecimalInText free_ts_;
  DecimalInText decimal_pfn_;
  HexInText hex_pfn_;
  std::string head_;              // of the last page, up to its timestamp
  std::string tail_;              // of the last page, from behind its PFN; empty: to be made
  std::optional<Error> unknown_;  // what it refers to and could not be read
  pobpf_page last_{};             // what both were made of
};

}  // namespace

Result<std::unique_ptr<PageFormatter>> make_kernel_text_formatter(const KernelFacts& facts,
                                                                  pobpf_mode mode,
                                                                  CommStyle comm_style) {
  const auto layout = facts.known_text_layout();
  if (!layout) return fail(layout.error());
  return std::make_unique<KernelTextFormatter>(facts, *layout, mode, comm_style);
}

}  // namespace pobpf
