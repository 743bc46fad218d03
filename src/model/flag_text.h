// SPDX-License-Identifier: GPL-2.0-only
// %pGg and %pGp of lib/vsprintf.c over the running kernel's own name tables.
#pragma once

#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/kernel_facts.h"
#include "model/page_fields.h"

namespace pobpf {

/// Appends what format_flags() of lib/vsprintf.c prints for `flags` (empty for 0): names in table
/// order joined by '|', an unnamed rest as 0x... .
void append_flag_names(std::string& out, std::uint64_t flags, const std::vector<FlagName>& names);

/// Whether the names of the mask are known; an import may have the number alone.
[[nodiscard]] bool has_gfp_names(std::uint32_t gfp_mask, const KernelFacts& facts);

/// %pGg: names of the mask as the kernel of the facts prints them; nothing where an import has
/// none.
void append_gfp_names(std::string& out, std::uint32_t gfp_mask, const KernelFacts& facts);

/// Appends "0x<mask>(<names>)"; no parentheses where an import has no names.
void append_gfp_mask(std::string& out, std::uint32_t gfp_mask, const KernelFacts& facts);

/// Appends those flags of a page->flags word that have names.
void append_page_flag_names(std::string& out, std::uint64_t flags, const KernelFacts& facts);

/// Appends %pGp: "0x<word>(<names>|section=..|node=..|zone=..)"; of an import, what stood there.
void append_page_flags(std::string& out, std::uint64_t flags, const KernelFacts& facts);

/// Whether a page->flags word has the flag that the kernel prints by this name; false where the
/// kernel has no such flag.
[[nodiscard]] bool has_page_flag(std::uint64_t flags, std::string_view name,
                                 const KernelFacts& facts);

/// Whether the names behind `flags` are known of a record with these fields. Where it has
/// PageField::kFlagNames, `flags` is a number that only stands for them.
[[nodiscard]] bool has_page_flag_names(std::uint64_t flags, PageFields fields,
                                       const KernelFacts& facts);

/// Appends as append_page_flags(), or without the number, what a record with these fields has of
/// its flags; nothing if it has none.
void append_recorded_page_flags(std::string& out, std::uint64_t flags, PageFields fields,
                                const KernelFacts& facts);

/// The parts of what %pGp prints between its parentheses.
struct PageFlagParts {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::uint64_t>> fields;  ///< "node", "zone", ... in this order
};
[[nodiscard]] PageFlagParts page_flag_parts(std::uint64_t flags, const KernelFacts& facts);

/// The name at `index` of one of the kernel's tables; none where it is not a name of the table.
[[nodiscard]] std::optional<std::string_view> name_at(const std::vector<std::string>& names,
                                                      std::int64_t index);

/// "a|b|c" in its parts; none of an empty text.
[[nodiscard]] std::vector<std::string_view> split_flag_names(std::string_view names);

/// Index of no name.
constexpr unsigned kUnknownMigratetype = UINT_MAX;

/// gfp_migratetype(): enum migratetype that an allocation with these flags asks for;
/// kUnknownMigratetype where an import does not say.
[[nodiscard]] unsigned gfp_migratetype(std::uint32_t gfp_mask, const KernelFacts& facts);

/// Value of a field of page->flags ("node", "zone", ...); 0 where the kernel keeps none, or an
/// import does not say.
[[nodiscard]] std::uint64_t page_flag_field(std::uint64_t flags, const char* name,
                                            const KernelFacts& facts);

}  // namespace pobpf
