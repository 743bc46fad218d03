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
    const std::size_t start = out.size();
    append_header(page, out);
    auto status = append_stack(page, context, out);
    if (status) {
      append_migrated(page, out);
      status = append_memcg(page, context, out);
    }
    if (!status) {
      out.resize(start);
      return status;
    }
    out += '\n';
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

  /// Neighbouring pages mostly have one owner and one block: their texts are kept until they
  /// differ.
  void append_header(const pobpf_page& page, std::string& out) {
    out += "Page allocated via order ";
    append_number(out, page.order);
    out += gfp_.get(page.gfp_mask, [&](std::string& text) {
      fmt::format_to(std::back_inserter(text), ", mask {:#x}(", page.gfp_mask);
      append_flag_names(text, page.gfp_mask, facts_.gfp_names);
      text += "), pid ";
    });
    if (!is_owner_known_ || page.pid != owner_.pid || page.tgid != owner_.tgid ||
        std::memcmp(page.comm, owner_.comm, sizeof(page.comm)) != 0)
      remember_owner(page);
    out += owner_text_;
    append_number(out, page.ts_nsec);
    if (facts_.is_pre_v68_text) {
      out += " ns, free_ts ";
      append_number(out, page.free_ts_nsec);
      out += " ns\nPFN ";
      append_number(out, page.pfn);
    } else {
      out += " ns\nPFN 0x";
      append_number(out, page.pfn, 16);
    }
    const std::uint64_t pageblock = page.pfn >> facts_.pageblock_order;
    const unsigned migratetype = gfp_migratetype(page.gfp_mask, facts_);
    if (block_text_.empty() || pageblock != pageblock_ || migratetype != migratetype_ ||
        page.pageblock_migratetype != pageblock_migratetype_) {
      pageblock_ = pageblock;
      migratetype_ = migratetype;
      pageblock_migratetype_ = page.pageblock_migratetype;
      block_text_ = " type ";
      append_name(block_text_, facts_.migratetype_names, static_cast<long>(migratetype));
      block_text_ += " Block ";
      append_number(block_text_, pageblock);
      block_text_ += " type ";
      append_name(block_text_, facts_.migratetype_names, page.pageblock_migratetype);
    }
    out += block_text_;
    out += flags_.get(page.flags, [&](std::string& text) {
      text += " Flags ";
      append_page_flags(text, page.flags, facts_);
      text += '\n';
    });
  }

  void remember_owner(const pobpf_page& page) {
    owner_ = page;
    is_owner_known_ = true;
    owner_text_.clear();
    append_number(owner_text_, page.pid);
    owner_text_ += ", tgid ";
    append_number(owner_text_, page.tgid);
    owner_text_ += " (";
    const auto* comm = reinterpret_cast<const char*>(page.comm);
    append_untrusted(owner_text_, std::string_view(comm, strnlen(comm, sizeof(page.comm))));
    owner_text_ += "), ts ";
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
  pobpf_page owner_{};  // pid, tgid and comm that owner_text_ shows
  bool is_owner_known_ = false;
  std::string owner_text_;
  std::uint64_t pageblock_ = 0;  // what block_text_ shows
  unsigned migratetype_ = 0;
  unsigned pageblock_migratetype_ = 0;
  std::string block_text_;
};

}  // namespace

std::unique_ptr<PageFormatter> make_kernel_text_formatter(const KernelFacts& facts, pobpf_mode mode,
                                                          CommStyle comm_style) {
  return std::make_unique<KernelTextFormatter>(facts, mode, comm_style);
}

}  // namespace pobpf
