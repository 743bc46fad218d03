// SPDX-License-Identifier: GPL-2.0-only
// Page frame numbers, addresses and ranges as users write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/pfn_range.h"
#include "util/error.h"

namespace pobpf {

/// A whole number, decimal or with 0x. kUsage if it is none, or too large.
[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text);

/// `N`, `N-M` (both included) or `N+COUNT`. kUsage for anything else, an empty range included.
[[nodiscard]] Result<PfnRange> parse_pfn_range(std::string_view text);

}  // namespace pobpf
