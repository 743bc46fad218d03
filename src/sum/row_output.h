// SPDX-License-Identifier: GPL-2.0-only
// Rows of pobpf top as a table, as JSON lines and as CSV (RFC 4180). docs/top.md is the contract.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/column.h"
#include "sum/rows.h"
#include "util/error.h"

namespace pobpf {

/// Says what the numbers of rows mean, and which of them are shown.
struct RowStyle {
  std::uint64_t page_bytes = 4096;
  std::uint64_t total_pages = 0;  ///< what shares are shares of
  std::uint64_t now_ns = 0;       ///< local_clock(), for ages
  bool is_exact = false;          ///< table: bytes instead of K, M, G
  bool is_full = false;           ///< table: Label::text, where others have Label::short_text
  bool with_age = false;
  bool with_growth = false;          ///< change and growth
  std::optional<std::size_t> width;  ///< table: columns of the terminal; lines are cut to it
  std::optional<double> time;        ///< records: seconds since the epoch, if there are intervals
  bool is_terminal = false;          ///< CSV: names are escaped, as they always are elsewhere
};

/// How the rows of a table are shown of which all frames together take too much memory.
struct RowSource {
  /// The frames of a row; empty: those that it has.
  std::function<std::vector<std::string>(const Row&)> frames;
  /// Called behind each row, to write what was appended; an error ends the table. May be empty.
  std::function<Status()> flush;
};

/// The columns of numbers, as the documents have them.
[[nodiscard]] std::vector<Column> row_columns();

/// Header and rows; stacks stand below their row, one call a line. Names are escaped. Fails only
/// where RowSource::flush does.
Status append_table(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                    const RowStyle& style, const RowSource& source = {});

void append_json_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                      const RowStyle& style);

/// Line of column names.
void append_csv_header(std::string& out, const Grouping& grouping, const RowStyle& style);
/// Lines end with CR LF; a stack is one field, its frames between ';'.
void append_csv_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                     const RowStyle& style);

/// "64.3M": powers of 1024, as top(1) and free(1) have them.
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// "3d04h", "12m30s", "4.2s": the two largest units.
[[nodiscard]] std::string age_text(std::uint64_t ns);

}  // namespace pobpf
