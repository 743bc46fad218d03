// SPDX-License-Identifier: GPL-2.0-only
// Groups at several moments: what grew, what shrank, what came and went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/column.h"
#include "sum/row_output.h"
#include "sum/rows.h"
#include "util/error.h"
#include "util/hash_map.h"

namespace pobpf {

/// A group at each moment. Rows that are not a group (RowKind) have one each.
struct ComparedRow {
  Row row;                           ///< its labels and frames, and its sums at the last moment
  std::vector<std::uint64_t> pages;  ///< at each moment, oldest first
  /// For two moments of one boot: pages that are in this row at both, of the same allocation.
  std::optional<std::uint64_t> stayed;
  /// Least squares over all moments, pages an hour; 0 where there are no times.
  double slope = 0;

  [[nodiscard]] std::int64_t change() const {
    return static_cast<std::int64_t>(pages.back() - pages.front());
  }
  /// Pages that came to the row since the first moment, and that left it; only with `stayed`.
  [[nodiscard]] std::uint64_t born() const { return pages.back() - stayed.value_or(0); }
  [[nodiscard]] std::uint64_t gone() const { return pages.front() - stayed.value_or(0); }
};

/// By Row::key.
using PagesByRow = HashMap<std::string, std::uint64_t>;

/// Joins rows by Row::key. `moments` are the rows of each, oldest first; `stayed`: how many pages
/// are in a row at two moments, of the same allocations, if that is known.
[[nodiscard]] std::vector<ComparedRow> compare_rows(std::vector<std::vector<Row>> moments,
                                                    const std::optional<PagesByRow>& stayed);

/// Sets ComparedRow::slope; `hours`: when each moment was.
void set_slopes(std::vector<ComparedRow>& rows, const std::vector<double>& hours);

/// Leaves groups that have more pages at the end than at the beginning and never fewer than at the
/// moment before, and says how many were left out.
std::uint64_t keep_growing(std::vector<ComparedRow>& rows);

enum class CompareKey {
  kChange,  ///< the largest change first, whether it grew or shrank
  kGrowth,
  kShrinkage,
  kSlope,
  kPages,  ///< at the last moment
};

/// "change", "growth", "shrinkage", "pages".
[[nodiscard]] std::vector<std::string> compare_key_names();
/// kUsage, with the names that there are.
[[nodiscard]] Result<CompareKey> parse_compare_key(std::string_view text);

/// As rank() of sum/ranking.h; the last row is the total.
void rank(std::vector<ComparedRow>& rows, CompareKey key, std::optional<std::size_t> limit);

/// The columns of numbers, as the documents have them.
[[nodiscard]] std::vector<Column> comparison_columns(bool is_series);

/// As append_table() and append_json_rows(). With `is_series` the pages at all moments and the
/// slope are shown, else old, new, and what came, went and stayed.
Status append_comparison(std::string& out, const std::vector<ComparedRow>& rows,
                         const Grouping& grouping, const RowStyle& style, bool is_series,
                         const RowSource& source = {});
void append_comparison_json(std::string& out, const std::vector<ComparedRow>& rows,
                            const Grouping& grouping, const RowStyle& style, bool is_series);

}  // namespace pobpf
