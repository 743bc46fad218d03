// SPDX-License-Identifier: GPL-2.0-only
// Two snapshots page by page: what came, went and stayed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reader/session.h"
#include "snapshot/snapshot_session.h"
#include "util/error.h"

namespace pobpf {

/// Pages of allocations that are in both: same PFN, order and time of allocation. Their groups are
/// those of each moment, as an allocation may come to another one: its cgroup is removed, it is
/// used for something else.
struct StayedPages {
  std::uint32_t group_before = 0;  ///< in PairSums::before.groups; kOtherGroup: before.other
  std::uint32_t group_after = 0;
  std::uint64_t pages = 0;
};

struct PairSums {
  GroupSums before;
  GroupSums after;
  /// One for each pair of groups. No value where it cannot be told what stayed.
  std::optional<std::vector<StayedPages>> stayed;
  std::string why_not_stayed;  ///< where it has none
};

/// Reads both once, side by side, in the memory of a block each. The filter of `view` applies to
/// both. An allocation that migrated has another PFN: it is gone, and another one is born.
[[nodiscard]] Result<PairSums> sum_pair(SnapshotSession& before, SnapshotSession& after,
                                        const ReaderView& view, const SumRequest& request,
                                        const ProgressCallback& on_progress);

}  // namespace pobpf
