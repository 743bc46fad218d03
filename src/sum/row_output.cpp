// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_output.h"

#include <fmt/format.h>

#include <string_view>

#include "format/csv_field.h"
#include "format/json_writer.h"
#include "model/duration.h"
#include "sum/row_table.h"
#include "util/escape.h"

namespace pobpf {
namespace {

std::uint64_t magnitude(std::int64_t value) {
  return value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                   : static_cast<std::uint64_t>(value);
}

/// No value where they are not known.
std::optional<std::uint64_t> allocations_of(const Row& row) {
  if (!says_allocations(row.pages, row.allocations)) return std::nullopt;
  return row.allocations;
}

double share_of(const Row& row, const RowStyle& style) {
  return style.total_pages == 0
             ? 0
             : static_cast<double>(row.pages) / static_cast<double>(style.total_pages);
}

std::string signed_bytes_text(std::int64_t pages, const RowStyle& style) {
  if (pages == 0) return "0";
  return (pages < 0 ? "-" : "+") + bytes_text(magnitude(pages), style);
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
  const std::uint64_t seconds = ns / kSecondNs;
  if (seconds < 60) return fmt::format("{}.{}s", seconds, ns % kSecondNs / (kSecondNs / 10));
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

Status append_table(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                    const RowStyle& style, const RowSource& source) {
  RowTable table(style);
  const auto add = [&](const char* header, auto cell) {
    std::vector<std::string> cells;
    cells.reserve(rows.size());
    for (const Row& row : rows) cells.push_back(cell(row));
    table.add_numbers(header, std::move(cells));
  };
  add("PAGES", [](const Row& row) { return std::to_string(row.pages); });
  add("SIZE", [&](const Row& row) { return bytes_text(row.pages, style); });
  add("ALLOCS", [](const Row& row) {
    const auto allocations = allocations_of(row);
    return allocations ? std::to_string(*allocations) : "-";
  });
  add("SHARE", [&](const Row& row) { return fmt::format("{:.1f}%", 100 * share_of(row, style)); });
  if (style.with_age) {
    add("AGE", [&](const Row& row) {
      const auto age = row.mean_age_ns(style.now_ns);
      return age ? age_text(*age) : "-";
    });
  }
  if (style.with_growth) {
    add("CHANGE", [&](const Row& row) { return signed_bytes_text(row.change, style); });
    add("GROWTH", [&](const Row& row) { return signed_bytes_text(row.growth, style); });
  }
  std::vector<const Row*> plain;
  plain.reserve(rows.size());
  for (const Row& row : rows) plain.push_back(&row);
  return table.append(out, plain, grouping, source);
}

void append_json_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                      const RowStyle& style) {
  for (const Row& row : rows) {
    append_json(out, [&](JsonWriter& json) {
      if (style.time) json.member("time", *style.time);
      json.member("kind", row_kind_name(row.kind));
      json.member("pages", row.pages);
      json.member("bytes", row.pages * style.page_bytes);
      if (const auto allocations = allocations_of(row)) json.member("allocations", *allocations);
      json.member("share", share_of(row, style));
      if (style.with_age) json.member("mean_age_ns", row.mean_age_ns(style.now_ns));
      if (style.with_growth) {
        json.member("change_pages", row.change);
        json.member("growth_pages", row.growth);
      }
      write_labels(json, row, grouping);
    });
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
    const auto allocations = allocations_of(row);
    fmt::format_to(std::back_inserter(out), "{},{},{},{},{:.6f}", row_kind_name(row.kind),
                   row.pages, row.pages * style.page_bytes,
                   allocations ? std::to_string(*allocations) : "", share_of(row, style));
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
