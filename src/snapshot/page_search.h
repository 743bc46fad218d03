// SPDX-License-Identifier: GPL-2.0-only
// Single pages of a snapshot.
#pragma once

#include <functional>
#include <vector>

#include "model/page_report.h"
#include "model/pfn_range.h"
#include "snapshot/snapshot_reader.h"
#include "util/error.h"

namespace pobpf {

/// Finds what the snapshot has of each of these pages, in their order: the first record whose first
/// page it is, else that of the smallest allocation that it lies in. Reads all that `reader` has
/// left; memory is that of the pages asked for. kFailed if a block does not say its PFNs, and
/// "interrupted" once `is_cancelled`, which is asked now and then.
[[nodiscard]] Result<std::vector<RecordedPage>> find_pages(
    SnapshotReader& reader, const std::vector<PfnRange>& pfns,
    const std::function<bool()>& is_cancelled);

}  // namespace pobpf
