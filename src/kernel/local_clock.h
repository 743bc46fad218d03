// SPDX-License-Identifier: GPL-2.0-only
// The clock of page_owner's time stamps.
#pragma once

#include <cstdint>

#include "util/error.h"

namespace pobpf {

/// A time of local_clock(), the scheduler's clock, which also stamps kernel messages. No clock that
/// clock_gettime() offers is the same: they are disciplined by NTP or have another start.
struct LocalClock {
  std::uint64_t now_ns = 0;
  /// The clock was read at some moment of the call, which lasted that long.
  std::uint64_t uncertainty_ns = 0;
};

/// Reads local_clock() exactly, on the CPU that this thread runs on: perf stamps records with it.
/// Needs no privilege where kernel.perf_event_paranoid is at most 2, else CAP_PERFMON.
[[nodiscard]] Result<LocalClock> read_local_clock();

/// local_clock() for those who will not be allowed to read it again: it was read once, and goes on
/// as CLOCK_MONOTONIC does, from which it parts by the pace of NTP, 0.05 % at most.
class FollowedClock {
 public:
  [[nodiscard]] static Result<FollowedClock> start();
  [[nodiscard]] std::uint64_t now_ns() const;

 private:
  FollowedClock(std::uint64_t start_ns, std::uint64_t monotonic_start_ns)
      : start_ns_(start_ns), monotonic_start_ns_(monotonic_start_ns) {}
  std::uint64_t start_ns_;
  std::uint64_t monotonic_start_ns_;
};

}  // namespace pobpf
