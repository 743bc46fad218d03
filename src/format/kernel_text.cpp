// SPDX-License-Identifier: GPL-2.0-only
// The text of debugfs page_owner: mm/page_owner.c: print_page_owner() of the kernel that the facts
// describe. Runs once a page, so what repeats from page to page is made once.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <unordered_map>

#include "format/escape.h"
#include "format/page_formatter.h"
#include "model/flag_text.h"

namespace pobpf {
namespace {

template <std::size_t kBytes>
char* put(char* at, const char (&literal)[kBytes]) {
  std::memcpy(at, literal, kBytes - 1);
  return at + kBytes - 1;
}

/// `at` must have room for the 20 digits of the largest number.
char* put_number(char* at, std::uint64_t value, int base = 10) {
  return std::to_chars(at, at + 20, value, base).ptr;
}

template <typename T>
void append_number(std::string& out, T value, int base = 10) {
  std::array<char, 24> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init): hot path
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

/// Texts by a number that repeats. Bounded, as flag words come from memory that anyone can shape.
template <typename Key>
class TextCache {
 public:
  template <typename Make>
  const std::string& get(Key key, Make&& make) {
    if (is_last_valid_ && key == last_key_) return *last_;
    auto found = texts_.find(key);
    if (found == texts_.end()) {
      if (texts_.size() >= kTextsMax) texts_.clear();
      std::string text;
      make(text);
      found = texts_.emplace(key, std::move(text)).first;
    }
    last_key_ = key;
    last_ = &found->second;
    is_last_valid_ = true;
    return *last_;
  }

 private:
  static constexpr std::size_t kTextsMax = 8192;
  std::unordered_map<Key, std::string> texts_;
  const std::string* last_ = nullptr;
  Key last_key_{};
  bool is_last_valid_ = false;
};

class KernelTextFormatter final : public PageFormatter {
 public:
  KernelTextFormatter(const KernelFacts& facts, pobpf_mode mode, CommStyle style)
      : facts_(facts), mode_(mode), is_escaped_(style == CommStyle::kEscaped) {}

  Status append(const pobpf_page& page, PageContext& context, std::string& out) override {
    if (!is_same_head(page)) make_head(page);
    if (!is_same_tail(page)) {
      if (auto status = make_tail(page, context); !status) return status;
    }
    // what differs from page to page, in one piece
    std::array<char, 128> middle;  // NOLINT(cppcoreguidelines-pro-type-member-init): hot path
    char* at = put_number(middle.data(), page.ts_nsec);
    if (facts_.is_pre_v68_text) {
      at = put(at, " ns, free_ts ");
      at = put_number(at, page.free_ts_nsec);
      at = put(at, " ns\nPFN ");
      at = put_number(at, page.pfn);
    } else {
      at = put(at, " ns\nPFN 0x");
      at = put_number(at, page.pfn, 16);
    }
    out.append(head_);
    out.append(middle.data(), static_cast<std::size_t>(at - middle.data()));
    out.append(tail_);
    return {};
  }

 private:
  void append_untrusted(std::string& out, std::string_view text) const {
    if (is_escaped_)
      append_escaped(out, text);
    else
      out += text;
  }

  static std::string_view name_of(const std::vector<std::string>& names, std::size_t index) {
    return index < names.size() ? std::string_view(names[index]) : std::string_view();
  }

  /// A name of the kernel's tables; the kernel itself would read past them.
  static void append_name(std::string& out, const std::vector<std::string>& names, long index) {
    const auto name =
        index < 0 ? std::string_view() : name_of(names, static_cast<std::size_t>(index));
    if (!name.empty()) {
      out += name;
      return;
    }
    out += "unknown(";
    append_number(out, index);
    out += ')';
  }

  /// Neighbouring pages mostly have one owner, one block and one stack: what was made for the last
  /// page is kept until it differs.
  [[nodiscard]] bool is_same_head(const pobpf_page& page) const {
    return !head_.empty() && page.order == last_.order && page.gfp_mask == last_.gfp_mask &&
           page.pid == last_.pid && page.tgid == last_.tgid &&
           std::memcmp(page.comm, last_.comm, sizeof(page.comm)) == 0;
  }

  void make_head(const pobpf_page& page) {
    last_.order = page.order;
    last_.gfp_mask = page.gfp_mask;
    last_.pid = page.pid;
    last_.tgid = page.tgid;
    std::memcpy(last_.comm, page.comm, sizeof(page.comm));
    // the tail shows the migratetype of the gfp mask
    tail_.clear();

    head_ = "Page allocated via order ";
    append_number(head_, page.order);
    head_ += gfp_.get(page.gfp_mask, [&](std::string& text) {
      fmt::format_to(std::back_inserter(text), ", mask {:#x}(", page.gfp_mask);
      append_flag_names(text, page.gfp_mask, facts_.gfp_names);
      text += "), pid ";
    });
    append_number(head_, page.pid);
    head_ += ", tgid ";
    append_number(head_, page.tgid);
    head_ += " (";
    const auto* comm = reinterpret_cast<const char*>(page.comm);
    append_untrusted(head_, std::string_view(comm, strnlen(comm, sizeof(page.comm))));
    head_ += "), ts ";
  }

