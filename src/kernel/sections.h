// SPDX-License-Identifier: GPL-2.0-only
// The list of memory sections, read from mem_section.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel/btf.h"
#include "kernel/kernel_memory.h"
#include "model/pfn_range.h"
#include "pobpf/abi.h"
#include "pobpf/error.h"

namespace pobpf {

/// A section with a memory map (valid_section()); it may be offline.
struct Section {
  std::uint64_t section_nr = 0;
  std::uint64_t usage = 0;  ///< address of its struct mem_section_usage
  bool is_early = false;    ///< present since boot
};

/// All sections up to max_pfn, ascending. Memory that is added later is not seen.
[[nodiscard]] Result<std::vector<Section>> read_sections(const KernelBtf& btf, KernelMemory& memory,
                                                         const pobpf_layout& layout);

[[nodiscard]] std::vector<PfnRange> present_ranges(const std::vector<Section>& sections,
                                                   unsigned pfn_section_shift);

}  // namespace pobpf
