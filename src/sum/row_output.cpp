// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_output.h"

#include <fmt/format.h>

#include <string_view>

#include "model/duration.h"
#include "sum/row_columns.h"

namespace pobpf {
namespace {

double share_of(const Row& row, const RowStyle& style) {
  return style.total_pages == 0
             ? 0
             : static_cast<double>(row.pages) / static_cast<double>(style.total_pages);
}

bool is_watched(const RowStyle& style) { return style.time.has_value(); }
bool has_age(const RowStyle& style) { return style.with_age; }
bool has_growth(const RowStyle& style) { return style.with_growth; }

constexpr RowColumn<Row> kColumns[] = {
    {{"time", "", Unit::kSeconds, "since the epoch; only with `--watch`"},
     Shown::kNot,
     [](const Row&, const RowStyle& style) -> CellValue { return *style.time; },
     is_watched},
    {{"kind", "", Unit::kNone, "`group`, `ignored`, `other`, `rest`, `total`"},
     Shown::kNot,
     [](const Row& row, const RowStyle&) -> CellValue { return row_kind_name(row.kind); }},
    {{"pages", "PAGES", Unit::kPages, "base pages"},
     Shown::kNumber,
     [](const Row& row, const RowStyle&) -> CellValue { return row.pages; }},
    {{"bytes", "SIZE", Unit::kBytes, "their size"},
     Shown::kSize,
     [](const Row& row, const RowStyle& style) -> CellValue {
       return row.pages * style.page_bytes;
     }},
    {{"allocations", "ALLOCS", Unit::kNone, "blocks; missing where an import does not say it"},
     Shown::kNumber,
     [](const Row& row, const RowStyle&) -> CellValue {
       if (!says_allocations(row.pages, row.allocations)) return NotKnown();
       return row.allocations;
     }},
    {{"share", "SHARE", Unit::kNone, "of all pages that pass the filters, 0 to 1"},
     Shown::kShare,
     [](const Row& row, const RowStyle& style) -> CellValue { return share_of(row, style); }},
    {{"mean_age_ns", "AGE", Unit::kNanoseconds,
      "mean age of the allocations; only with `--sort age` or `--watch`"},
     Shown::kAge,
     [](const Row& row, const RowStyle& style) -> CellValue {
       const auto age = row.mean_age_ns(style.now_ns);
       return age ? CellValue(*age) : nullptr;
     },
     has_age},
    {{"change_pages", "CHANGE", Unit::kPages, "since the last look; only with `--watch`"},
     Shown::kSignedSize,
     [](const Row& row, const RowStyle&) -> CellValue { return row.change; },
     has_growth},
    {{"growth_pages", "GROWTH", Unit::kPages, "since the first look; only with `--watch`"},
     Shown::kSignedSize,
     [](const Row& row, const RowStyle&) -> CellValue { return row.growth; },
     has_growth},
};

constexpr auto kItself = [](const Row& row) -> const Row& { return row; };

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

std::vector<Column> row_columns() {
  std::vector<Column> columns;
  for (const auto& column : kColumns) columns.push_back(column.column);
  return columns;
}

Status append_table(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                    const RowStyle& style, const RowSource& source) {
  return append_rows_table<Row>(out, rows, kColumns, kItself, grouping, style, source);
}

void append_json_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                      const RowStyle& style) {
  append_rows_json<Row>(out, rows, kColumns, kItself, grouping, style);
}

void append_csv_header(std::string& out, const Grouping& grouping, const RowStyle& style) {
  append_rows_csv_header<Row>(out, kColumns, grouping, style);
}

void append_csv_rows(std::string& out, const std::vector<Row>& rows, const Grouping& grouping,
                     const RowStyle& style) {
  append_rows_csv<Row>(out, rows, kColumns, kItself, grouping, style);
}

}  // namespace pobpf
