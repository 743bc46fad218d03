// SPDX-License-Identifier: GPL-2.0-only
#include "sum/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "format/documented_columns.h"

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Row row_of(const std::string& name, std::uint64_t pages) {
  Row row;
  row.labels = {{name, std::nullopt}};
  row.key = "0" + name;
  row.pages = pages;
  row.allocations = pages;
  return row;
}

const ComparedRow& find(const std::vector<ComparedRow>& rows, const std::string& name) {
  const auto found = std::find_if(
      rows.begin(), rows.end(), [&](const ComparedRow& row) { return row.row.key == "0" + name; });
  EXPECT_NE(found, rows.end()) << name;
  return *found;
}

std::vector<std::string> order_of(const std::vector<ComparedRow>& rows) {
  std::vector<std::string> names;
  for (const ComparedRow& row : rows)
    names.push_back(row.row.kind == RowKind::kGroup ? row.row.labels[0].text : "-");
  return names;
}

Grouping by_comm() {
  Grouping grouping;
  grouping.fields = {GroupField::kComm};
  return grouping;
}

TEST(Comparison, JoinsGroupsByTheirKey) {
  const auto rows =
      compare_rows({{row_of("a", 5), row_of("gone", 3)}, {row_of("born", 7), row_of("a", 4)}},
                   PagesByRow{{"0a", 1}});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(find(rows, "a").pages, ElementsAre(5, 4));
  EXPECT_EQ(find(rows, "a").change(), -1);
  EXPECT_EQ(find(rows, "a").stayed, 1U);
  EXPECT_EQ(find(rows, "a").born(), 3U);
  EXPECT_EQ(find(rows, "a").gone(), 4U);
  EXPECT_THAT(find(rows, "gone").pages, ElementsAre(3, 0));
  EXPECT_EQ(find(rows, "gone").row.pages, 0U);
  EXPECT_EQ(find(rows, "gone").stayed, 0U);
  EXPECT_THAT(find(rows, "born").pages, ElementsAre(0, 7));
}

TEST(Comparison, OrdersAndSumsUp) {
  auto rows = compare_rows({{row_of("up", 1), row_of("down", 10), row_of("same", 100)},
                            {row_of("up", 5), row_of("down", 2), row_of("same", 100)}},
                           std::nullopt);
  auto copy = rows;
  rank(copy, CompareKey::kChange, std::nullopt);
  EXPECT_THAT(order_of(copy), ElementsAre("down", "up", "same", "-"));
  copy = rows;
  rank(copy, CompareKey::kGrowth, std::nullopt);
  EXPECT_THAT(order_of(copy), ElementsAre("up", "same", "down", "-"));
  copy = rows;
  rank(copy, CompareKey::kShrinkage, std::nullopt);
  EXPECT_THAT(order_of(copy), ElementsAre("down", "same", "up", "-"));
  copy = rows;
  rank(copy, CompareKey::kPages, 1);
  EXPECT_THAT(order_of(copy), ElementsAre("same", "-", "-"));
  EXPECT_EQ(copy[1].row.kind, RowKind::kRest);
  EXPECT_EQ(copy[1].row.nr_rows, 2U);
  EXPECT_THAT(copy[1].pages, ElementsAre(11, 7));
  EXPECT_EQ(copy[2].row.kind, RowKind::kTotal);
  EXPECT_THAT(copy[2].pages, ElementsAre(111, 107));
}

TEST(Comparison, LeaksGrowFromEachMomentToTheNext) {
  auto rows = compare_rows({{row_of("leak", 1), row_of("saw", 1), row_of("flat", 3)},
                            {row_of("leak", 1), row_of("saw", 9), row_of("flat", 3)},
                            {row_of("leak", 4), row_of("saw", 8), row_of("flat", 3)}},
                           std::nullopt);
  EXPECT_EQ(keep_growing(rows), 2U);
  EXPECT_THAT(order_of(rows), ElementsAre("leak"));
}

TEST(Comparison, TheSlopeIsThatOfLeastSquares) {
  auto rows = compare_rows({{row_of("a", 0)}, {row_of("a", 10)}, {row_of("a", 50)}}, std::nullopt);
  set_slopes(rows, {0, 1, 3});
  // sum of (h - 4/3) * pages over sum of (h - 4/3)^2
  EXPECT_NEAR(rows[0].slope, 240.0 / 14, 1e-9);
  set_slopes(rows, {5, 5, 5});
  EXPECT_NEAR(rows[0].slope, 240.0 / 14, 1e-9);
}

TEST(Comparison, ASlopeBeyondAllMemoryIsShownAsAllThatThereCanBe) {
  auto rows = compare_rows({{row_of("a", 0)}, {row_of("a", 1)}, {row_of("a", 2)}}, std::nullopt);
  rows[0].slope = 1e30;
  std::string table;
  ASSERT_TRUE(append_comparison(table, rows, by_comm(), {}, true));
  EXPECT_THAT(table, HasSubstr("+64.0P"));
}

TEST(Comparison, TheTableNamesWhatChanged) {
  auto rows =
      compare_rows({{row_of("a\x1b", 512)}, {row_of("a\x1b", 256)}}, PagesByRow{{"0a\x1b", 256}});
  rank(rows, CompareKey::kChange, std::nullopt);
  std::string table;
  ASSERT_TRUE(append_comparison(table, rows, by_comm(), {}, false));
  EXPECT_EQ(table,
            " OLD   NEW  CHANGE  BORN  GONE  STAYED  COMM\n"
            "2.0M  1.0M   -1.0M    0K  1.0M    1.0M  a\\x1b\n"
            "2.0M  1.0M   -1.0M    0K  1.0M    1.0M  (total)\n");
  std::string lines;
  append_comparison_json(lines, rows, by_comm(), {}, false);
  const auto first = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  EXPECT_EQ(first["old_pages"], 512);
  EXPECT_EQ(first["new_pages"], 256);
  EXPECT_EQ(first["change_pages"], -256);
  EXPECT_EQ(first["change_bytes"], -256 * 4096);
  EXPECT_EQ(first["gone_pages"], 256);
  EXPECT_EQ(first["comm"], "a\x1b");
}

TEST(Comparison, ColumnsAreThoseOfTheDocument) {
  const std::string document = samples::document("snapshots.md");
  for (const bool is_series : {false, true})
    EXPECT_THAT(document, HasSubstr(samples::documented_columns(comparison_columns(is_series))));
}

TEST(Comparison, OrdersThatThereAreNotAreRefused) {
  EXPECT_EQ(parse_compare_key("growth").value(), CompareKey::kGrowth);
  const auto key = parse_compare_key("groth");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(key.error().hint, HasSubstr("growth"));
}

}  // namespace
}  // namespace pobpf
