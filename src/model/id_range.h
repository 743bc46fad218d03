// SPDX-License-Identifier: GPL-2.0-only
// Lists of numbers as users write them: 1,5-10
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// Both ends are included.
struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

/// `N`, `N-M` and `N-` (to `max`), separated by commas, decimal or 0x. kUsage for anything else, an
/// empty list and numbers over `max` included.
[[nodiscard]] Result<std::vector<IdRange>> parse_id_ranges(std::string_view text,
                                                           std::uint32_t max);

/// How many numbers the ranges name, those that are named twice counted twice.
[[nodiscard]] std::uint64_t count_ids(const std::vector<IdRange>& ranges);

}  // namespace pobpf
