// SPDX-License-Identifier: GPL-2.0-only
#include "sum/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "format/json_writer.h"
#include "model/name_list.h"
#include "model/page_limits.h"
#include "sum/row_table.h"
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

std::string signed_pages(std::int64_t pages, const RowStyle& style) {
  if (pages == 0) return "0";
  const auto magnitude = pages < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(pages)
                                   : static_cast<std::uint64_t>(pages);
  return (pages < 0 ? "-" : "+") + bytes_text(magnitude, style);
}

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
  return fail(unknown_name("order", text, compare_key_names()));
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

Status append_comparison(std::string& out, const std::vector<ComparedRow>& rows,
                         const Grouping& grouping, const RowStyle& style, bool is_series,
                         const RowSource& source) {
  RowTable table(style);
  const auto add = [&](const char* header, auto cell) {
    std::vector<std::string> cells;
    cells.reserve(rows.size());
    for (const ComparedRow& row : rows) cells.push_back(cell(row));
    table.add_numbers(header, std::move(cells));
  };
  add(is_series ? "FIRST" : "OLD",
      [&](const ComparedRow& row) { return bytes_text(row.pages.front(), style); });
  add(is_series ? "LAST" : "NEW",
      [&](const ComparedRow& row) { return bytes_text(row.pages.back(), style); });
  add("CHANGE", [&](const ComparedRow& row) { return signed_pages(row.change(), style); });
  if (is_series)
    add("AN HOUR", [&](const ComparedRow& row) {
      // two moments may be a nanosecond apart
      constexpr auto kMost = static_cast<double>(kPagesMax);
      return signed_pages(std::llround(std::clamp(row.slope, -kMost, kMost)), style);
    });
  const bool has_stayed = std::any_of(
      rows.begin(), rows.end(), [](const ComparedRow& row) { return row.stayed.has_value(); });
  if (!is_series && has_stayed) {
    add("BORN", [&](const ComparedRow& row) { return bytes_text(row.born(), style); });
    add("GONE", [&](const ComparedRow& row) { return bytes_text(row.gone(), style); });
    add("STAYED",
        [&](const ComparedRow& row) { return bytes_text(row.stayed.value_or(0), style); });
  }
  std::vector<const Row*> plain;
  plain.reserve(rows.size());
  for (const ComparedRow& row : rows) plain.push_back(&row.row);
  return table.append(out, plain, grouping, source);
}

void append_comparison_json(std::string& out, const std::vector<ComparedRow>& rows,
                            const Grouping& grouping, const RowStyle& style, bool is_series) {
  for (const ComparedRow& row : rows) {
    append_json(out, [&](JsonWriter& json) {
      json.member("kind", row_kind_name(row.row.kind));
      if (is_series) {
        json.member("pages", row.pages);
        json.member("change_pages", row.change());
        json.member("pages_per_hour", row.slope);
      } else {
        json.member("old_pages", row.pages.front());
        json.member("new_pages", row.pages.back());
        json.member("change_pages", row.change());
        if (row.stayed) {
          json.member("born_pages", row.born());
          json.member("gone_pages", row.gone());
          json.member("stayed_pages", *row.stayed);
        }
      }
      json.member("change_bytes", row.change() * static_cast<std::int64_t>(style.page_bytes));
      write_labels(json, row.row, grouping);
    });
  }
}

}  // namespace pobpf
