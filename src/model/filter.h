// SPDX-License-Identifier: GPL-2.0-only
// What one reader wants to see: the user's filters and print mode, before they become pobpf_params.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/id_range.h"
#include "model/nodelist.h"
#include "model/page_limits.h"
#include "model/pfn_range.h"
#include "pobpf/abi.h"

namespace pobpf {

/// Values that must match, and values that must not. Both empty: no filter.
template <typename T>
struct Choice {
  std::vector<T> wanted;
  std::vector<T> rejected;
  [[nodiscard]] bool is_empty() const { return wanted.empty() && rejected.empty(); }
};

/// Names of bits, or numbers "0x..."; all three conditions must hold, an empty one always does.
struct BitNames {
  std::vector<std::string> all;
  std::vector<std::string> any;
  std::vector<std::string> none;
  [[nodiscard]] bool is_empty() const { return all.empty() && any.empty() && none.empty(); }
};

/// A point in local_clock(), ns.
struct ClockTime {
  bool is_ago = false;  ///< before the moment that the reader is made; else since boot
  std::uint64_t ns = 0;
};

struct AgeRange {
  std::uint64_t min_ns = 0;
  std::uint64_t max_ns = UINT64_MAX;
};

/// Filters as far as they can be understood without asking a kernel; all must match.
struct FilterSpec {
  std::optional<NodeSet> nodes;  ///< no value: all nodes
  Choice<std::string> zones;
  Choice<IdRange> pids;
  Choice<IdRange> tgids;
  Choice<IdRange> handles;
  Choice<IdRange> orders;
  Choice<std::string> comms;  ///< glob patterns
  std::optional<AgeRange> age;
  std::optional<ClockTime> since;
  std::optional<ClockTime> until;
  BitNames gfp;
  BitNames flags;
  Choice<std::string> migratetypes;
  Choice<std::string> block_migratetypes;
  std::optional<bool> is_mixed;
  Choice<std::string> symbols;  ///< glob patterns
  Choice<std::string> modules;  ///< glob patterns
  Choice<std::string> memcgs;   ///< paths
  Choice<PfnRange> pfns;
  std::optional<bool> is_dead;

  /// Filters that are asked for, bits of enum pobpf_filter. PFNs are none: what is not wanted is
  /// not walked.
  [[nodiscard]] std::uint32_t active() const {
    const std::pair<pobpf_filter, bool> filters[] = {
        {POBPF_FILTER_NID, nodes.has_value()},
        {POBPF_FILTER_ZONE, !zones.is_empty()},
        {POBPF_FILTER_FLAGS, !flags.is_empty()},
        {POBPF_FILTER_ORDER, !orders.is_empty()},
        {POBPF_FILTER_BLOCK_MIGRATETYPE, !block_migratetypes.is_empty()},
        {POBPF_FILTER_HANDLE, !handles.is_empty()},
        {POBPF_FILTER_TIME, age || since || until},
        {POBPF_FILTER_GFP, !gfp.is_empty()},
        {POBPF_FILTER_MIGRATETYPE, !migratetypes.is_empty()},
        {POBPF_FILTER_MIXED, is_mixed.has_value()},
        {POBPF_FILTER_TGID, !tgids.is_empty()},
        {POBPF_FILTER_PID, !pids.is_empty()},
        {POBPF_FILTER_COMM, !comms.is_empty()},
        {POBPF_FILTER_DEAD, is_dead.has_value()},
        {POBPF_FILTER_MEMCG, !memcgs.is_empty()},
        {POBPF_FILTER_STACK, !symbols.is_empty() || !modules.is_empty()}};
    std::uint32_t active = 0;
    for (const auto& [filter, is_active] : filters)
      if (is_active) active |= 1U << filter;
    return active;
  }
};

struct ReaderView {
  FilterSpec filter;
  pobpf_mode mode = POBPF_MODE_STACK;
};

}  // namespace pobpf
