// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/text_layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace pobpf {
namespace {

/// More than either function mostly has, and what KernelMemory reads at once.
constexpr std::size_t kCodeBytes = 4096;
/// More than they have where the compiler puts checks into the code, as for KASAN.
constexpr std::size_t kCodeBytesMax = 8 * kCodeBytes;
/// Longer than the strings that are looked for.
constexpr std::size_t kFormatBytes = 256;

bool contains(const AddressRange& range, std::uint64_t address) {
  return address >= range.begin && address < range.end;
}

/// As `mov $imm32,%reg` has them, which extends the sign, and `lea disp32(%rip),%reg`. An
/// instruction can begin at any byte.
void add_x86_64(std::span<const std::byte> code, std::uint64_t address, const AddressRange& wanted,
                std::set<std::uint64_t>& found) {
  std::int32_t word = 0;
  for (std::size_t end = sizeof(word); end <= code.size(); ++end) {
    std::memcpy(&word, &code[end - sizeof(word)], sizeof(word));
    const auto extended = static_cast<std::uint64_t>(std::int64_t{word});
    for (const std::uint64_t made : {extended, address + end + extended})
      if (contains(wanted, made)) found.insert(made);
  }
}

/// As `adrp` makes a page of 4 KiB and `add` the address in it, which need not be neighbours.
void add_arm64(std::span<const std::byte> code, std::uint64_t address, const AddressRange& wanted,
               std::set<std::uint64_t>& found) {
  constexpr std::uint64_t kPage = 4096;
  std::array<std::optional<std::uint64_t>, 32> pages;  // by register
  std::uint32_t word = 0;
  for (std::size_t at = 0; at + sizeof(word) <= code.size(); at += sizeof(word)) {
    std::memcpy(&word, &code[at], sizeof(word));
    const std::uint32_t to = word & 0x1f;
    const std::uint32_t from = word >> 5 & 0x1f;
    if ((word & 0x9f00'0000) == 0x9000'0000) {
      // a number of 21 bits with a sign, its lowest two apart from the rest
      const std::uint64_t number = (word >> 5 & 0x7'ffff) << 2 | (word >> 29 & 3);
      const std::uint64_t sign = number >> 20;
      pages.at(to) = (address + at) / kPage * kPage + (number - (sign << 21)) * kPage;
    } else if ((word & 0xffc0'0000) == 0x9100'0000 && pages.at(from)) {
      const std::uint64_t made = *pages.at(from) + (word >> 10 & 0xfff);
      if (contains(wanted, made)) found.insert(made);
    }
  }
}

/// The answers of all strings of one kind; no value: of a string that begins as one of them and is
/// not understood.
using Answers = std::set<std::optional<bool>>;

bool is_certain(const Answers& answers) {
  return answers.size() == 1 && answers.begin()->has_value();
}

/// How mm/page_owner.c: print_page_owner() prints, by the format strings that were seen.
class SeenFormats {
 public:
  explicit SeenFormats(PageFields missing) : missing_(missing) {}
  void add(std::string_view format) {
    if (format.starts_with("PFN %lu type ")) is_pfn_decimal_.insert(true);
    if (format.starts_with("PFN 0x%lx type ")) is_pfn_decimal_.insert(false);
    if (format.starts_with("Page allocated via order ")) shows_free_ts_.insert(free_ts_in(format));
    if (format.starts_with("Charged ")) shows_charges_.insert(charges_in(format));
  }
  [[nodiscard]] bool has_all() const {
    return !is_pfn_decimal_.empty() && !shows_free_ts_.empty() && !shows_charges_.empty();
  }
  [[nodiscard]] bool has_some() const {
    return !is_pfn_decimal_.empty() || !shows_free_ts_.empty();
  }
  [[nodiscard]] std::optional<TextLayout> layout() const {
    if (!is_certain(is_pfn_decimal_) || !is_certain(shows_free_ts_)) return std::nullopt;
    const bool omits_charges = shows_charges_.empty();
    if (!omits_charges && !is_certain(shows_charges_)) return std::nullopt;
    return TextLayout{is_pfn_decimal_.begin()->value(), shows_free_ts_.begin()->value(),
                      omits_charges};
  }

 private:
  /// No value if any of it is not as it has been so far.
  [[nodiscard]] std::optional<bool> free_ts_in(std::string_view format) const {
    constexpr std::string_view kHead = "Page allocated via order %u, mask %#x(%pGg), pid %d";
    constexpr std::pair<PageField, std::string_view> kTask[] = {{PageField::kTgid, ", tgid %d"},
                                                                {PageField::kComm, " (%s)"}};
    if (!format.starts_with(kHead)) return std::nullopt;
    format.remove_prefix(kHead.size());
    for (const auto& [field, text] : kTask) {
      if (format.starts_with(text))
        format.remove_prefix(text.size());
      else if (!has_field(missing_, field))
        return std::nullopt;
    }
    if (format == ", ts %llu ns, free_ts %llu ns\n") return true;
    if (format == ", ts %llu ns\n") return false;
    return std::nullopt;
  }

  /// print_page_owner_memcg(), since v5.18.
  static std::optional<bool> charges_in(std::string_view format) {
    if (format == "Charged %sto %smemcg %s\n") return true;
    return std::nullopt;
  }

  PageFields missing_;
  Answers is_pfn_decimal_;
  Answers shows_free_ts_;
  Answers shows_charges_;  // empty: there are no lines about cgroups
};

tl::unexpected<Error> not_known(std::string why) {
  return fail(ErrorKind::kUnsupported, std::move(why));
}

/// Reads code, and the strings to which it refers.
class StringSearch {
 public:
  StringSearch(const CodeMemory& memory, CodeArch arch, const AddressRange& strings,
               PageFields missing)
      : memory_(memory), arch_(arch), strings_(strings), seen_(missing) {}

  /// Reads as much of it as it takes to see all strings; false if there is more of it than was
  /// read.
  bool look_at(const AddressRange& function) {
    const std::size_t size = std::min<std::uint64_t>(function.end - function.begin, kCodeBytesMax);
    std::vector<std::byte> code;
    while (code.size() < size && !seen_.has_all()) {
      const auto more = memory_.read(function.begin + code.size(),
                                     std::min<std::size_t>(size - code.size(), kCodeBytes));
      if (!more) return false;
      // all of it again, as an address may be made by instructions on both sides of the border
      code.insert(code.end(), more->begin(), more->end());
      for (const std::uint64_t address : addresses_in_code(arch_, code, function.begin, strings_))
        if (looked_at_.insert(address).second) look_at_string(address);
    }
    return size == function.end - function.begin;
  }

  [[nodiscard]] const SeenFormats& seen() const { return seen_; }

 private:
  void look_at_string(std::uint64_t address) {
    const auto bytes =
        memory_.read(address, std::min<std::uint64_t>(kFormatBytes, strings_.end - address));
    if (!bytes) return;
    const auto end = std::ranges::find(*bytes, std::byte{0});
    if (end == bytes->end()) return;
    seen_.add({reinterpret_cast<const char*>(bytes->data()),
               static_cast<std::size_t>(end - bytes->begin())});
  }

  const CodeMemory& memory_;
  CodeArch arch_;
  AddressRange strings_;
  SeenFormats seen_;
  std::set<std::uint64_t> looked_at_;
};

}  // namespace

std::vector<std::uint64_t> addresses_in_code(CodeArch arch, std::span<const std::byte> code,
                                             std::uint64_t address, const AddressRange& wanted) {
  std::set<std::uint64_t> found;
  const auto add = arch == CodeArch::kArm64 ? add_arm64 : add_x86_64;
  add(code, address, wanted, found);
  return {found.begin(), found.end()};
}

bool is_text_function(std::string_view name) {
  return name == "read_page_owner" || name == "print_page_owner" ||
         name == "print_page_owner_memcg";
}

Result<TextLayout> find_text_layout(const CodeMemory& memory, PageFields missing, CodeArch arch) {
  const AddressRange strings{memory.symbol("__start_rodata").value_or(0),
                             memory.symbol("__end_rodata").value_or(0)};
  if (strings.begin == 0 || strings.end <= strings.begin)
    return not_known("the symbol table does not say where the kernel's strings are");
  StringSearch search(memory, arch, strings, missing);
  // mostly one is inlined into the other, and has no suffix; where they end is not known
  for (const char* function : {"print_page_owner", "read_page_owner"})
    if (const auto address = memory.symbol(function))
      search.look_at({*address, *address + kCodeBytes});
  if (!search.seen().has_all()) {
    const auto functions = memory.functions();
    if (!functions) return not_known(functions.error().what);
    bool is_whole = !functions->empty();
    for (const AddressRange& function : *functions) is_whole = search.look_at(function) && is_whole;
    // a line that was not seen may be printed by what was not read
    if (!is_whole && !search.seen().has_all())
      return not_known("the code of read_page_owner() cannot be read");
  }
  if (const auto layout = search.seen().layout()) return *layout;
  return not_known(search.seen().has_some()
                       ? "the format strings of page_owner are not understood"
                       : "no format string was found in the code of page_owner");
}

}  // namespace pobpf
