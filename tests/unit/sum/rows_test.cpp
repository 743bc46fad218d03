// SPDX-License-Identifier: GPL-2.0-only
#include "sum/rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "../reader/made_up_session.h"
#include "model/time_sum.h"

namespace pobpf {
namespace {

using samples::set_comm;
using test::sum_of;
using ::testing::ElementsAre;

class Rows : public ::testing::Test {
 protected:
  void SetUp() override {
    session.context.add_stack(1, {"alloc_pages+0x1/0x9", "asker+0x1/0x9", "outer+0x1/0x9"});
    session.context.add_stack(2, {"alloc_pages+0x1/0x9", "asker+0x2/0x9 [mod]", "outer+0x1/0x9"});
    session.context.add_stack(3, {"alloc_pages+0x1/0x9", "asker+0x1/0x9", "other+0x1/0x9"});
    session.kernel.zone_names = {"DMA", "", "Normal"};
    session.kernel.migratetype_names = {"Unmovable", "Movable"};
    session.kernel.gfp_names = {{0xcc0, "GFP_KERNEL"}, {0x100, "__GFP_ZERO"}};
    session.context.cgroups[7] = "/user-1000/app.slice";
    session.context.cgroups[8] = "/user-1001/app.slice";
  }

  std::vector<Row> make(std::vector<GroupField> fields) {
    grouping.fields = std::move(fields);
    const auto set = make_rows(sums, grouping, session,
                               [&](Error error) { errors.push_back(std::move(error)); });
    const auto& rows = set.rows;
    EXPECT_EQ(set.row_of_group.size(), sums.groups.size() + (sums.other.pages != 0 ? 1U : 0U));
    std::vector<std::uint64_t> pages_of_rows(rows.size());
    for (std::size_t i = 0; i < sums.groups.size(); ++i)
      pages_of_rows[set.row_of_group[i]] += sums.groups[i].sum.pages;
    if (sums.other.pages != 0) pages_of_rows[set.row_of_group.back()] += sums.other.pages;
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(pages_of_rows[i], rows[i].pages);
    // whatever the rows are, nothing is lost and nothing counted twice
    pobpf_group_sum in = sums.other;
    for (const GroupSum& group : sums.groups) {
      in.pages += group.sum.pages;
      in.allocations += group.sum.allocations;
      add_times(in.time, group.sum.time);
    }
    pobpf_group_sum out{};
    for (const Row& row : rows) {
      out.pages += row.pages;
      out.allocations += row.allocations;
      add_times(out.time, row.time);
    }
    EXPECT_EQ(in.pages, out.pages);
    EXPECT_EQ(in.allocations, out.allocations);
    EXPECT_EQ(in.time.high, out.time.high);
    EXPECT_EQ(in.time.low, out.time.low);
    return rows;
  }
  /// Pages by the labels of a row, joined.
  std::map<std::string, std::uint64_t> pages(const std::vector<GroupField>& fields) {
    std::map<std::string, std::uint64_t> result;
    for (const Row& row : make(fields)) {
      std::string name;
      for (const Label& label : row.labels) name += (name.empty() ? "" : "/") + label.text;
      EXPECT_TRUE(result.emplace(name, row.pages).second) << name << " stands twice";
    }
    return result;
  }

  test::MadeUpSession session;
  GroupSums sums;
  Grouping grouping;
  std::vector<Error> errors;
};

using Pages = std::map<std::string, std::uint64_t>;

TEST_F(Rows, GroupsThatLookAlikeBecomeOne) {
  sums.groups = {sum_of(1, 10, 4, 100), sum_of(2, 20, 5, 200), sum_of(3, 40, 6, 400)};
  EXPECT_EQ(pages({GroupField::kFunction}), (Pages{{"asker", 70}}));
  EXPECT_EQ(pages({GroupField::kModule}), (Pages{{"(kernel)", 50}, {"mod", 20}}));
  EXPECT_EQ(pages({GroupField::kFunction, GroupField::kModule}),
            (Pages{{"asker/(kernel)", 50}, {"asker/mod", 20}}));
  EXPECT_TRUE(errors.empty());
}

TEST_F(Rows, WholeStacksAreToldApartByHandleAndNamedLater) {
  sums.groups = {sum_of(1, 10, 4), sum_of(3, 40, 6)};
  auto rows = make({GroupField::kStack});
  ASSERT_EQ(rows.size(), 2U);
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.handle < b.handle; });
  EXPECT_EQ(rows[0].handle, 1U);
  EXPECT_TRUE(rows[0].frames.empty());
  rows[0].frames = frames_of(rows[0], session, [](const Error&) {});
  EXPECT_THAT(rows[0].frames, ElementsAre("alloc_pages+0x1/0x9", "asker+0x1/0x9", "outer+0x1/0x9"));
}

