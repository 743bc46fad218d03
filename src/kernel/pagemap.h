// SPDX-License-Identifier: GPL-2.0-only
// From an address in a process to the page behind it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "util/error.h"

namespace pobpf {

/// PFN of the page at `address` of process `pid`, as /proc/PID/pagemap has it. `proc` is /proc, or
/// a made-up one in tests. kUsage if there is no such process or no page at that address, with the
/// reason (nothing mapped, not touched yet, swapped out); kUnsupported if the kernel hides PFNs.
[[nodiscard]] Result<std::uint64_t> pfn_of_address(const std::filesystem::path& proc,
                                                   std::uint64_t pid, std::uint64_t address);

}  // namespace pobpf
