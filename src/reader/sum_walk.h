// SPDX-License-Identifier: GPL-2.0-only
// One pass of count_pages over all windows of a view, by one thread or several.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel/machine_facts.h"
#include "model/account.h"
#include "model/pfn_range.h"
#include "reader/session.h"
#include "util/error.h"

struct bpf_program;

namespace pobpf {

/// Windows of a slot, made as WindowSource makes them.
struct WindowRanges {
  std::vector<PfnRange> ranges;  ///< joined
  unsigned pageblock_order;
  std::uint32_t slot;
};

/// Reads all windows to their end; the account of all of them. kFailed "interrupted" if
/// `on_progress`, which is called from this thread only, returns false.
[[nodiscard]] Result<Account> walk_sums(const bpf_program* program, const WindowRanges& windows,
                                        const std::vector<NodeSpan>& nodes, unsigned nr_threads,
                                        bool with_read_times, const ProgressCallback& on_progress);

}  // namespace pobpf
