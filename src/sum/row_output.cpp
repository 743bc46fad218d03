// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "format/csv_field.h"
#include "format/escape.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                   : static_cast<std::uint64_t>(value);
}

double share_of(const Row& row, const RowStyle& style) {
  return style.total_pages == 0
             ? 0
             : static_cast<double>(row.pages) / static_cast<double>(style.total_pages);
}

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

const char* kind_name(RowKind kind) {
  constexpr std::array kNames = {"group", "ignored", "other", "rest", "total"};
  return kNames.at(static_cast<std::size_t>(kind));
}

/// Columns that a printable UTF-8 text takes, combining and wide characters aside.
std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

void append_cut(std::string& out, std::string_view line, const RowStyle& style) {
  std::size_t columns = 0;
  std::size_t end = 0;
  while (end < line.size() && (!style.width || columns < *style.width)) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(line.substr(end)));
    end += length;
    ++columns;
  }
  std::string_view shown = line.substr(0, end);
  while (shown.ends_with(' ')) shown.remove_suffix(1);
  out.append(shown).push_back('\n');
}

/// Cells of a table; numbers are aligned to the right, names to the left.
struct Column {
  std::string header;
  bool is_number = false;
  std::vector<std::string> cells;
};

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

std::string upper(std::string_view name) {
  std::string result(name);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

std::string bytes_text(std::uint64_t pages, const RowStyle& style) {
  const std::uint64_t bytes = pages * style.page_bytes;
  return style.is_exact ? std::to_string(bytes) : size_text(bytes);
}

std::string signed_bytes_text(std::int64_t pages, const RowStyle& style) {
  if (pages == 0) return "0";
  return (pages < 0 ? "-" : "+") + bytes_text(magnitude(pages), style);
}

std::vector<Column> make_columns(const std::vector<Row>& rows, const Grouping& grouping,
                                 const RowStyle& style) {
  const auto column = [&](const char* header, auto cell) {
    Column result{header, true, {}};
    for (const Row& row : rows) result.cells.push_back(cell(row));
    return result;
  };
  std::vector<Column> columns;
  columns.push_back(column("PAGES", [](const Row& row) { return std::to_string(row.pages); }));
  columns.push_back(column("SIZE", [&](const Row& row) { return bytes_text(row.pages, style); }));
  columns.push_back(
      column("ALLOCS", [](const Row& row) { return std::to_string(row.allocations); }));
  columns.push_back(column(
      "SHARE", [&](const Row& row) { return fmt::format("{:.1f}%", 100 * share_of(row, style)); }));
  if (style.with_age) {
    columns.push_back(column("AGE", [&](const Row& row) {
      const auto age = row.mean_age_ns(style.now_ns);
      return age ? age_text(*age) : "-";
    }));
  }
  if (style.with_growth) {
    columns.push_back(
        column("CHANGE", [&](const Row& row) { return signed_bytes_text(row.change, style); }));
    columns.push_back(
        column("GROWTH", [&](const Row& row) { return signed_bytes_text(row.growth, style); }));
  }
  std::size_t label = 0;
  for (const GroupField field : grouping.fields) {
    if (field == GroupField::kStack) continue;
    const auto is_number = [&](const Row& row) {
      return row.kind != RowKind::kGroup || row.labels[label].number.has_value();
    };
    Column names{
        upper(group_field_name(field)), std::all_of(rows.begin(), rows.end(), is_number), {}};
    for (const Row& row : rows) {
      if (row.kind == RowKind::kGroup)
        names.cells.push_back(escaped(row.labels[label].text));
      else
        names.cells.emplace_back();
    }
    columns.push_back(std::move(names));
    ++label;
  }
  return columns;
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

/// Frames in a field of their own, as stack collapsing tools have them.
std::string joined_frames(const Row& row) { return fmt::format("{}", fmt::join(row.frames, ";")); }

}  // namespace

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGTPE";
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // what would be printed as 1024 belongs to the next unit
  while (size >= 1023.5 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", size, unit == 0 || size >= 99.95 ? 0 : 1, kUnits[unit]);
}

std::string age_text(std::uint64_t ns) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t seconds = ns / kSecond;
  if (seconds < 60) return fmt::format("{}.{}s", seconds, ns % kSecond / (kSecond / 10));
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

void append_table(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                  const RowStyle& style) {
  const auto columns = make_columns(rows, grouping, style);
  // what has no fields has its name in their place
  const std::size_t nr_numbers = columns.size() - nr_labels(grouping);
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    std::size_t width = column.header.size();
    for (const std::string& cell : column.cells) width = std::max(width, columns_of(cell));
    widths.push_back(width);
  }
  std::string line;
  const auto append_cell = [&](std::size_t index, std::string_view text) {
    if (index != 0) line += "  ";
    append_padded(line, text, widths[index], columns[index].is_number);
  };
  for (std::size_t i = 0; i < columns.size(); ++i) append_cell(i, columns[i].header);
  append_cut(out, line, style);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    line.clear();
    for (std::size_t i = 0; i < nr_numbers; ++i) append_cell(i, columns[i].cells[r]);
    if (rows[r].kind == RowKind::kGroup)
      for (std::size_t i = nr_numbers; i < columns.size(); ++i) append_cell(i, columns[i].cells[r]);
    else
      line.append("  ").append(kind_text(rows[r]));
    append_cut(out, line, style);
    for (const std::string& frame : rows[r].frames)
      append_cut(out, "        " + escaped(frame), style);
    if (!rows[r].frames.empty()) out += '\n';
  }
}

