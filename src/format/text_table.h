// SPDX-License-Identifier: GPL-2.0-only
// Tables for people.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pobpf {

struct TableColumn {
  std::string header;
  bool is_number = false;  ///< at the right; texts are at the left
  /// Whether it gives way where the terminal is too narrow for all columns.
  bool may_shrink = false;
};

/// Columns are as wide as their widest cell, and two spaces apart. Texts must be escaped.
class TextTable {
 public:
  /// `width`: columns of the terminal, to which lines are cut; no value: nothing is cut.
  explicit TextTable(std::vector<TableColumn> columns, std::optional<std::size_t> width = {});

  /// A row may end before the last column: then `note`, which may be longer than they are, is
  /// in place of the others.
  void add_row(std::vector<std::string> cells, std::string note = {});

  /// The header, then each row.
  void append(std::string& out);
  // One after the other, behind the last add_row().
  void append_header(std::string& out);
  void append_row(std::string& out, std::size_t row) const;
  /// Appends a line between rows. It is cut as they are, and spaces at its end are left out.
  void append_line(std::string& out, std::string_view line) const;

 private:
  struct TableRow {
    std::vector<std::string> cells;
    std::string note;
  };
  void shrink_to_width();
  void append_cell(std::string& line, std::size_t column, std::string_view text) const;

  std::vector<TableColumn> columns_;
  std::optional<std::size_t> width_;
  std::vector<std::size_t> widths_;  // of the columns
  std::vector<TableRow> rows_;
};

}  // namespace pobpf
