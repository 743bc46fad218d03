// SPDX-License-Identifier: GPL-2.0-only
// Which rows are shown, and in which order.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sum/rows.h"
#include "util/error.h"

namespace pobpf {

enum class SortKey { kPages, kAllocations, kAge, kGrowth, kFields };

[[nodiscard]] const char* sort_key_name(SortKey key);
[[nodiscard]] std::vector<std::string> sort_key_names();
/// kUsage, with the names that there are.
[[nodiscard]] Result<SortKey> parse_sort_key(std::string_view text);

/// Largest first, the oldest first with kAge, by labels and frames in their order with kFields;
/// ties by pages, then by key, so that equal input gives equal output. Rows beyond `limit` become
/// one row kRest at the end, those of ignored and other groups stand behind all groups.
void rank(std::vector<Row>& rows, SortKey key, std::optional<std::size_t> limit);

/// Sum of all rows.
[[nodiscard]] Row total_of(const std::vector<Row>& rows);

}  // namespace pobpf
