// SPDX-License-Identifier: GPL-2.0-only
// How much memory is left, as /proc/meminfo and /proc/zoneinfo say it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/nodelist.h"
#include "util/error.h"

namespace pobpf {

/// Bytes.
struct MemoryState {
  std::uint64_t total = 0;
  std::uint64_t available = 0;  ///< without swapping
  std::uint64_t swap_free = 0;
  /// The memory that can still be allocated before the kernel has to kill.
  [[nodiscard]] std::uint64_t left() const { return available + swap_free; }
};

/// Reads /proc/meminfo's text. kFailed if a line is missing.
[[nodiscard]] Result<MemoryState> parse_meminfo(std::string_view text);

/// A zone of a node; counts of pages. Zones without memory are not among them.
struct ZoneState {
  unsigned nid = 0;
  std::uint64_t free = 0;
  std::uint64_t high = 0;  ///< watermark up to which kswapd reclaims
  std::uint64_t spanned = 0;
  std::uint64_t present = 0;
  std::uint64_t start_pfn = 0;
};

/// Reads /proc/zoneinfo's text. kFailed if it is something else.
[[nodiscard]] Result<std::vector<ZoneState>> parse_zoneinfo(std::string_view text);

/// Nodes that are short of memory while others are not: less is free than the kernel wants to have
/// free. Empty if none is, or all are: then no node is the one concerned.
[[nodiscard]] NodeSet short_nodes(const std::vector<ZoneState>& zones);

/// Whether both are of the same memory: none came or went.
[[nodiscard]] bool is_same_memory(const std::vector<ZoneState>& one,
                                  const std::vector<ZoneState>& other);

}  // namespace pobpf
