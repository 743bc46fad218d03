// SPDX-License-Identifier: GPL-2.0-only
// Blocks of memory as the kernel takes them on and off line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/id_range.h"
#include "model/pfn_range.h"
#include "util/error.h"

namespace pobpf {

struct MemoryBlocks {
  std::uint64_t block_pages = 0;  ///< of each
  std::vector<PfnRange> pfns;     ///< of those that were asked for
};

/// The blocks with these numbers; `directory` is /sys/devices/system/memory. kUsage for one that
/// there is not, kUnsupported where the kernel has no blocks of memory.
[[nodiscard]] Result<MemoryBlocks> find_memory_blocks(const std::filesystem::path& directory,
                                                      const std::vector<IdRange>& wanted,
                                                      std::uint64_t page_bytes);

}  // namespace pobpf
