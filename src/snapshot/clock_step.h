// SPDX-License-Identifier: GPL-2.0-only
// The step of a clock, told from its times: many clocks count slower than once a nanosecond (an AMD
// CPU's each 10 ns or so, an arm64 timer's each 40), and a time holds less than its digits then.
#pragma once

#include <cstdint>
#include <span>

namespace pobpf {

/// Bits of the part of a step that is less than a nanosecond: what is a second later must still
/// fit.
constexpr int kStepFractionBits = 32;

/// The step of which most differences between neighbouring times are multiples, in
/// 2^-kStepFractionBits ns; 0: none is seen. `changes` are the differences of the differences. A
/// guess: whether it is of use shows when it is used.
std::uint64_t find_clock_step(std::span<const std::int64_t> differences,
                              std::span<const std::int64_t> changes);

}  // namespace pobpf
