// SPDX-License-Identifier: GPL-2.0-only
// PFN ranges to the elements of a reader's window map.
#pragma once

#include <cstdint>
#include <vector>

#include "model/pfn_range.h"
#include "pobpf/abi.h"

namespace pobpf {

/// Windows that cover exactly `ranges` (joined), ascending. None crosses a multiple of
/// min(POBPF_WINDOW_PAGES, pages of a pageblock), so each lies in one pageblock, one subsection and
/// one section. 16 bytes a window.
[[nodiscard]] std::vector<pobpf_window> make_windows(const std::vector<PfnRange>& ranges,
                                                     unsigned pageblock_order, std::uint32_t slot);

}  // namespace pobpf
