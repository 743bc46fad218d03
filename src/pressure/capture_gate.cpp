// SPDX-License-Identifier: GPL-2.0-only
#include "pressure/capture_gate.h"

#include <algorithm>

namespace pobpf {

bool CaptureGate::is_open(Shortage shortage, Clock::time_point now) const {
  const auto& last = shortage == Shortage::kLowMemory ? last_low_ : last_;
  return !last || now - *last >= interval_;
}

void CaptureGate::close(Shortage shortage, Clock::time_point now) {
  last_ = now;
  if (shortage == Shortage::kLowMemory) last_low_ = now;
}

std::chrono::milliseconds time_to_look(const MemoryState& state, std::uint64_t low_bytes,
                                       std::chrono::milliseconds longest) {
  // as fast as a machine clears pages, which every page that is given out needs
  constexpr std::uint64_t kBytesAMillisecond = 6'000'000;
  constexpr std::chrono::milliseconds kShortest{100};
  const std::uint64_t headroom = state.left() > low_bytes ? state.left() - low_bytes : 0;
  const auto time = std::chrono::milliseconds(headroom / kBytesAMillisecond);
  return std::clamp(time, std::min(kShortest, longest), longest);
}

}  // namespace pobpf