  [[nodiscard]] bool is_same_tail(const pobpf_page& page) const {
    return !tail_.empty() && page.flags == last_.flags && page.handle == last_.handle &&
           page.pfn >> facts_.pageblock_order == last_.pfn >> facts_.pageblock_order &&
           page.pageblock_migratetype == last_.pageblock_migratetype &&
           page.last_migrate_reason == last_.last_migrate_reason &&
           page.memcg_flags == last_.memcg_flags && page.cgroup_id == last_.cgroup_id;
  }

  /// Everything behind the PFN.
  Status make_tail(const pobpf_page& page, PageContext& context) {
    last_.flags = page.flags;
    last_.handle = page.handle;
    last_.pfn = page.pfn;
    last_.pageblock_migratetype = page.pageblock_migratetype;
    last_.last_migrate_reason = page.last_migrate_reason;
    last_.memcg_flags = page.memcg_flags;
    last_.cgroup_id = page.cgroup_id;

    tail_ = " type ";
    append_name(tail_, facts_.migratetype_names,
                static_cast<long>(gfp_migratetype(page.gfp_mask, facts_)));
    tail_ += " Block ";
    append_number(tail_, page.pfn >> facts_.pageblock_order);
    tail_ += " type ";
    append_name(tail_, facts_.migratetype_names, page.pageblock_migratetype);
    tail_ += flags_.get(page.flags, [&](std::string& text) {
      text += " Flags ";
      append_page_flags(text, page.flags, facts_);
      text += '\n';
    });
    auto status = append_stack(page, context, tail_);
    if (status) {
      append_migrated(page, tail_);
      status = append_memcg(page, context, tail_);
    }
    if (!status) {
      tail_.clear();
      return status;
    }
    tail_ += '\n';
    return {};
  }

  Status append_stack(const pobpf_page& page, PageContext& context, std::string& out) {
    if (mode_ != POBPF_MODE_HANDLE) {
      if (page.handle != last_handle_ || last_stack_ == nullptr) {
        auto stack = context.stack(page.handle);
        if (!stack) return fail(std::move(stack).error());
        last_stack_ = *stack;
        last_handle_ = page.handle;
      }
      if (is_escaped_)
        append_escaped_lines(out, last_stack_->kernel_text);
      else
        out += last_stack_->kernel_text;
    }
    if (mode_ != POBPF_MODE_STACK) {
      out += "handle: ";
      append_number(out, page.handle);
      out += '\n';
    }
    return {};
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
    if (page.last_migrate_reason == facts_.migrate_reason_never) return;
    out += "Page has been migrated, last migrate reason: ";
    append_name(out, facts_.migrate_reason_names, page.last_migrate_reason);
    out += '\n';
  }

  /// mm/page_owner.c: print_page_owner_memcg()
  Status append_memcg(const pobpf_page& page, PageContext& context, std::string& out) const {
    if ((page.memcg_flags & POBPF_MEMCG_SLAB) != 0) out += "Slab cache page\n";
    if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return {};
    auto name = context.cgroup_name(page.cgroup_id);
    if (!name) return fail(std::move(name).error());
    out += "Charged ";
    if ((page.memcg_flags & POBPF_MEMCG_OBJCG) != 0) out += "(via objcg) ";
    out += "to ";
    if ((page.memcg_flags & POBPF_MEMCG_OFFLINE) != 0) out += "offline ";
    out += "memcg ";
    append_untrusted(out, *name);
    out += '\n';
    return {};
  }

  const KernelFacts& facts_;
  pobpf_mode mode_;
  bool is_escaped_;
  TextCache<std::uint32_t> gfp_;
  TextCache<std::uint64_t> flags_;
  const Stack* last_stack_ = nullptr;
  std::uint32_t last_handle_ = 0;
  std::string head_;   // of the last page, up to its timestamp
  std::string tail_;   // of the last page, from behind its PFN; empty: to be made
  pobpf_page last_{};  // what both were made of
};

}  // namespace

std::unique_ptr<PageFormatter> make_kernel_text_formatter(const KernelFacts& facts, pobpf_mode mode,
                                                          CommStyle comm_style) {
  return std::make_unique<KernelTextFormatter>(facts, mode, comm_style);
}

}  // namespace pobpf
