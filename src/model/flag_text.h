// SPDX-License-Identifier: GPL-2.0-only
// %pGg and %pGp of lib/vsprintf.c over the running kernel's own name tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pobpf/kernel_facts.h"

namespace pobpf {

/// Appends what format_flags() of lib/vsprintf.c prints for `flags` (empty for 0): names in table
/// order joined by '|', an unnamed rest as 0x... .
void append_flag_names(std::string& out, std::uint64_t flags, const std::vector<FlagName>& names);

/// Appends those flags of a page->flags word that have names.
void append_page_flag_names(std::string& out, std::uint64_t flags, const KernelFacts& facts);

/// Appends %pGp: "0x<word>(<names>|section=..|node=..|zone=..)".
void append_page_flags(std::string& out, std::uint64_t flags, const KernelFacts& facts);

/// Whether %pGp prints this field as 0x... (pff[].print_fmt).
[[nodiscard]] bool is_hex_page_flag_field(const PageFlagField& field);

/// gfp_migratetype(): enum migratetype that an allocation with these flags asks for.
[[nodiscard]] unsigned gfp_migratetype(std::uint32_t gfp_mask, const KernelFacts& facts);

/// Value of a field of page->flags ("node", "zone", ...); 0 where the kernel keeps none.
[[nodiscard]] std::uint64_t page_flag_field(std::uint64_t flags, const char* name,
                                            const KernelFacts& facts);

}  // namespace pobpf
