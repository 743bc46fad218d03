// SPDX-License-Identifier: GPL-2.0-only
// Sums of times, to tell a mean age from.
#pragma once

#include <cstdint>

#include "pobpf/sums.h"

namespace pobpf {

inline void add_time(pobpf_time_sum& sum, std::uint64_t ts_nsec) {
  sum.high += ts_nsec >> POBPF_TIME_LOW_BITS;
  sum.low += ts_nsec & ((std::uint64_t{1} << POBPF_TIME_LOW_BITS) - 1);
}

inline void add_times(pobpf_time_sum& sum, const pobpf_time_sum& other) {
  sum.high += other.high;
  sum.low += other.low;
}

/// The mean of `nr` times, which are not 0; ns.
[[nodiscard]] inline std::uint64_t mean_time(const pobpf_time_sum& sum, std::uint64_t nr) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(((Wide{sum.high} << POBPF_TIME_LOW_BITS) + sum.low) / nr);
}

}  // namespace pobpf
