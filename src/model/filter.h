// SPDX-License-Identifier: GPL-2.0-only
// What one reader wants to see: the user's filters and print mode, before they become pobpf_params.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/id_range.h"
#include "model/nodelist.h"
#include "model/pfn_range.h"
#include "pobpf/abi.h"

namespace pobpf {

/// More than any kernel's orders; a gigantic page's among them.
constexpr std::uint32_t kOrderMax = 30;

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

  /// Something else than nodes and PFNs is filtered, for which the larger programs are needed.
  [[nodiscard]] bool needs_filter_object() const {
    return !zones.is_empty() || !pids.is_empty() || !tgids.is_empty() || !handles.is_empty() ||
           !orders.is_empty() || !comms.is_empty() || age || since || until || !gfp.is_empty() ||
           !flags.is_empty() || !migratetypes.is_empty() || !block_migratetypes.is_empty() ||
           is_mixed || !symbols.is_empty() || !modules.is_empty() || !memcgs.is_empty() || is_dead;
  }
};

struct ReaderView {
  FilterSpec filter;
  pobpf_mode mode = POBPF_MODE_STACK;
};

}  // namespace pobpf
