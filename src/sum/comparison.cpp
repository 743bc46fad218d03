// SPDX-License-Identifier: GPL-2.0-only
#include "sum/comparison.h"

#include <algorithm>
#include <span>
#include <utility>

#include "model/name_list.h"
#include "sum/row_columns.h"
#include "util/hash_map.h"

namespace pobpf {
namespace {

constexpr std::pair<const char*, CompareKey> kKeys[] = {{"change", CompareKey::kChange},
                                                        {"growth", CompareKey::kGrowth},
                                                        {"shrinkage", CompareKey::kShrinkage},
                                                        {"pages", CompareKey::kPages}};

std::uint64_t size_of_change(const ComparedRow& row) {
  return row.change() < 0 ? row.pages.front() - row.pages.back()
                          : row.pages.back() - row.pages.front();
}

bool is_before(const ComparedRow& a, const ComparedRow& b, CompareKey key) {
  if (a.row.kind != b.row.kind) return a.row.kind < b.row.kind;
  switch (key) {
    case CompareKey::kPages:
      break;
    case CompareKey::kChange:
      if (size_of_change(a) != size_of_change(b)) return size_of_change(a) > size_of_change(b);
      if (a.change() != b.change()) return a.change() > b.change();
      break;
    case CompareKey::kGrowth:
      if (a.change() != b.change()) return a.change() > b.change();
      break;
    case CompareKey::kShrinkage:
      if (a.change() != b.change()) return a.change() < b.change();
      break;
    case CompareKey::kSlope:
      if (a.slope != b.slope) return a.slope > b.slope;
      break;
  }
  if (a.row.pages != b.row.pages) return a.row.pages > b.row.pages;
  if (a.row.stack != nullptr && b.row.stack != nullptr && a.row.stack != b.row.stack)
    return pobpf::is_before(*a.row.stack, *b.row.stack);
  return a.row.key < b.row.key;
}

/// Sums of rows, which keeps their number.
void add_to(ComparedRow& sum, const ComparedRow& row) {
  sum.row.add(row.row);
  sum.pages.resize(std::max(sum.pages.size(), row.pages.size()));
  for (std::size_t i = 0; i < row.pages.size(); ++i) sum.pages[i] += row.pages[i];
  if (row.stayed) sum.stayed = sum.stayed.value_or(0) + *row.stayed;
  sum.slope += row.slope;
}

ComparedRow sum_row(RowKind kind, std::vector<ComparedRow>::const_iterator begin,
                    std::vector<ComparedRow>::const_iterator end) {
  ComparedRow sum;
  sum.row.kind = kind;
  for (auto row = begin; row != end; ++row) add_to(sum, *row);
  if (sum.pages.empty()) sum.pages.assign(2, 0);
  return sum;
}

template <std::uint64_t (ComparedRow::*kCount)() const>
CellValue if_stayed(const ComparedRow& row, const RowStyle&) {
  if (!row.stayed) return NotKnown();
  return (row.*kCount)();
}
CellValue kind_of(const ComparedRow& row, const RowStyle&) { return row_kind_name(row.row.kind); }
CellValue first_pages(const ComparedRow& row, const RowStyle&) { return row.pages.front(); }
CellValue last_pages(const ComparedRow& row, const RowStyle&) { return row.pages.back(); }
CellValue change_of(const ComparedRow& row, const RowStyle&) { return row.change(); }
CellValue changed_bytes(const ComparedRow& row, const RowStyle& style) {
  return row.change() * static_cast<std::int64_t>(style.page_bytes);
}

constexpr RowColumn<ComparedRow> kKind = {
    {"kind", "", Unit::kNone, "`group`, `ignored`, `other`, `rest`, `total`"},
    Shown::kNot,
    kind_of};
constexpr RowColumn<ComparedRow> kChangedPages = {
    {"change_pages", "CHANGE", Unit::kPages, "from the first snapshot to the last"},
    Shown::kSignedSize,
    change_of};
constexpr RowColumn<ComparedRow> kChangedBytes = {
    {"change_bytes", "", Unit::kBytes, "their size"}, Shown::kNot, changed_bytes};

constexpr RowColumn<ComparedRow> kPairColumns[] = {
    kKind,
    {{"old_pages", "OLD", Unit::kPages, "in the first snapshot"}, Shown::kSize, first_pages},
    {{"new_pages", "NEW", Unit::kPages, "in the second snapshot"}, Shown::kSize, last_pages},
    kChangedPages,
    {{"born_pages", "BORN", Unit::kPages, "that were not in the group before; where it is known"},
     Shown::kSize,
     if_stayed<&ComparedRow::born>,
     nullptr,
     true},
    {{"gone_pages", "GONE", Unit::kPages, "that are not in the group any more; where it is known"},
     Shown::kSize,
     if_stayed<&ComparedRow::gone>,
     nullptr,
     true},
    {{"stayed_pages", "STAYED", Unit::kPages, "that are in the group at both; where it is known"},
     Shown::kSize,
     [](const ComparedRow& row, const RowStyle&) { return cell_of(row.stayed); },
     nullptr,
     true},
    kChangedBytes,
};

constexpr RowColumn<ComparedRow> kSeriesColumns[] = {
    kKind,
    {{"pages", "", Unit::kPages, "an array: of each snapshot"},
     Shown::kNot,
     [](const ComparedRow& row, const RowStyle&) -> CellValue { return &row.pages; }},
    {{"", "FIRST", Unit::kPages, "in the first snapshot"}, Shown::kSize, first_pages},
    {{"", "LAST", Unit::kPages, "in the last snapshot"}, Shown::kSize, last_pages},
    kChangedPages,
    {{"pages_per_hour", "AN HOUR", Unit::kPagesAnHour, "the slope"},
     Shown::kSignedSize,
     [](const ComparedRow& row, const RowStyle&) -> CellValue { return row.slope; }},
    kChangedBytes,
};

std::span<const RowColumn<ComparedRow>> columns_of_comparison(bool is_series) {
  if (is_series) return kSeriesColumns;
  return kPairColumns;
}

constexpr auto kRowOf = [](const ComparedRow& row) -> const Row& { return row.row; };

}  // namespace

std::vector<ComparedRow> compare_rows(std::vector<std::vector<Row>> moments,
                                      const std::optional<PagesByRow>& stayed) {
  std::vector<ComparedRow> rows;
  HashMap<std::string, std::size_t> index;
  for (std::size_t moment = 0; moment < moments.size(); ++moment) {
    for (Row& row : moments[moment]) {
      const auto [found, is_new] = index.emplace(row.key, rows.size());
      if (is_new) {
        rows.emplace_back();
        rows.back().pages.resize(moments.size());
        if (stayed) rows.back().stayed = 0;
      }
      ComparedRow& compared = rows[found->second];
      compared.pages[moment] += row.pages;
      // sums are those of the last moment, the rest that of any
      compared.row = std::move(row);
      compared.row.nr_rows = 1;
      if (moment + 1 == moments.size()) continue;
      compared.row.pages = compared.row.allocations = 0;
      compared.row.time = {};
    }
  }
  if (!stayed) return rows;
  for (const auto& [key, nr_pages] : *stayed)
    if (const auto found = index.find(key); found != index.end())
      rows[found->second].stayed = nr_pages;
  return rows;
}

void set_slopes(std::vector<ComparedRow>& rows, const std::vector<double>& hours) {
  const auto n = static_cast<double>(hours.size());
  double mean_hour = 0;
  for (const double hour : hours) mean_hour += hour / n;
  double spread = 0;
  for (const double hour : hours) spread += (hour - mean_hour) * (hour - mean_hour);
  if (spread == 0) return;
  for (ComparedRow& row : rows) {
    row.slope = 0;
    for (std::size_t i = 0; i < hours.size(); ++i)
      row.slope += (hours[i] - mean_hour) * static_cast<double>(row.pages[i]) / spread;
  }
}

std::uint64_t keep_growing(std::vector<ComparedRow>& rows) {
  return std::erase_if(rows, [](const ComparedRow& row) {
    return row.row.kind != RowKind::kGroup || row.change() <= 0 ||
           !std::is_sorted(row.pages.begin(), row.pages.end());
  });
}

std::vector<std::string> compare_key_names() {
  std::vector<std::string> names;
  for (const auto& [name, key] : kKeys) names.emplace_back(name);
  return names;
}

Result<CompareKey> parse_compare_key(std::string_view text) {
  for (const auto& [name, key] : kKeys)
    if (text == name) return key;
  return fail(unknown_name("sort order", text, compare_key_names()));
}

void rank(std::vector<ComparedRow>& rows, CompareKey key, std::optional<std::size_t> limit) {
  std::sort(rows.begin(), rows.end(),
            [&](const ComparedRow& a, const ComparedRow& b) { return is_before(a, b, key); });
  ComparedRow total = sum_row(RowKind::kTotal, rows.begin(), rows.end());
  const auto groups_end = std::find_if(rows.begin(), rows.end(), [](const ComparedRow& row) {
    return row.row.kind != RowKind::kGroup;
  });
  const auto nr_groups = static_cast<std::size_t>(groups_end - rows.begin());
  if (limit && nr_groups > *limit) {
    const auto rest_begin = rows.begin() + static_cast<std::ptrdiff_t>(*limit);
    ComparedRow rest = sum_row(RowKind::kRest, rest_begin, groups_end);
    rest.row.nr_rows = nr_groups - *limit;
    rows.erase(rest_begin, groups_end);
    rows.push_back(std::move(rest));
  }
  rows.push_back(std::move(total));
}

std::vector<Column> comparison_columns(bool is_series) {
  std::vector<Column> columns;
  for (const auto& column : columns_of_comparison(is_series)) columns.push_back(column.column);
  return columns;
}

Status append_comparison(std::string& out, const std::vector<ComparedRow>& rows,
                         const Grouping& grouping, const RowStyle& style, bool is_series,
                         const RowSource& source) {
  return append_rows_table(out, rows, columns_of_comparison(is_series), kRowOf, grouping, style,
                           source);
}

void append_comparison_json(std::string& out, const std::vector<ComparedRow>& rows,
                            const Grouping& grouping, const RowStyle& style, bool is_series) {
  append_rows_json(out, rows, columns_of_comparison(is_series), kRowOf, grouping, style);
}

}  // namespace pobpf
