// SPDX-License-Identifier: GPL-2.0-only
// The step of a clock, told from its times: many clocks count slower than once a nanosecond (an AMD
// CPU's each 10 ns or so, an arm64 timer's each 40), and a time holds less than its digits then.
#pragma once

#include <cstdint>
#include <span>

namespace pobpf {

/// The step of which most differences between neighbouring times are multiples, as exactly as they
/// tell, in 2^-kStepFractionBits ns (clock_phase.h); 0: none is seen. `changes` are the differences
/// of the differences. A guess: whether it is of use shows when it is used.
std::uint64_t find_clock_step(std::span<const std::int64_t> differences,
                              std::span<const std::int64_t> changes);

}  // namespace pobpf
