// SPDX-License-Identifier: GPL-2.0-only
#include "model/page_types.h"

#include <algorithm>
#include <array>

namespace pobpf {

bool PageTypes::has_type(std::uint32_t word) const {
  if (encoding == Encoding::kTopByte) return word >> 24 >= 0xf0 && word >> 24 != 0xff;
  // PAGE_MAPCOUNT_RESERVE
  return static_cast<std::int32_t>(word) < -128 && (word & base) == base;
}

std::string_view PageTypes::name(std::uint32_t word) const {
  if (!has_type(word)) return {};
  for (const auto& [value, text] : names) {
    const bool is_it =
        encoding == Encoding::kTopByte ? word >> 24 == value : (word & (base | value)) == base;
    if (is_it) return text;
  }
  return "unknown";
}

pobpf_type_test PageTypes::test_for(std::string_view type) const {
  for (const auto& [value, text] : names) {
    if (text != type) continue;
    if (encoding == Encoding::kTopByte) return {.mask = 0xff000000, .value = value << 24};
    return {.mask = base | value, .value = base};
  }
  return {.mask = 0, .value = 1};
}

PageTypes make_page_types(const std::vector<std::pair<std::string, std::uint64_t>>& enumerators) {
  PageTypes types;
  // v6.12: PGTY_buddy. v6.10: PG_buddy. Before: macros.
  if (enumerators.empty()) {
    types.names = {{0x80, "buddy"}, {0x100, "offline"}, {0x200, "table"}, {0x400, "guard"}};
    return types;
  }
  for (const auto& [name, value] : enumerators) {
    constexpr std::string_view kTop = "PGTY_";
    constexpr std::string_view kBit = "PG_";
    if (name.starts_with(kTop)) {
      types.encoding = PageTypes::Encoding::kTopByte;
      types.names.emplace_back(static_cast<std::uint32_t>(value), name.substr(kTop.size()));
    } else if (name.starts_with(kBit)) {
      // v6.11 has fewer bits in the base, and a type in each of the others
      if (name == "PG_buddy" && value == 0x40000000) types.base = 0x80000000;
      types.names.emplace_back(static_cast<std::uint32_t>(value), name.substr(kBit.size()));
    }
  }
  return types;
}

pobpf_kind_facts make_kind_facts(const PageTypes& types, const KernelFacts& facts) {
  constexpr std::array<std::string_view, 3> kTelling = {"slab", "reserved", "swapbacked"};
  pobpf_kind_facts kind{};
  for (const FlagName& flag : facts.page_flag_names)
    if (std::find(kTelling.begin(), kTelling.end(), flag.name) != kTelling.end())
      kind.flags |= flag.mask;
  const bool is_top_byte = types.encoding == PageTypes::Encoding::kTopByte;
  kind.type_base = is_top_byte ? 0xf0000000 : types.base;
  kind.type_mask = is_top_byte ? 0xff000000 : 0xffffffff;
  const bool tells_hugetlb = std::any_of(types.names.begin(), types.names.end(),
                                         [](const auto& type) { return type.second == "hugetlb"; });
  // the smallest huge page is larger than a page
  kind.stack_order_min = tells_hugetlb ? UINT32_MAX : 1;
  return kind;
}

}  // namespace pobpf
