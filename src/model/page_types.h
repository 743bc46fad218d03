// SPDX-License-Identifier: GPL-2.0-only
// Types of pages, as include/linux/page-flags.h keeps them in the word of _mapcount.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/kernel_facts.h"
#include "pobpf/blockers.h"
#include "pobpf/facts.h"

namespace pobpf {

/// How this kernel keeps the type of a page in the word that otherwise is _mapcount.
struct PageTypes {
  enum class Encoding {
    kTopByte,      ///< v6.12: the top byte is the type
    kClearedBits,  ///< before: a type's bit is 0 while those of `base` are 1
  };
  Encoding encoding = Encoding::kClearedBits;
  std::uint32_t base = 0xf0000000;  ///< kClearedBits
  /// Value (kTopByte) or bit (kClearedBits), and name as in the kernel's enumerators: "buddy".
  std::vector<std::pair<std::uint32_t, std::string>> names;

  /// Whether the word is a type rather than a count of mappings.
  [[nodiscard]] bool has_type(std::uint32_t word) const;
  /// Empty if the word is not a type; "unknown" for one that the kernel's table lacks.
  [[nodiscard]] std::string_view name(std::uint32_t word) const;
  /// How to tell a word of the type with this name, "buddy".
  [[nodiscard]] pobpf_type_test test_for(std::string_view type) const;
};

/// Made from the enumerators of enum pagetype (BTF; "PGTY_buddy" or "PG_buddy"); empty before
/// v6.10.
[[nodiscard]] PageTypes make_page_types(
    const std::vector<std::pair<std::string, std::uint64_t>>& enumerators);

/// BPF needs this to sum up by what pages are used for.
[[nodiscard]] pobpf_kind_facts make_kind_facts(const PageTypes& types, const KernelFacts& facts);

}  // namespace pobpf
