// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "format/csv_field.h"
#include "model/page_limits.h"
#include "util/escape.h"

namespace pobpf {
namespace {

/// The text that stands where a group's fields would be.
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

/// A table does not mention what is as one expects it.
bool is_noteworthy(const char* state) {
  return state != nullptr && state != std::string_view("living");
}

std::string label_text(const Label& label, bool is_full) {
  const std::string text =
      escaped(is_full || label.short_text.empty() ? label.text : label.short_text);
  return is_noteworthy(label.state) ? fmt::format("{} ({})", text, label.state) : text;
}

/// Short texts that stand for several labels, with the number of their column.
using ShortTexts = std::set<std::pair<std::size_t, std::string_view>>;

ShortTexts find_ambiguous(const std::vector<const Row*>& rows) {
  ShortTexts ambiguous;
  std::map<ShortTexts::value_type, std::string_view> texts;
  for (const Row* row : rows)
    for (std::size_t i = 0; i < row->labels.size(); ++i) {
      const Label& label = row->labels[i];
      if (label.short_text.empty()) continue;
      const auto [known, is_new] = texts.try_emplace({i, label.short_text}, label.text);
      if (!is_new && known->second != label.text) ambiguous.insert(known->first);
    }
  return ambiguous;
}

std::vector<TableColumn> label_columns(const std::vector<const Row*>& rows,
                                       const Grouping& grouping) {
  std::vector<TableColumn> columns;
  std::size_t label = 0;
  for (const GroupField field : grouping.fields) {
    if (field == GroupField::kStack) continue;
    const bool is_number = std::all_of(rows.begin(), rows.end(), [&](const Row* row) {
      return row->kind != RowKind::kGroup ||
             (row->labels[label].number && !is_noteworthy(row->labels[label].state));
    });
    columns.push_back({upper(group_field_name(field)), is_number, !is_number});
    ++label;
  }
  return columns;
}

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                   : static_cast<std::uint64_t>(value);
}

std::string size_of(std::uint64_t value, const Column& column, const RowStyle& style) {
  const std::uint64_t bytes = column.unit == Unit::kBytes ? value : value * style.page_bytes;
  return style.is_exact ? std::to_string(bytes) : size_text(bytes);
}

/// Whatever number a value is.
template <typename T>
T number_of(const CellValue& value) {
  return std::visit(
      [](const auto& held) -> T {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(held)>>)
          return static_cast<T>(held);
        else
          return T{};
      },
      value);
}

std::int64_t whole_pages(const CellValue& value) {
  if (!std::holds_alternative<double>(value)) return number_of<std::int64_t>(value);
  // two moments may be a nanosecond apart
  constexpr auto kMost = static_cast<double>(kPagesMax);
  return std::llround(std::clamp(std::get<double>(value), -kMost, kMost));
}

bool is_known(const CellValue& value) {
  return !std::holds_alternative<NotKnown>(value) && !std::holds_alternative<std::nullptr_t>(value);
}

}  // namespace

const char* row_kind_name(RowKind kind) {
  constexpr std::array kNames = {"group", "ignored", "other", "rest", "total"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string cell_text(const CellValue& value, const Column& column, Shown shown,
                      const RowStyle& style) {
  if (!is_known(value)) return "-";
  switch (shown) {
    case Shown::kNot:
      break;
    case Shown::kNumber:
      return std::to_string(number_of<std::uint64_t>(value));
    case Shown::kSize:
      return size_of(number_of<std::uint64_t>(value), column, style);
    case Shown::kSignedSize: {
      const std::int64_t pages = whole_pages(value);
      if (pages == 0) return "0";
      return (pages < 0 ? "-" : "+") + size_of(magnitude(pages), column, style);
    }
    case Shown::kShare:
      return fmt::format("{:.1f}%", 100 * number_of<double>(value));
    case Shown::kAge:
      return age_text(number_of<std::uint64_t>(value));
    case Shown::kPfn:
      return fmt::format("{:#x}", number_of<std::uint64_t>(value));
    case Shown::kText:
      return std::get<const char*>(value);
  }
  return {};
}

void append_csv_cell(std::string& out, const CellValue& value, Unit unit) {
  std::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, double>)
          fmt::format_to(std::back_inserter(out), "{:.{}f}", held, unit == Unit::kSeconds ? 3 : 6);
        else if constexpr (std::is_same_v<Held, const char*>)
          append_csv_field(out, held);
        else if constexpr (std::is_integral_v<Held>)
          fmt::format_to(std::back_inserter(out), "{}", held);
      },
      value);
}

void write_cell(JsonWriter& json, const char* key, const CellValue& value) {
  std::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, const std::vector<std::uint64_t>*>)
          json.member(key, *held);
        else if constexpr (!std::is_same_v<Held, NotKnown>)
          json.member(key, held);
      },
      value);
}

void append_csv_names(std::string& out, const Grouping& grouping) {
  for (const GroupField field : grouping.fields) {
    out.append(",").append(group_field_name(field));
    if (const char* state = state_field(field)) out.append(",").append(state);
  }
}

void append_csv_labels(std::string& out, const Row& row, const Grouping& grouping,
                       const RowStyle& style) {
  std::size_t label = 0;
  for (const GroupField field : grouping.fields) {
    out += ',';
    if (row.kind == RowKind::kGroup) {
      // frames in a field of their own, as stack collapsing tools have them
      const std::string text = field == GroupField::kStack
                                   ? fmt::format("{}", fmt::join(row.frames, ";"))
                                   : row.labels[label++].text;
      append_csv_field(out, style.is_terminal ? escaped(text) : text);
    }
    if (state_field(field) == nullptr) continue;
    out += ',';
    if (row.kind == RowKind::kGroup && row.labels[label - 1].state != nullptr)
      out += row.labels[label - 1].state;
  }
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
    if (value.state != nullptr) json.member(state_field(field), value.state);
  }
}

Status append_number_table(std::string& out, NumberTable numbers,
                           const std::vector<const Row*>& rows, const Grouping& grouping,
                           const RowStyle& style, const RowSource& source) {
  std::vector<TableColumn> columns = std::move(numbers.columns);
  for (TableColumn& column : label_columns(rows, grouping)) columns.push_back(std::move(column));
  TextTable table(std::move(columns), style.width);
  const ShortTexts ambiguous = find_ambiguous(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::string>& cells = numbers.cells[i];
    if (rows[i]->kind == RowKind::kGroup)
      for (std::size_t label = 0; label < rows[i]->labels.size(); ++label) {
        const std::string& short_text = rows[i]->labels[label].short_text;
        const bool is_full = style.is_full || ambiguous.contains({label, short_text});
        cells.push_back(label_text(rows[i]->labels[label], is_full));
      }
    // what has no fields has its name in their place
    table.add_row(std::move(cells), kind_text(*rows[i]));
  }
  table.append_header(out);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.append_row(out, i);
    const auto frames = source.frames ? source.frames(*rows[i]) : rows[i]->frames;
    for (const std::string& frame : frames) table.append_line(out, "        " + escaped(frame));
    if (!frames.empty()) out += '\n';
    if (!source.flush) continue;
    if (auto status = source.flush(); !status) return status;
  }
  return {};
}

}  // namespace pobpf
