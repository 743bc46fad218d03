// SPDX-License-Identifier: GPL-2.0-only
// When memory is short enough for a snapshot, and when the last one is too young for another.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "pressure/memory_state.h"

namespace pobpf {

/// The second is worse: what follows is the OOM killer.
enum class Shortage { kStalls, kLowMemory };

/// Lets one capture through in each interval, and one more if things get worse meanwhile.
class CaptureGate {
 public:
  using Clock = std::chrono::steady_clock;

  explicit CaptureGate(std::chrono::nanoseconds interval) : interval_(interval) {}

  [[nodiscard]] bool is_open(Shortage shortage, Clock::time_point now) const;
  /// Whatever became of the capture: one that failed would fail again.
  void close(Shortage shortage, Clock::time_point now);

 private:
  std::chrono::nanoseconds interval_;
  std::optional<Clock::time_point> last_;      ///< of any kind
  std::optional<Clock::time_point> last_low_;  ///< of kLowMemory
};

/// How long nobody has to look: memory that is left above the limit takes that long to fill at
/// least. From 100 ms to `longest`.
[[nodiscard]] std::chrono::milliseconds time_to_look(const MemoryState& state,
                                                     std::uint64_t low_bytes,
                                                     std::chrono::milliseconds longest);

}  // namespace pobpf
