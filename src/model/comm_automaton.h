// SPDX-License-Identifier: GPL-2.0-only
// The patterns of --comm as the automaton that BPF runs (struct pobpf_comm_table).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "pobpf/parameters.h"
#include "util/error.h"

namespace pobpf {

struct CommAutomaton {
  std::array<pobpf_comm_states, POBPF_COMM_WORDS> states{};
  pobpf_comm_table table{};

  /// Says of this task name what bpf/filter.bpf.h: comm_passes() does, by the same table.
  [[nodiscard]] bool passes(std::string_view comm) const;

  /// False if no task name passes. True also where it would take long to be sure.
  [[nodiscard]] bool may_pass() const;
};

/// kUsage if a pattern can match no task name, or if all of them have too many characters.
[[nodiscard]] Result<CommAutomaton> compile_comm_patterns(const std::vector<std::string>& wanted,
                                                          const std::vector<std::string>& rejected);

}  // namespace pobpf
