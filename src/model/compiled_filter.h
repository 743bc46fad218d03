// SPDX-License-Identifier: GPL-2.0-only
// A filter as the BPF programs take it: what user space resolves beforehand is resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/comm_automaton.h"
#include "model/pfn_range.h"
#include "pobpf/parameters.h"

namespace pobpf {

struct CompiledFilter {
  pobpf_params params{};
  /// PFNs that are wanted, ascending and disjoint; no value: all.
  std::optional<std::vector<PfnRange>> pfns;
  /// Members of the reader's set; values are enum pobpf_set_bits.
  std::vector<std::pair<pobpf_set_key, std::uint32_t>> members;
  /// Ascending and disjoint.
  std::vector<pobpf_stack_range> stack_ranges;
  std::optional<CommAutomaton> comms;
};

}  // namespace pobpf
