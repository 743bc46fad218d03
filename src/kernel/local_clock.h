// SPDX-License-Identifier: GPL-2.0-only
// The clock of page_owner's timestamps.
#pragma once

#include <cstdint>

#include "pobpf/error.h"

namespace pobpf {

/// local_clock() in ns, as of this call. No system call returns it, and it runs at another speed
/// than CLOCK_MONOTONIC (NTP does not steer it); but perf stamps its events with it, so this sets
/// off an event of its own and takes its time.
[[nodiscard]] Result<std::uint64_t> local_clock_ns();

}  // namespace pobpf
