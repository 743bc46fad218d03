// SPDX-License-Identifier: GPL-2.0-only
// Times of a clock that counts in steps of more than a nanosecond, from one to the next.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "snapshot/format.h"

namespace pobpf {

/// Bits of the part of a step that is less than a nanosecond: what is a second later must still
/// fit.
constexpr int kStepFractionBits = 32;
constexpr std::uint64_t kStepLimit = std::uint64_t{256} << kStepFractionBits;

/// Where the clock stands behind the whole nanoseconds of the last time.
class Phase {
 public:
  explicit Phase(std::uint64_t step) : step_(static_cast<std::int64_t>(step)) {}

  /// Whole nanoseconds that so many steps take from here, modulo 2^64.
  [[nodiscard]] std::int64_t ns_of(std::int64_t nr_steps) const {
    return static_cast<std::int64_t>((Wide{nr_steps} * step_ + fraction_) >> kStepFractionBits);
  }
  /// Goes on by as many steps, to a time that is `rest` ns later than they end.
  void move(std::int64_t nr_steps, std::int64_t rest) {
    fraction_ = static_cast<std::uint32_t>(Wide{nr_steps} * step_ + fraction_);
    if (rest != 0) fraction_ = rest > 0 ? 0 : UINT32_MAX;
  }

 private:
  __extension__ using Wide = __int128;

  std::int64_t step_;
  std::uint32_t fraction_ = 0;
};

/// Calls put(index, number of steps, rest) for each difference. Half of the step has to be less
/// than a rest can be, as of those of find_clock_step().
template <typename Put>
void divide_by(std::uint64_t step, std::span<const std::int64_t> differences, Put&& put) {
  const double ns = std::ldexp(static_cast<double>(step), -kStepFractionBits);
  Phase phase(step);
  const auto distance = [](std::int64_t a, std::int64_t b) {
    return difference(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b));
  };
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const std::int64_t wanted = differences[i];
    const double quotient = static_cast<double>(wanted) / ns;
    auto nr_steps = static_cast<std::int64_t>(quotient + (quotient < 0 ? -0.5 : 0.5));
    std::int64_t rest = distance(wanted, phase.ns_of(nr_steps));
    // a double is not exact where a time is measured from 0
    while (rest < INT8_MIN || rest > INT8_MAX) {
      nr_steps += static_cast<std::int64_t>(static_cast<double>(rest) / ns);
      rest = distance(wanted, phase.ns_of(nr_steps));
    }
    phase.move(nr_steps, rest);
    put(i, nr_steps, static_cast<std::int8_t>(rest));
  }
}

}  // namespace pobpf
