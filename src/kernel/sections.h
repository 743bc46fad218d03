// SPDX-License-Identifier: GPL-2.0-only
// The list of memory sections, read from mem_section.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "kernel/btf.h"
#include "kernel/kernel_memory.h"
#include "model/pfn_range.h"
#include "pobpf/facts.h"
#include "util/error.h"

namespace pobpf {

/// Sections with a memory map (valid_section()), of which some may be offline. Half a million on
/// the largest machine, so they are not kept one by one.
struct SectionMap {
  std::vector<PfnRange> present;  ///< ascending, adjacent ones joined
  /// Bytes from the struct mem_section_usage of a section to that of the next one, where both are
  /// there since boot: the boot allocates those of a node together, so there are few.
  std::set<std::uint64_t> usage_distances;
};

/// All sections up to max_pfn. Memory that is added later is not seen.
[[nodiscard]] Result<SectionMap> read_sections(const KernelBtf& btf, KernelMemory& memory,
                                               const pobpf_layout& layout);

}  // namespace pobpf
