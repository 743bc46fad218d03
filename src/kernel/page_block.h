// SPDX-License-Identifier: GPL-2.0-only
// pageblock_order, which is a macro on most kernels.
#pragma once

#include <string>
#include <vector>

#include "kernel/sections.h"

namespace pobpf {

struct PageblockOrder {
  unsigned order = 0;
  std::string source;
};

/// From the variable of that name; else from the distance between the pageblock bitmaps of
/// neighbouring sections; else from /proc/pagetypeinfo, which needs root.
[[nodiscard]] Result<PageblockOrder> find_pageblock_order(const KernelBtf& btf,
                                                          KernelMemory& memory,
                                                          const pobpf_layout& layout,
                                                          const SectionMap& sections);

/// The order whose bitmap makes `bytes` between two sections' struct mem_section_usage
/// (mm/sparse.c: mem_section_usage_size()); 0 if none or more than one does.
[[nodiscard]] unsigned pageblock_order_from_usage_bytes(std::uint64_t bytes,
                                                        std::uint64_t struct_bytes,
                                                        const pobpf_layout& layout);

}  // namespace pobpf