void append_json_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                      const RowStyle& style) {
  for (const Row& row : rows) {
    Json object;
    if (style.time) object["time"] = *style.time;
    object["kind"] = kind_name(row.kind);
    object["pages"] = row.pages;
    object["bytes"] = row.pages * style.page_bytes;
    object["allocations"] = row.allocations;
    object["share"] = share_of(row, style);
    if (style.with_age) {
      const auto age = row.mean_age_ns(style.now_ns);
      object["mean_age_ns"] = age ? Json(*age) : Json(nullptr);
    }
    if (style.with_growth) {
      object["change_pages"] = row.change;
      object["growth_pages"] = row.growth;
    }
    if (row.kind == RowKind::kIgnored || row.kind == RowKind::kRest) object["groups"] = row.nr_rows;
    std::size_t label = 0;
    for (const GroupField field : grouping.fields) {
      const char* const name = group_field_name(field);
      if (row.kind != RowKind::kGroup) continue;
      if (field == GroupField::kStack) {
        if (row.handle) object["handle"] = *row.handle;
        object["stack"] = row.frames;
        continue;
      }
      const Label& value = row.labels[label++];
      object[name] = value.number ? Json(*value.number) : Json(value.text);
    }
    out += object.dump(-1, ' ', true, Json::error_handler_t::replace);
    out += '\n';
  }
}

void append_csv_header(std::string& out, const Grouping& grouping, const RowStyle& style) {
  if (style.time) out += "time,";
  out += "kind,pages,bytes,allocations,share";
  if (style.with_age) out += ",mean_age_ns";
  if (style.with_growth) out += ",change_pages,growth_pages";
  for (const GroupField field : grouping.fields) out.append(",").append(group_field_name(field));
  out += "\r\n";
}

void append_csv_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                     const RowStyle& style) {
  for (const Row& row : rows) {
    if (style.time) fmt::format_to(std::back_inserter(out), "{:.3f},", *style.time);
    fmt::format_to(std::back_inserter(out), "{},{},{},{},{:.6f}", kind_name(row.kind), row.pages,
                   row.pages * style.page_bytes, row.allocations, share_of(row, style));
    if (style.with_age) {
      const auto age = row.mean_age_ns(style.now_ns);
      out += ',';
      if (age) out += std::to_string(*age);
    }
    if (style.with_growth)
      fmt::format_to(std::back_inserter(out), ",{},{}", row.change, row.growth);
    std::size_t label = 0;
    for (const GroupField field : grouping.fields) {
      out += ',';
      if (row.kind != RowKind::kGroup) continue;
      const std::string text =
          field == GroupField::kStack ? joined_frames(row) : row.labels[label++].text;
      append_csv_field(out, style.is_terminal ? escaped(text) : text);
    }
    out += "\r\n";
  }
}

}  // namespace pobpf
