// SPDX-License-Identifier: GPL-2.0-only
#include "sum/growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace pobpf {
namespace {

struct Seen {
  std::uint64_t pages;
  std::int64_t change;
  std::int64_t growth;
  bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.pages << " " << seen.change << " " << seen.growth;
}
using Table = std::map<std::string, Seen>;

class Growth : public ::testing::Test {
 protected:
  Table look(const std::map<std::string, std::uint64_t>& pages) {
    rows.clear();
    for (const auto& [key, count] : pages) {
      Row row;
      row.key = key;
      row.labels = {{"label of " + key, std::nullopt}};
      row.pages = count;
      row.allocations = count;
      rows.push_back(std::move(row));
    }
    tracker.update(rows);
    Table table;
    for (const Row& row : rows) {
      EXPECT_TRUE(table.emplace(row.key, Seen{row.pages, row.change, row.growth}).second);
      EXPECT_EQ(row.labels[0].text, "label of " + row.key);
    }
    return table;
  }
  GrowthTracker tracker;
  std::vector<Row> rows;
};

TEST_F(Growth, AtTheStartNothingHasGrown) {
  EXPECT_EQ(look({{"a", 10}, {"b", 0}}), (Table{{"a", {10, 0, 0}}, {"b", {0, 0, 0}}}));
}

TEST_F(Growth, IsSinceTheStartAndChangeIsSinceTheLastLook) {
  look({{"a", 10}});
  EXPECT_EQ(look({{"a", 15}}), (Table{{"a", {15, 5, 5}}}));
  EXPECT_EQ(look({{"a", 12}}), (Table{{"a", {12, -3, 2}}}));
  EXPECT_EQ(look({{"a", 1}}), (Table{{"a", {1, -11, -9}}}));
}

TEST_F(Growth, WhatComesUpLaterHasGrownFromNothing) {
  look({{"a", 10}});
  EXPECT_EQ(look({{"a", 10}, {"b", 7}}), (Table{{"a", {10, 0, 0}}, {"b", {7, 7, 7}}}));
  EXPECT_EQ(look({{"a", 10}, {"b", 9}}), (Table{{"a", {10, 0, 0}}, {"b", {9, 2, 9}}}));
}

TEST_F(Growth, ALookThatFoundNothingIsAStartToo) {
  look({});
  EXPECT_EQ(look({{"b", 7}}), (Table{{"b", {7, 7, 7}}}));
}

TEST_F(Growth, WhatIsGoneIsSaidOnce) {
  look({{"a", 10}, {"b", 5}});
  look({{"a", 10}, {"b", 8}});
  EXPECT_EQ(look({{"a", 10}}), (Table{{"a", {10, 0, 0}}, {"b", {0, -8, -5}}}));
  EXPECT_EQ(look({{"a", 10}}), (Table{{"a", {10, 0, 0}}}));
}

TEST_F(Growth, WhatComesBackIsComparedWithTheStart) {
  look({{"a", 10}});
  look({});
  EXPECT_EQ(look({{"a", 4}}), (Table{{"a", {4, 4, -6}}}));
}

TEST_F(Growth, WhatCameAndWentComesBackFromNothing) {
  look({});
  look({{"a", 10}});
  EXPECT_EQ(look({}), (Table{{"a", {0, -10, 0}}}));
  EXPECT_EQ(look({{"a", 4}}), (Table{{"a", {4, 4, 4}}}));
}

TEST_F(Growth, ChangesOfAllRowsAddUp) {
  const std::map<std::string, std::uint64_t> looks[] = {
      {{"a", 10}, {"b", 20}}, {{"b", 5}, {"c", 40}}, {{"a", 3}, {"c", 41}}, {}, {{"d", 9}}};
  std::uint64_t before = 30;
  for (const auto& pages : looks) {
    std::uint64_t now = 0;
    for (const auto& [key, count] : pages) now += count;
    std::int64_t change = 0;
    for (const auto& [key, seen] : look(pages)) change += seen.change;
    EXPECT_EQ(change, static_cast<std::int64_t>(now - before) * (&pages == &looks[0] ? 0 : 1));
    before = now;
  }
}

TEST_F(Growth, ResetMakesTheNextLookTheStart) {
  look({{"a", 10}});
  look({{"a", 20}});
  tracker.reset();
  EXPECT_EQ(look({{"a", 30}}), (Table{{"a", {30, 0, 0}}}));
}

TEST_F(Growth, RowsThatAreGoneKeepWhatTheyAreToldApartBy) {
  Row by_handle;
  by_handle.key = "h";
  by_handle.handle = 7;
  by_handle.pages = 1;
  Row by_frames;
  by_frames.key = "f";
  by_frames.frames = {"one", "two"};
  by_frames.pages = 1;
  Row ignored;
  ignored.key = "i";
  ignored.kind = RowKind::kIgnored;
  ignored.pages = 1;
  ignored.nr_rows = 3;
  rows = {by_handle, by_frames, ignored};
  tracker.update(rows);
  rows.clear();
  tracker.update(rows);
  ASSERT_EQ(rows.size(), 3U);
  for (const Row& row : rows) {
    EXPECT_EQ(row.pages, 0U);
    EXPECT_EQ(row.allocations, 0U);
    if (row.key == "h") {
      EXPECT_EQ(row.handle, 7U);
    } else if (row.key == "f") {
      EXPECT_THAT(row.frames, ::testing::ElementsAre("one", "two"));
    } else {
      EXPECT_EQ(row.kind, RowKind::kIgnored);
      EXPECT_EQ(row.nr_rows, 0U);
    }
  }
}

TEST_F(Growth, OfProcessesThatComeAndGoNothingIsKept) {
  look({{"a", 1}});
  for (int turn = 0; turn < 1000; ++turn) look({{"a", 1}, {std::to_string(turn), 1}});
  look({{"a", 1}});
  EXPECT_EQ(tracker.nr_groups(), 1U);
}

}  // namespace
}  // namespace pobpf
