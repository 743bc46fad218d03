// SPDX-License-Identifier: GPL-2.0-only
#include "sum/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "model/time_sum.h"

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Row row(const char* key, std::uint64_t pages, std::uint64_t allocations = 1,
        std::uint64_t time_sum = 0, std::int64_t growth = 0) {
  Row result;
  result.key = key;
  result.pages = pages;
  result.allocations = allocations;
  add_time(result.time, time_sum);
  result.growth = growth;
  result.nr_rows = 1;
  return result;
}

std::vector<std::string> keys(const std::vector<Row>& rows) {
  std::vector<std::string> result;
  for (const Row& row : rows) result.push_back(row.kind == RowKind::kRest ? "rest" : row.key);
  return result;
}

std::vector<std::string> ranked(std::vector<Row> rows, SortKey key,
                                std::optional<std::size_t> limit = std::nullopt) {
  rank(rows, key, limit);
  return keys(rows);
}

// mean times: a 50, b 10, c 100, d has none
const std::vector<Row> kRows = {row("a", 10, 2, 100, 5), row("b", 30, 10, 100, -5),
                                row("c", 20, 1, 100, 50), row("d", 40, 3, 0, 0)};

TEST(Ranking, PutsTheLargestFirst) {
  EXPECT_THAT(ranked(kRows, SortKey::kPages), ElementsAre("d", "b", "c", "a"));
  EXPECT_THAT(ranked(kRows, SortKey::kAllocations), ElementsAre("b", "d", "a", "c"));
  EXPECT_THAT(ranked(kRows, SortKey::kGrowth), ElementsAre("c", "a", "d", "b"));
}

TEST(Ranking, PutsTheOldestFirst) {
  EXPECT_THAT(ranked(kRows, SortKey::kAge), ElementsAre("d", "b", "a", "c"));
}

TEST(Ranking, PutsFieldsInTheirOrderNumbersAsNumbers) {
  std::vector<Row> rows = {row("a", 1), row("b", 2), row("c", 3), row("d", 4), row("e", 5)};
  rows[0].labels = {{"10", 10}, {"x", {}}};
  rows[1].labels = {{"9", 9}, {"y", {}}};
  rows[2].labels = {{"10", 10}, {"w", {}}};
  rows[3].labels = {{"(none)", {}}, {"a", {}}};
  rows[4].labels = {{"9", 9}, {"y", {}}};
  rows[1].frames = {"f", "g"};
  rows[4].frames = {"f"};
  EXPECT_THAT(ranked(rows, SortKey::kFields), ElementsAre("e", "b", "c", "a", "d"));
}

TEST(Ranking, GroupsThatAreGoneAreTheYoungest) {
  EXPECT_THAT(ranked({row("gone", 0, 0), row("young", 1, 1, UINT64_MAX / 2)}, SortKey::kAge),
              ElementsAre("young", "gone"));
}

TEST(Ranking, BreaksTiesByPagesThenByKeySoThatTheOrderOfTheInputSaysNothing) {
  std::vector<Row> rows = {row("a", 1, 7), row("b", 1, 7), row("c", 2, 7), row("d", 1, 7)};
  std::minstd_rand random(1);  // NOLINT(cert-msc51-cpp): the same each time
  for (int turn = 0; turn < 20; ++turn) {
    std::shuffle(rows.begin(), rows.end(), random);
    EXPECT_THAT(ranked(rows, SortKey::kAllocations), ElementsAre("c", "a", "b", "d"));
    EXPECT_THAT(ranked(rows, SortKey::kGrowth), ElementsAre("c", "a", "b", "d"));
  }
}

TEST(Ranking, TheRestIsOneRowWithTheSumOfAllOfIt) {
  auto rows = kRows;
  rank(rows, SortKey::kPages, 2);
  ASSERT_THAT(keys(rows), ElementsAre("d", "b", "rest"));
  EXPECT_EQ(rows[2].nr_rows, 2U);
  EXPECT_EQ(rows[2].pages, 30U);
  EXPECT_EQ(rows[2].allocations, 3U);
  EXPECT_EQ(mean_time(rows[2].time, 1), 200U);
  EXPECT_EQ(rows[2].growth, 55);
}

TEST(Ranking, ALimitThatIsNotReachedChangesNothing) {
  EXPECT_THAT(ranked(kRows, SortKey::kPages, 4), ElementsAre("d", "b", "c", "a"));
  EXPECT_THAT(ranked(kRows, SortKey::kPages, 3), ElementsAre("d", "b", "c", "rest"));
  EXPECT_THAT(ranked(kRows, SortKey::kPages, 0), ElementsAre("rest"));
  EXPECT_TRUE(ranked({}, SortKey::kPages, 1).empty());
}

TEST(Ranking, IgnoredAndOtherGroupsStandBehindAndAreNoPartOfTheRest) {
  Row ignored = row("ignored", 1000);
  ignored.kind = RowKind::kIgnored;
  Row other = row("other", 2000);
  other.kind = RowKind::kOther;
  std::vector<Row> rows = {other, row("a", 1), ignored, row("b", 2)};
  EXPECT_THAT(ranked(rows, SortKey::kPages), ElementsAre("b", "a", "ignored", "other"));
  rank(rows, SortKey::kPages, 1);
  EXPECT_THAT(keys(rows), ElementsAre("b", "ignored", "other", "rest"));
  EXPECT_EQ(rows[3].pages, 1U);
  EXPECT_EQ(total_of(rows).pages, 3003U);
}

TEST(Ranking, TheTotalIsTheSameWithAnyLimit) {
  for (std::size_t limit = 0; limit < 6; ++limit) {
    auto rows = kRows;
    rank(rows, SortKey::kPages, limit);
    const Row total = total_of(rows);
    EXPECT_EQ(total.kind, RowKind::kTotal);
    EXPECT_EQ(total.pages, 100U);
    EXPECT_EQ(total.allocations, 16U);
    EXPECT_EQ(mean_time(total.time, 1), 300U);
  }
}

TEST(SortKey, IsReadByItsName) {
  for (const SortKey key :
       {SortKey::kPages, SortKey::kAllocations, SortKey::kAge, SortKey::kGrowth, SortKey::kFields})
    EXPECT_EQ(parse_sort_key(sort_key_name(key)).value(), key);
  for (const char* text : {"", "page", "PAGES", "pages,age"}) {
    const auto key = parse_sort_key(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(key.error().hint, HasSubstr("pages, allocs, age, growth, fields"));
  }
}

}  // namespace
}  // namespace pobpf
