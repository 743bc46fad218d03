// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>

#include "pobpf/blockers.h"

namespace pobpf {

/// The pages of a window that stand in the way, and its state.
struct WindowBlockers {
  pobpf_window_state state;
  std::span<const pobpf_blocker> blockers;
  /// As many blocks, one behind the other, are like this; it is more than one only where there are
  /// no blockers.
  std::uint64_t nr_blocks = 1;
};

}  // namespace pobpf