TEST_F(Rows, DepthMergesStacksThatBeginAlike) {
  sums.groups = {sum_of(1, 10, 4), sum_of(2, 20, 5), sum_of(3, 40, 6)};
  grouping.depth = 2;
  auto rows = make({GroupField::kStack});
  ASSERT_EQ(rows.size(), 2U);
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.pages < b.pages; });
  EXPECT_EQ(rows[0].pages, 20U);
  EXPECT_EQ(rows[1].pages, 50U);
  EXPECT_THAT(rows[1].frames, ElementsAre("alloc_pages+0x1/0x9", "asker+0x1/0x9"));
  EXPECT_FALSE(rows[1].handle);

  grouping.depth = 1;
  EXPECT_EQ(make({GroupField::kStack}).size(), 1U);
  grouping.depth = 64;
  EXPECT_EQ(make({GroupField::kStack}).size(), 3U);
}

TEST_F(Rows, FieldsStandInTheOrderTheyWereAskedFor) {
  sums.groups = {sum_of(1, 10, 4)};
  sums.groups[0].key.tgid = 5;
  set_comm(sums.groups[0].key, "init");
  EXPECT_EQ(pages({GroupField::kComm, GroupField::kStack, GroupField::kTgid}),
            (Pages{{"init/5", 10}}));
  EXPECT_EQ(pages({GroupField::kTgid, GroupField::kComm}), (Pages{{"5/init", 10}}));
}

TEST_F(Rows, ProcessesThatHadOneNumberAreApart) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1), sum_of(0, 4, 1), sum_of(0, 8, 1)};
  for (std::size_t i = 0; i < sums.groups.size(); ++i) {
    sums.groups[i].key.tgid = 5;
    sums.groups[i].key.process_state = static_cast<__u8>(i);
  }
  const auto rows = make({GroupField::kTgid});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].labels[0].state, nullptr);
  EXPECT_STREQ(rows[1].labels[0].state, "living");
  EXPECT_STREQ(rows[2].labels[0].state, "dead");
  EXPECT_STREQ(rows[3].labels[0].state, "reused");
}

TEST_F(Rows, NumbersWithoutANameAreUnknown) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1), sum_of(0, 4, 1)};
  sums.groups[0].key.zone = 2;
  sums.groups[1].key.zone = 1;
  sums.groups[2].key.zone = 9;
  EXPECT_EQ(pages({GroupField::kZone}),
            (Pages{{"Normal", 1}, {"unknown(1)", 2}, {"unknown(9)", 4}}));
  sums.groups[0].key.migratetype = 1;
  sums.groups[1].key.migratetype = 5;
  EXPECT_EQ(pages({GroupField::kMigratetype}),
            (Pages{{"Movable", 1}, {"unknown(5)", 2}, {"Unmovable", 4}}));
}

TEST_F(Rows, NumbersAreNumbers) {
  sums.groups = {sum_of(0, 1, 1)};
  auto& key = sums.groups[0].key;
  key.tgid = -1;
  key.pid = 42;
  key.order = 9;
  key.nid = 1023;
  const auto rows =
      make({GroupField::kTgid, GroupField::kPid, GroupField::kOrder, GroupField::kNid});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].labels[0].number, -1);
  EXPECT_EQ(rows[0].labels[1].number, 42);
  EXPECT_EQ(rows[0].labels[2].number, 9);
  EXPECT_EQ(rows[0].labels[3].number, 1023);
  EXPECT_EQ(rows[0].labels[3].text, "1023");
}

TEST_F(Rows, MasksOfGfpAreNames) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1)};
  sums.groups[0].key.gfp_mask = 0xdc0;
  EXPECT_EQ(pages({GroupField::kGfp}), (Pages{{"GFP_KERNEL|__GFP_ZERO", 1}, {"0", 2}}));
}

TEST_F(Rows, TaskNamesMayFillTheirField) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1)};
  set_comm(sums.groups[0].key, "0123456789abcdef");
  EXPECT_EQ(pages({GroupField::kComm}), (Pages{{"0123456789abcdef", 1}, {"", 2}}));
}

