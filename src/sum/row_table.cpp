// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "util/escape.h"
#include "util/utf8.h"

namespace pobpf {
namespace {

/// What stands where a group's fields would be.
std::string kind_text(const Row& row) {
  switch (row.kind) {
    case RowKind::kGroup:
      break;
    case RowKind::kIgnored:
      return fmt::format("(ignored: {})", row.nr_rows);
    case RowKind::kOther:
      return "(no room for more groups)";
    case RowKind::kRest:
      return fmt::format("({} more)", row.nr_rows);
    case RowKind::kTotal:
      return "(total)";
  }
  return {};
}

std::string upper(std::string_view name) {
  std::string result(name);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

std::size_t nr_labels(const Grouping& grouping) {
  return grouping.fields.size() - (grouping.has_stack() ? 1 : 0);
}

void append_padded(std::string& line, std::string_view text, std::size_t width, bool is_right) {
  const std::size_t used = columns_of(text);
  const std::string padding(width > used ? width - used : 0, ' ');
  if (is_right)
    line.append(padding).append(text);
  else
    line.append(text).append(padding);
}

}  // namespace

const char* row_kind_name(RowKind kind) {
  constexpr std::array kNames = {"group", "ignored", "other", "rest", "total"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string bytes_text(std::uint64_t pages, const RowStyle& style) {
  const std::uint64_t bytes = pages * style.page_bytes;
  return style.is_exact ? std::to_string(bytes) : size_text(bytes);
}

void write_labels(JsonWriter& json, const Row& row, const Grouping& grouping) {
  if (row.kind == RowKind::kIgnored || row.kind == RowKind::kRest)
    json.member("groups", row.nr_rows);
  if (row.kind != RowKind::kGroup) return;
  std::size_t label = 0;
  for (const GroupField field : grouping.fields) {
    if (field == GroupField::kStack) {
      if (row.handle) json.member("handle", *row.handle);
      json.member("stack", row.frames);
      continue;
    }
    const Label& value = row.labels[label++];
    if (value.number)
      json.member(group_field_name(field), *value.number);
    else
      json.member(group_field_name(field), value.text);
  }
}

void RowTable::append_cut(std::string& out, std::string_view line) const {
  std::string_view shown = style_.width ? cut_to_columns(line, *style_.width) : line;
  while (shown.ends_with(' ')) shown.remove_suffix(1);
  out.append(shown).push_back('\n');
}

void RowTable::add_numbers(const char* header, std::vector<std::string> cells) {
  columns_.push_back({header, true, std::move(cells)});
}

void RowTable::add_labels(const std::vector<const Row*>& rows, const Grouping& grouping) {
  std::size_t label = 0;
  for (const GroupField field : grouping.fields) {
    if (field == GroupField::kStack) continue;
    const auto is_number = [&](const Row* row) {
      return row->kind != RowKind::kGroup || row->labels[label].number.has_value();
    };
    Column names{
        upper(group_field_name(field)), std::all_of(rows.begin(), rows.end(), is_number), {}};
    for (const Row* row : rows) {
      if (row->kind == RowKind::kGroup)
        names.cells.push_back(escaped(row->labels[label].text));
      else
        names.cells.emplace_back();
    }
    columns_.push_back(std::move(names));
    ++label;
  }
}

Status RowTable::append(std::string& out, const std::vector<const Row*>& rows,
                        const Grouping& grouping, const RowSource& source) {
  add_labels(rows, grouping);
  // what has no fields has its name in their place
  const std::size_t nr_numbers = columns_.size() - nr_labels(grouping);
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    std::size_t width = column.header.size();
    for (const std::string& cell : column.cells) width = std::max(width, columns_of(cell));
    widths.push_back(width);
  }
  std::string line;
  const auto append_cell = [&](std::size_t index, std::string_view text) {
    if (index != 0) line += "  ";
    append_padded(line, text, widths[index], columns_[index].is_number);
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) append_cell(i, columns_[i].header);
  append_cut(out, line);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    line.clear();
    for (std::size_t i = 0; i < nr_numbers; ++i) append_cell(i, columns_[i].cells[r]);
    if (rows[r]->kind == RowKind::kGroup)
      for (std::size_t i = nr_numbers; i < columns_.size(); ++i)
        append_cell(i, columns_[i].cells[r]);
    else
      line.append("  ").append(kind_text(*rows[r]));
    append_cut(out, line);
    const auto frames = source.frames ? source.frames(*rows[r]) : rows[r]->frames;
    for (const std::string& frame : frames) append_cut(out, "        " + escaped(frame));
    if (!frames.empty()) out += '\n';
    if (!source.flush) continue;
    if (auto status = source.flush(); !status) return status;
  }
  return {};
}

}  // namespace pobpf
