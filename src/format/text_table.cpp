// SPDX-License-Identifier: GPL-2.0-only
#include "format/text_table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "util/utf8.h"

namespace pobpf {
namespace {

constexpr std::string_view kGap = "  ";

/// Enough to tell most names apart.
constexpr std::size_t kShrunkWidth = 12;

}  // namespace

TextTable::TextTable(std::vector<TableColumn> columns, std::optional<std::size_t> width)
    : columns_(std::move(columns)), width_(width) {
  for (const TableColumn& column : columns_) widths_.push_back(columns_of(column.header));
}

void TextTable::add_row(std::vector<std::string> cells, std::string note) {
  for (std::size_t i = 0; i < cells.size(); ++i)
    widths_[i] = std::max(widths_[i], columns_of(cells[i]));
  rows_.push_back({std::move(cells), std::move(note)});
}

/// The widest one first.
void TextTable::shrink_to_width() {
  if (!width_) return;
  const std::size_t gaps = columns_.empty() ? 0 : kGap.size() * (columns_.size() - 1);
  while (std::accumulate(widths_.begin(), widths_.end(), gaps) > *width_) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].may_shrink && widths_[i] > kShrunkWidth &&
          (widest == nullptr || widths_[i] > *widest))
        widest = &widths_[i];
    if (widest == nullptr) return;
    --*widest;
  }
}

void TextTable::append(std::string& out) {
  append_header(out);
  for (std::size_t row = 0; row < rows_.size(); ++row) append_row(out, row);
}

void TextTable::append_header(std::string& out) {
  shrink_to_width();
  std::string line;
  for (std::size_t i = 0; i < columns_.size(); ++i) append_cell(line, i, columns_[i].header);
  append_line(out, line);
}

void TextTable::append_row(std::string& out, std::size_t row) const {
  const auto& [cells, note] = rows_[row];
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) append_cell(line, i, cells[i]);
  if (!note.empty()) line.append(kGap).append(note);
  append_line(out, line);
}

void TextTable::append_line(std::string& out, std::string_view line) const {
  if (width_) line = cut_to_columns(line, *width_);
  while (line.ends_with(' ')) line.remove_suffix(1);
  out.append(line).push_back('\n');
}

void TextTable::append_cell(std::string& line, std::size_t column, std::string_view text) const {
  text = cut_to_columns(text, widths_[column]);
  const std::string padding(widths_[column] - columns_of(text), ' ');
  if (column != 0) line += kGap;
  if (columns_[column].is_number)
    line.append(padding).append(text);
  else
    line.append(text).append(padding);
}

}  // namespace pobpf