TEST_F(Rows, CgroupsOfOneNameAreApart) {
  session.context.cgroups[9] = session.context.cgroups[8];
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1), sum_of(0, 4, 1), sum_of(0, 8, 1),
                 sum_of(0, 16, 1)};
  sums.groups[0].key.cgroup_id = 7;
  sums.groups[1].key.cgroup_id = 8;
  sums.groups[2].key.cgroup_id = 8;
  sums.groups[2].key.memcg_flags = POBPF_MEMCG_OFFLINE;
  sums.groups[3].key.cgroup_id = 9;
  sums.groups[3].key.memcg_flags = POBPF_MEMCG_OFFLINE;
  EXPECT_EQ(pages({GroupField::kMemcg}), (Pages{{"/user-1000/app.slice", 1},
                                                {"/user-1001/app.slice", 2},
                                                {"/user-1001/app.slice (offline, id 8)", 4},
                                                {"/user-1001/app.slice (offline, id 9)", 8},
                                                {"(none)", 16}}));
  // an import has names and numbers of its own
  session.kernel.texts.emplace();
  session.context.cgroups[8] = "app.slice";
  sums.groups.resize(3);
  EXPECT_EQ(pages({GroupField::kMemcg}),
            (Pages{{"/user-1000/app.slice", 1}, {"app.slice", 2}, {"app.slice (offline)", 4}}));
}

TEST_F(Rows, AnUnknownCgroupIsNotNone) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1)};
  sums.groups[1].key.memcg_flags = POBPF_MEMCG_UNKNOWN;
  EXPECT_EQ(pages({GroupField::kMemcg}), (Pages{{"(none)", 1}, {"(unknown)", 2}}));
}

TEST_F(Rows, ReasonsOfMigrationAreNamedAndNeverIsNone) {
  session.kernel.migrate_reason_names = {"compaction", "memory_failure"};
  session.kernel.migrate_reason_never = -1;
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1), sum_of(0, 4, 1)};
  sums.groups[0].key.last_migrate_reason = -1;
  sums.groups[1].key.last_migrate_reason = 1;
  sums.groups[2].key.last_migrate_reason = 9;
  EXPECT_EQ(pages({GroupField::kMigrateReason}),
            (Pages{{"(none)", 1}, {"memory_failure", 2}, {"unknown(9)", 4}}));
}

TEST_F(Rows, WhetherPagesWereFreedBefore) {
  sums.groups = {sum_of(0, 1, 1), sum_of(0, 2, 1)};
  sums.groups[1].key.was_freed = 1;
  EXPECT_EQ(pages({GroupField::kFreed}), (Pages{{"never", 1}, {"before", 2}}));
}

TEST_F(Rows, WhatCannotBeNamedIsThereAndSaidOnceARow) {
  sums.groups = {sum_of(9, 1, 1), sum_of(1, 2, 1)};
  EXPECT_EQ(pages({GroupField::kFunction}), (Pages{{"(unreadable stack)", 1}, {"asker", 2}}));
  EXPECT_EQ(errors.size(), 1U);
  sums.groups[0].key.cgroup_id = 99;
  EXPECT_EQ(pages({GroupField::kMemcg}), (Pages{{"(cgroup 99)", 1}, {"(none)", 2}}));
  EXPECT_EQ(errors.size(), 2U);
  auto rows = make({GroupField::kStack});
  for (Row& row : rows)
    row.frames = frames_of(row, session, [&](Error error) { errors.push_back(error); });
  EXPECT_EQ(errors.size(), 3U);
}

/// An import may have the number of a mask alone.
TEST_F(Rows, MasksWithoutNamesAreTheirNumbers) {
  session.kernel.texts.emplace();
  session.kernel.texts->gfp[0xcc0].names = "GFP_KERNEL";
  session.kernel.texts->gfp[0].names = "";
  sums.groups.clear();
  for (const std::uint32_t mask : {0xcc0U, 0U, 0x140U}) {
    sums.groups.push_back(sum_of(1, 1, 1));
    sums.groups.back().key.gfp_mask = mask;
  }
  EXPECT_EQ(pages({GroupField::kGfp}), (Pages{{"0", 1}, {"0x140", 1}, {"GFP_KERNEL", 1}}));
}

