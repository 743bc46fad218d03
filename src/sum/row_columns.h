// SPDX-License-Identifier: GPL-2.0-only
// Rows, whatever numbers they show: a table of columns, of which each format is made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "format/column.h"
#include "format/json_writer.h"
#include "format/text_table.h"
#include "sum/row_output.h"
#include "sum/rows.h"

namespace pobpf {

struct NotKnown {};  ///< JSON leaves the key out

/// A value of a column; null is null in JSON.
using CellValue = std::variant<NotKnown, std::nullptr_t, std::uint64_t, std::int64_t, double,
                               const char*, const std::vector<std::uint64_t>*>;

/// How a table for people has a value.
enum class Shown : std::uint8_t {
  kNot,
  kNumber,
  kSize,        ///< "64.3M", or exactly with RowStyle::is_exact
  kSignedSize,  ///< "+64.3M"
  kShare,       ///< in percent
  kAge,
  kPfn,   ///< "0x12345"
  kText,  ///< at the left
};

/// A column of rows of the type R.
template <typename R>
struct RowColumn {  // NOLINT(clang-analyzer-optin.performance.Padding)
  Column column;
  Shown shown;
  CellValue (*value)(const R& row, const RowStyle& style);
  /// Null: always there.
  bool (*is_there)(const RowStyle& style) = nullptr;
  /// Whether tables for people leave it out where no row knows it.
  bool is_left_out = false;

  [[nodiscard]] bool has(const RowStyle& style) const {
    return is_there == nullptr || is_there(style);
  }
  [[nodiscard]] bool is_shown(const std::vector<R>& rows, const RowStyle& style) const {
    if (shown == Shown::kNot || !has(style)) return false;
    const auto is_known = [&](const R& row) {
      return !std::holds_alternative<NotKnown>(value(row, style));
    };
    return !is_left_out || std::any_of(rows.begin(), rows.end(), is_known);
  }
};

/// "group", "ignored", "other", "rest", "total".
[[nodiscard]] const char* row_kind_name(RowKind kind);
[[nodiscard]] inline CellValue cell_of(std::optional<std::uint64_t> value) {
  return value ? CellValue(*value) : NotKnown();
}

[[nodiscard]] std::string cell_text(const CellValue& value, const Column& column, Shown shown,
                                    const RowStyle& style);
void append_csv_cell(std::string& out, const CellValue& value, Unit unit);
void write_cell(JsonWriter& json, const char* key, const CellValue& value);
/// The fields of the grouping, a comma in front of each.
void append_csv_names(std::string& out, const Grouping& grouping);
void append_csv_labels(std::string& out, const Row& row, const Grouping& grouping,
                       const RowStyle& style);
/// Number of rows that it stands for, and its fields.
void write_labels(JsonWriter& json, const Row& row, const Grouping& grouping);

/// The numbers of a table, as far as it is the same for all rows.
struct NumberTable {
  std::vector<TableColumn> columns;
  std::vector<std::vector<std::string>> cells;  ///< by row
};
/// Numbers, then the fields of the rows; stacks below, one call a line. Names are escaped.
[[nodiscard]] Status append_number_table(std::string& out, NumberTable numbers,
                                         const std::vector<const Row*>& rows,
                                         const Grouping& grouping, const RowStyle& style,
                                         const RowSource& source);

/// See append_table(). `row_of` gives the Row of an R.
template <typename R, typename RowOf>
[[nodiscard]] Status append_rows_table(std::string& out, const std::vector<R>& rows,
                                       std::span<const RowColumn<R>> columns, RowOf row_of,
                                       const Grouping& grouping, const RowStyle& style,
                                       const RowSource& source) {
  NumberTable numbers;
  numbers.cells.resize(rows.size());
  for (const RowColumn<R>& column : columns) {
    if (!column.is_shown(rows, style)) continue;
    numbers.columns.push_back({column.column.header, column.shown != Shown::kText});
    for (std::size_t i = 0; i < rows.size(); ++i)
      numbers.cells[i].push_back(
          cell_text(column.value(rows[i], style), column.column, column.shown, style));
  }
  std::vector<const Row*> plain;
  plain.reserve(rows.size());
  for (const R& row : rows) plain.push_back(&row_of(row));
  return append_number_table(out, std::move(numbers), plain, grouping, style, source);
}

/// See append_json_rows().
template <typename R, typename RowOf>
void append_rows_json(std::string& out, const std::vector<R>& rows,
                      std::span<const RowColumn<R>> columns, RowOf row_of, const Grouping& grouping,
                      const RowStyle& style) {
  for (const R& row : rows)
    append_json(out, [&](JsonWriter& json) {
      for (const RowColumn<R>& column : columns)
        if (*column.column.key != '\0' && column.has(style))
          write_cell(json, column.column.key, column.value(row, style));
      write_labels(json, row_of(row), grouping);
    });
}

/// See append_csv_header().
template <typename R>
void append_rows_csv_header(std::string& out, std::span<const RowColumn<R>> columns,
                            const Grouping& grouping, const RowStyle& style) {
  const char* separator = "";
  for (const RowColumn<R>& column : columns) {
    if (!column.has(style)) continue;
    out.append(std::exchange(separator, ",")).append(column.column.key);
  }
  append_csv_names(out, grouping);
  out += "\r\n";
}

/// See append_csv_rows().
template <typename R, typename RowOf>
void append_rows_csv(std::string& out, const std::vector<R>& rows,
                     std::span<const RowColumn<R>> columns, RowOf row_of, const Grouping& grouping,
                     const RowStyle& style) {
  for (const R& row : rows) {
    const char* separator = "";
    for (const RowColumn<R>& column : columns) {
      if (!column.has(style)) continue;
      out += std::exchange(separator, ",");
      append_csv_cell(out, column.value(row, style), column.column.unit);
    }
    append_csv_labels(out, row_of(row), grouping, style);
    out += "\r\n";
  }
}

}  // namespace pobpf
