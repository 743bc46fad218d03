// SPDX-License-Identifier: GPL-2.0-only
// What tables and JSON of rows have in common, whatever numbers they show.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/json_writer.h"
#include "sum/row_output.h"
#include "sum/rows.h"

namespace pobpf {

/// Columns of numbers, then the fields of the rows; stacks below, one call a line. Names are
/// escaped.
class RowTable {
 public:
  explicit RowTable(const RowStyle& style) : style_(style) {}

  /// A cell a row.
  void add_numbers(const char* header, std::vector<std::string> cells);
  Status append(std::string& out, const std::vector<const Row*>& rows, const Grouping& grouping,
                const RowSource& source);

 private:
  /// Numbers are aligned to the right, names to the left.
  struct Column {
    std::string header;
    bool is_number = false;
    std::vector<std::string> cells;
  };
  void add_labels(const std::vector<const Row*>& rows, const Grouping& grouping);
  void append_cut(std::string& out, std::string_view line) const;

  const RowStyle& style_;
  std::vector<Column> columns_;
};

/// "group", "ignored", "other", "rest", "total".
[[nodiscard]] const char* row_kind_name(RowKind kind);
/// Pages as "64.3M", or exactly.
[[nodiscard]] std::string bytes_text(std::uint64_t pages, const RowStyle& style);
/// Number of rows that it stands for, and its fields.
void write_labels(JsonWriter& json, const Row& row, const Grouping& grouping);

}  // namespace pobpf
