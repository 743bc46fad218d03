// SPDX-License-Identifier: GPL-2.0-only
#include "sum/ranking.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "model/name_list.h"
#include "model/time_sum.h"

namespace pobpf {
namespace {

constexpr std::pair<const char*, SortKey> kSortKeys[] = {{"pages", SortKey::kPages},
                                                         {"allocs", SortKey::kAllocations},
                                                         {"age", SortKey::kAge},
                                                         {"growth", SortKey::kGrowth},
                                                         {"fields", SortKey::kFields}};

/// The mean time; a row without a time was there before all else.
std::uint64_t mean_ts(const Row& row) {
  return row.allocations == 0 ? UINT64_MAX : mean_time(row.time, row.allocations);
}

/// Numbers before names.
int compare(const Label& a, const Label& b) {
  if (a.number.has_value() != b.number.has_value()) return a.number ? -1 : 1;
  if (a.number && *a.number != *b.number) return *a.number < *b.number ? -1 : 1;
  return a.text.compare(b.text);
}

int compare_fields(const Row& a, const Row& b) {
  for (std::size_t i = 0; i < a.labels.size() && i < b.labels.size(); ++i)
    if (const int order = compare(a.labels[i], b.labels[i]); order != 0) return order;
  if (a.stack != nullptr && b.stack != nullptr && a.stack != b.stack)
    return pobpf::is_before(*a.stack, *b.stack) ? -1 : 1;
  if (a.frames != b.frames) return a.frames < b.frames ? -1 : 1;
  return 0;
}

bool is_before(const Row& a, const Row& b, SortKey key) {
  if (a.kind != b.kind) return a.kind < b.kind;
  switch (key) {
    case SortKey::kPages:
      break;
    case SortKey::kAllocations:
      if (a.allocations != b.allocations) return a.allocations > b.allocations;
      break;
    case SortKey::kAge:
      if (mean_ts(a) != mean_ts(b)) return mean_ts(a) < mean_ts(b);
      break;
    case SortKey::kGrowth:
      if (a.growth != b.growth) return a.growth > b.growth;
      break;
    case SortKey::kFields:
      if (const int order = compare_fields(a, b); order != 0) return order < 0;
      break;
  }
  return a.pages != b.pages ? a.pages > b.pages : a.key < b.key;
}

}  // namespace

const char* sort_key_name(SortKey key) {
  for (const auto& [name, candidate] : kSortKeys)
    if (candidate == key) return name;
  return "";
}

std::vector<std::string> sort_key_names() {
  std::vector<std::string> names;
  for (const auto& [name, key] : kSortKeys) names.emplace_back(name);
  return names;
}

Result<SortKey> parse_sort_key(std::string_view text) {
  for (const auto& [name, key] : kSortKeys)
    if (text == name) return key;
  return fail(unknown_name("sort order", text, sort_key_names()));
}

void rank(std::vector<Row>& rows, SortKey key, std::optional<std::size_t> limit) {
  std::sort(rows.begin(), rows.end(),
            [&](const Row& a, const Row& b) { return is_before(a, b, key); });
  if (!limit) return;
  const auto groups_end = std::find_if(rows.begin(), rows.end(),
                                       [](const Row& row) { return row.kind != RowKind::kGroup; });
  const auto nr_groups = static_cast<std::size_t>(groups_end - rows.begin());
  if (nr_groups <= *limit) return;
  const auto rest_begin = rows.begin() + static_cast<std::ptrdiff_t>(*limit);
  Row rest;
  rest.kind = RowKind::kRest;
  for (auto row = rest_begin; row != groups_end; ++row) rest.add(*row);
  rest.nr_rows = nr_groups - *limit;
  rows.erase(rest_begin, groups_end);
  rows.push_back(std::move(rest));
}

Row total_of(const std::vector<Row>& rows) {
  Row total;
  total.kind = RowKind::kTotal;
  for (const Row& row : rows) total.add(row);
  return total;
}

}  // namespace pobpf
