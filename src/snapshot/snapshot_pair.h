// SPDX-License-Identifier: GPL-2.0-only
// Two snapshots page by page: what came, went and stayed.
#pragma once

#include <optional>
#include <string>

#include "pobpf/error.h"
#include "pobpf/reader.h"
#include "snapshot/snapshot_session.h"

namespace pobpf {

struct PairSums {
  GroupSums before;
  GroupSums after;
  /// Of the pages of `after` that are the same allocations in both: same PFN, order and time of
  /// allocation. No value where that cannot be told.
  std::optional<GroupSums> stayed;
  std::string why_not_stayed;  ///< where it has none
};

/// Reads both once, side by side, in the memory of a block each. The filter of `view` applies to
/// both. An allocation that migrated has another PFN: it is gone, and another one is born.
[[nodiscard]] Result<PairSums> sum_pair(SnapshotSession& before, SnapshotSession& after,
                                        const ReaderView& view, const SumRequest& request,
                                        const ProgressCallback& on_progress);

}  // namespace pobpf
