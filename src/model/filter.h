// SPDX-License-Identifier: GPL-2.0-only
// The view of one reader: the user's filters and print mode, before they become pobpf_params.
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
#include "pobpf/parameters.h"

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
#define POBPF_NAMES(ID, name, fields, names) Choice<std::string> name##s;
#define POBPF_IDS(ID, name, fields) Choice<IdRange> name##s;
#define POBPF_YES_NO(ID, name, fields) std::optional<bool> is_##name;
  POBPF_FILTER_LIST(POBPF_NAMES, POBPF_IDS, POBPF_YES_NO, POBPF_NO_FILTER)
#undef POBPF_NAMES
#undef POBPF_IDS
#undef POBPF_YES_NO
  std::optional<NodeSet> nodes;  ///< no value: all nodes
  Choice<IdRange> orders;
  Choice<std::string> comms;  ///< glob patterns
  std::optional<AgeRange> age;
  std::optional<ClockTime> since;
  std::optional<ClockTime> until;
  BitNames gfp;
  BitNames flags;
  Choice<std::string> symbols;  ///< glob patterns
  Choice<std::string> modules;  ///< glob patterns
  Choice<std::string> memcgs;   ///< paths, or ids as parse_cgroup_id() takes them
  Choice<PfnRange> pfns;

  /// Filters that are asked for, bits of enum pobpf_filter. PFNs are none: what is not wanted is
  /// not walked.
  [[nodiscard]] std::uint32_t active() const {
#define POBPF_CHOICE(ID, name, fields, ...) {POBPF_FILTER_##ID, !name##s.is_empty()},
#define POBPF_YES_NO(ID, name, fields) {POBPF_FILTER_##ID, is_##name.has_value()},
#define POBPF_OWN(ID, name, fields) {POBPF_FILTER_##ID, has_##name()},
    const std::pair<pobpf_filter, bool> filters[] = {
        POBPF_FILTER_LIST(POBPF_CHOICE, POBPF_CHOICE, POBPF_YES_NO, POBPF_OWN)};
#undef POBPF_CHOICE
#undef POBPF_YES_NO
#undef POBPF_OWN
    std::uint32_t active = 0;
    for (const auto& [filter, is_active] : filters)
      if (is_active) active |= 1U << filter;
    return active;
  }

 private:
  [[nodiscard]] bool has_nid() const { return nodes.has_value(); }
  [[nodiscard]] bool has_flags() const { return !flags.is_empty(); }
  [[nodiscard]] bool has_order() const { return !orders.is_empty(); }
  [[nodiscard]] bool has_time() const { return age || since || until; }
  [[nodiscard]] bool has_gfp() const { return !gfp.is_empty(); }
  [[nodiscard]] bool has_comm() const { return !comms.is_empty(); }
  [[nodiscard]] bool has_memcg() const { return !memcgs.is_empty(); }
  [[nodiscard]] bool has_stack() const { return !symbols.is_empty() || !modules.is_empty(); }
};

struct ReaderView {
  FilterSpec filter;
  pobpf_mode mode = POBPF_MODE_STACK;
};

}  // namespace pobpf