/// A stack that is not there yet takes room, and one that is there does not.
TEST_F(Rows, StacksOfAnIndexTakeOfTheRoomOfRows) {
  StackIndex index;
  grouping.stacks = &index;
  grouping.depth = 3;
  sums.groups = {sum_of(1, 10, 4), sum_of(2, 20, 5)};
  session.row_bytes = 0;
  const auto without_room = make({GroupField::kStack});
  ASSERT_EQ(without_room.size(), 1U);
  EXPECT_EQ(without_room[0].kind, RowKind::kOther);
  EXPECT_EQ(without_room[0].pages, 30U);
  session.row_bytes = 1'000'000;
  EXPECT_EQ(make({GroupField::kStack}).size(), 2U);
  const std::vector<Frame>& frames = (*session.stack(1))->frames;
  EXPECT_EQ(index.bytes_to_add(frames), 0U);
  EXPECT_GT(index.bytes_to_add(std::span(frames).first(1)), 0U);
}

TEST_F(Rows, IgnoredGroupsAreOneRowThatSaysHowMany) {
  sums.groups = {sum_of(1, 10, 4), sum_of(2, 20, 5), sum_of(3, 40, 6), sum_of(0, 80, 7)};
  grouping.ignored_functions = {"out*"};
  const auto rows = make({GroupField::kStack});
  ASSERT_EQ(rows.size(), 3U);
  const auto ignored = std::find_if(rows.begin(), rows.end(),
                                    [](const Row& row) { return row.kind == RowKind::kIgnored; });
  ASSERT_NE(ignored, rows.end());
  EXPECT_EQ(ignored->pages, 30U);
  EXPECT_EQ(ignored->nr_rows, 2U);
  EXPECT_FALSE(ignored->handle);
}

TEST_F(Rows, IgnoredStacksNeedStacksFromTheKernel) {
  grouping.fields = {GroupField::kTgid};
  EXPECT_EQ(grouping.kernel_fields(), POBPF_GROUP_TGID);
  grouping.ignored_functions = {"f"};
  EXPECT_EQ(grouping.kernel_fields(), POBPF_GROUP_TGID | POBPF_GROUP_HANDLE);
  grouping.wants_age = true;
  EXPECT_EQ(grouping.kernel_fields(), POBPF_GROUP_TGID | POBPF_GROUP_HANDLE | POBPF_GROUP_TIME);
}

TEST_F(Rows, WhatFoundNoRoomIsARowOfItsOwn) {
  sums.groups = {sum_of(1, 10, 4)};
  sums.other = {100, 50, {0, 7}};
  const auto rows = make({GroupField::kTgid});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].kind, RowKind::kOther);
  EXPECT_EQ(rows[1].pages, 100U);
  EXPECT_EQ(rows[1].allocations, 50U);
}

TEST_F(Rows, KeysTellRowsApart) {
  sums.groups = {sum_of(1, 1, 1), sum_of(2, 1, 1), sum_of(3, 1, 1), sum_of(1, 1, 1)};
  sums.groups[3].key.tgid = 1;
  sums.other = {1, 1, {}};
  std::map<std::string, int> keys;
  for (const Row& row : make({GroupField::kStack, GroupField::kTgid})) ++keys[row.key];
  EXPECT_EQ(keys.size(), 5U);
}

TEST(MeanAge, IsThatOfTheAllocations) {
  Row row;
  row.allocations = 4;
  row.pages = 400;
  add_time(row.time, 4 * 1000);
  EXPECT_EQ(row.mean_age_ns(1000 + 5), 5U);
  EXPECT_EQ(row.mean_age_ns(0), 0U) << "the clock of another CPU may be ahead";
  row.time = {};
  EXPECT_FALSE(row.mean_age_ns(5));
  row = Row();
  EXPECT_FALSE(row.mean_age_ns(5));
}

/// 64 TB of single pages on a machine that has run for ten years, in as many groups as there are
/// pages in a window, so that each is a sum of sums.
TEST(MeanAge, IsThatOfTheLargestMachineAndTheLongestRun) {
  constexpr std::uint64_t kTenYears = 10ULL * 366 * 86400 * 1'000'000'000;
  constexpr std::uint64_t kGroups = 256;
  constexpr std::uint64_t kAllocations = std::uint64_t{1} << 34;
  pobpf_time_sum one{};
  add_time(one, kTenYears - 12'345);
  Row total;
  for (std::uint64_t group = 0; group < kGroups; ++group) {
    Row row;
    row.allocations = row.pages = kAllocations / kGroups;
    row.time = {one.high * row.allocations, one.low * row.allocations};
    total.add(row);
  }
  EXPECT_EQ(total.allocations, kAllocations);
  EXPECT_EQ(total.mean_age_ns(kTenYears), 12'345U);
  EXPECT_EQ(mean_time(total.time, total.allocations), kTenYears - 12'345);
}

}  // namespace
}  // namespace pobpf
