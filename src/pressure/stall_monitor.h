// SPDX-License-Identifier: GPL-2.0-only
// A pressure file of the kernel (/proc/pressure/memory, memory.pressure of a cgroup), watched for a
// limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string_view>

#include "pressure/stall_limit.h"
#include "util/error.h"
#include "util/fd.h"

namespace pobpf {

/// Stalls of the whole machine.
inline constexpr const char* kPressureFile = "/proc/pressure/memory";

/// Time that tasks were stalled for since boot.
struct StallTotals {
  std::chrono::microseconds some{0};
  std::chrono::microseconds full{0};
};

/// From the text of a pressure file: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0".
[[nodiscard]] Result<StallTotals> parse_pressure(std::string_view text);

class StallMonitor {
 public:
  using Clock = std::chrono::steady_clock;

  /// Asks the kernel to wake us; where it does not let us (before 6.5 that takes CAP_SYS_RESOURCE,
  /// later a window of whole 2 s will do), check() has to be called often enough. kUnsupported if
  /// there is no such file.
  [[nodiscard]] static Result<StallMonitor> open(const std::filesystem::path& path,
                                                 const StallLimit& limit);

  /// To poll(2) for POLLPRI; -1: the kernel does not wake us.
  [[nodiscard]] int trigger_fd() const { return trigger_.get(); }

  /// Whether tasks were stalled for too long in the window that ends now, by our own reading. Where
  /// the kernel wakes us it has judged better already.
  [[nodiscard]] Result<bool> check(Clock::time_point now);

 private:
  struct Sample {
    Clock::time_point when;
    std::chrono::microseconds stalled;
  };
  StallMonitor(std::filesystem::path path, const StallLimit& limit, Fd trigger)
      : path_(std::move(path)), limit_(limit), trigger_(std::move(trigger)) {}

  std::filesystem::path path_;
  StallLimit limit_;
  Fd trigger_;
  std::deque<Sample> samples_;  ///< of the last window, and one before it
};

}  // namespace pobpf
