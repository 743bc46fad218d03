// SPDX-License-Identifier: GPL-2.0-only
#include "sum/blockers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <sstream>

#include "../format/documented_columns.h"
#include "../reader/made_up_session.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;
using samples::set_comm;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr unsigned kOrder = 4;
constexpr std::uint32_t kBlock = 1U << kOrder;
constexpr std::uint8_t kCma = 4;
constexpr std::uint8_t kIsolate = 5;

class BlockersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    session_.context.add_stack(1, {"first+0x1/0x9"});
    session_.context.add_stack(2, {"first+0x2/0x9"});
    session_.context.add_stack(3, {"second+0x1/0x9"});
    session_.kernel.migratetype_names = {"Unmovable",  "Movable", "Reclaimable",
                                         "HighAtomic", "CMA",     "Isolate"};
  }

  static pobpf_blocker blocker(std::uint32_t handle, std::uint32_t nr_pages,
                               pobpf_blocker_kind kind = POBPF_BLOCKER_UNMOVABLE,
                               pobpf_holder holder = POBPF_HOLDER_OWNER) {
    pobpf_blocker blocker{};
    blocker.kind = POBPF_ITEM_BLOCKER;
    blocker.blocker = static_cast<__u8>(kind);
    blocker.holder = static_cast<__u8>(holder);
    blocker.nr_pages = nr_pages;
    blocker.key.handle = handle;
    return blocker;
  }

  /// A window behind the last one, of half a block; what is not held is free.
  pobpf_window_state& add(std::vector<pobpf_blocker> blockers, std::uint32_t nr_movable = 0) {
    pobpf_window_state state{};
    state.kind = POBPF_ITEM_WINDOW_STATE;
    state.pfn = windows_.size() * (kBlock / 2);
    state.nr_pages = kBlock / 2;
    state.nr_movable = nr_movable;
    for (pobpf_blocker& blocker : blockers) {
      blocker.pfn = state.pfn + 1;
      state.nr_blocking += blocker.nr_pages;
    }
    state.nr_free = state.nr_pages - state.nr_movable - state.nr_blocking;
    blockers_.push_back(std::move(blockers));
    windows_.push_back({state, blockers_.back()});
    return windows_.back().state;
  }

  BlockerRows make(std::optional<std::size_t> limit = {},
                   BlockPurpose purpose = BlockPurpose::kOrder, bool compacts_unevictable = true) {
    BlockerTally tally(kOrder, make_block_rules(purpose, compacts_unevictable, session_.kernel),
                       groups_max_);
    for (const WindowBlockers& window : windows_) tally.add(window);
    tally.finish();
    auto rows = make_blocker_rows(tally, grouping_, session_, limit, [](const Error&) {});
    const BlockStates& states = rows.states;
    EXPECT_EQ(states.blocks, states.free + states.movable + states.one_owner +
                                 states.several_owners + states.unusable);
    return rows;
  }

  /// "FIRST LABEL: BLOCKS ALONE PAGES".
  static std::vector<std::string> texts(const BlockerRows& rows) {
    std::vector<std::string> result;
    for (const BlockerRow& row : rows.rows)
      result.push_back(fmt::format("{}: {} {} {}",
                                   row.row.labels.empty() ? "-" : row.row.labels.front().text,
                                   row.blocks, row.alone, row.row.pages));
    return result;
  }

  test::MadeUpSession session_;
  Grouping grouping_{.fields = {GroupField::kFunction}, .depth = {}, .ignored_functions = {}};
  std::uint32_t groups_max_ = 100;
  std::deque<std::vector<pobpf_blocker>> blockers_;
  std::vector<WindowBlockers> windows_;
};

TEST_F(BlockersTest, EachBlockIsInOneState) {
  add({});
  add({});  // free
  add({}, 1);
  add({});  // movable only
  add({blocker(1, 1)});
  add({blocker(2, 1)});  // two stacks of one function
  add({blocker(1, 1)});
  add({blocker(3, 1)});  // two owners
  add({}).nr_free -= 1;  // a page that cannot be used
  add({});
  add({}).zone = 1;  // two zones
  add({});
  add({blocker(3, 2)});  // half a block: there is no other memory
  const BlockerRows rows = make();
  EXPECT_EQ(rows.states.blocks, 7U);
  EXPECT_EQ(rows.states.free, 1U);
  EXPECT_EQ(rows.states.movable, 1U);
  EXPECT_EQ(rows.states.one_owner, 1U);
  EXPECT_EQ(rows.states.several_owners, 1U);
  EXPECT_EQ(rows.states.unusable, 3U);
  // what is in blocks that cannot be used anyway keeps nothing
  EXPECT_THAT(texts(rows), ElementsAre("first: 2 1 3", "second: 1 0 1", "-: 2 1 4"));
}

TEST_F(BlockersTest, WhoAloneKeepsMostBlocksComesFirst) {
  for (int i = 0; i < 3; ++i) {
    add({blocker(3, 8)});
    add({blocker(1, 1)});
  }
  for (int i = 0; i < 2; ++i) {
    add({blocker(1, 1)});
    add({});
  }
  EXPECT_THAT(texts(make()), ElementsAre("first: 5 2 5", "second: 3 0 24", "-: 5 2 29"));
}

TEST_F(BlockersTest, TheRestIsOneRowWhoseBlocksAreThoseOfAnyOfThem) {
  grouping_.fields = {GroupField::kStack};
  add({blocker(1, 1)});
  add({});
  add({blocker(1, 1)});
  add({blocker(2, 1), blocker(3, 1)});
  add({blocker(2, 1), blocker(3, 1)});
  add({});
  const BlockerRows rows = make(1);
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_EQ(rows.rows[1].row.kind, RowKind::kRest);
  EXPECT_EQ(rows.rows[1].row.nr_rows, 2U);
  EXPECT_EQ(rows.rows[1].blocks, 2U);
  EXPECT_EQ(rows.rows[1].alone, 1U) << "both are of the rest";
  EXPECT_EQ(rows.rows[2].blocks, 3U);
  EXPECT_EQ(rows.rows[2].alone, 1U);
}

TEST_F(BlockersTest, WhatIsInTheWayDependsOnThePurpose) {
  add({blocker(1, 1, POBPF_BLOCKER_HUGETLB)});
  add({});
  add({blocker(1, 1, POBPF_BLOCKER_MLOCKED)});
  add({});
  EXPECT_THAT(texts(make()), ElementsAre("first: 1 1 1", "-: 1 1 1"));
  EXPECT_EQ(make().states.movable, 1U);
  EXPECT_THAT(texts(make({}, BlockPurpose::kOrder, false)),
              ElementsAre("first: 2 2 2", "-: 2 2 2"));
  for (const BlockPurpose purpose : {BlockPurpose::kCma, BlockPurpose::kOffline})
    EXPECT_EQ(make({}, purpose, false).states.movable, 2U);
}

TEST_F(BlockersTest, MigratetypesKeepBlocksFromWhatTheyAreWantedFor) {
  add({}).migratetype = kIsolate;
  add({});
  add({});
  add({}).migratetype = kCma;
  EXPECT_EQ(make().states.unusable, 1U);
  EXPECT_EQ(make({}, BlockPurpose::kCma).states.unusable, 1U);
  EXPECT_EQ(make({}, BlockPurpose::kOffline).states.unusable, 2U);
}

TEST_F(BlockersTest, PagesWithoutAnOwnerAreRowsOfTheirOwn) {
  grouping_.fields = {GroupField::kFunction, GroupField::kComm};
  add({blocker(0, 1, POBPF_BLOCKER_RESERVED, POBPF_HOLDER_NOBODY)});
  add({blocker(0, 2, POBPF_BLOCKER_SLAB, POBPF_HOLDER_NOBODY),
       blocker(0, 1, POBPF_BLOCKER_UNOWNED, POBPF_HOLDER_NOBODY)});
  add({blocker(0, 4, POBPF_BLOCKER_SLAB, POBPF_HOLDER_SELF)});
  add({});
  const BlockerRows rows = make();
  EXPECT_THAT(texts(rows), ElementsAre("(pobpf itself): 1 1 4", "(unowned): 1 0 3",
                                       "(reserved): 1 0 1", "-: 2 1 8"));
  EXPECT_EQ(rows.rows[1].kinds_text, "slab, unowned");
  EXPECT_EQ(rows.rows[1].first_pfn, kBlock / 2 + 1);
}

TEST_F(BlockersTest, OwnersBeyondTheLimitAreOne) {
  groups_max_ = 1;
  add({blocker(1, 1)});
  add({blocker(3, 2)});
  const BlockerRows rows = make();
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_EQ(rows.rows[1].row.kind, RowKind::kOther);
  EXPECT_EQ(rows.rows[1].row.pages, 2U);
  EXPECT_EQ(rows.rows[1].blocks, 1U);
}

/// The kernel's side has no room for more slab caches and files, whatever kind of page it is.
TEST_F(BlockersTest, OwnersWithoutRoomAreOneWhateverTheirKinds) {
  std::vector<pobpf_blocker> blockers = {blocker(1, 1, POBPF_BLOCKER_PINNED),
                                         blocker(1, 2, POBPF_BLOCKER_SLAB)};
  for (pobpf_blocker& blocker : blockers) {
    blocker.key = {};
    blocker.key.is_other = 1;
  }
  add(std::move(blockers));
  add({});
  const BlockerRows rows = make();
  ASSERT_EQ(rows.rows.size(), 2U);
  EXPECT_EQ(rows.rows[0].row.kind, RowKind::kOther);
  EXPECT_EQ(rows.rows[0].row.pages, 3U);
  EXPECT_EQ(rows.rows[0].kinds_text, "slab, pinned");
  EXPECT_EQ(rows.rows[0].alone, 1U);
}

TEST_F(BlockersTest, NothingAtAll) { EXPECT_THAT(texts(make()), ElementsAre("-: 0 0 0")); }

class BlockerOutput : public BlockersTest {
 protected:
  void SetUp() override {
    BlockersTest::SetUp();
    grouping_.fields = {GroupField::kFunction, GroupField::kComm};
    pobpf_blocker first = blocker(1, 3, POBPF_BLOCKER_PINNED);
    set_comm(first.key, "qemu, 1");
    add({first}).free_orders = 4;
    add({});
    add({});
    add({});
    rows_ = make();
    summary_ = {rows_.states, kOrder, 4096, true};
  }
  BlockerRows rows_;
  BlockSummary summary_;
};

TEST_F(BlockerOutput, IsATableBelowTheState) {
  std::string out;
  ASSERT_TRUE(append_blockers(out, summary_, rows_.rows, grouping_, {}, {}));
  EXPECT_EQ(out,
            "2 blocks of order 4 (64K): 1 free, 0 movable only, 1 held by one owner, 0 by several, "
            "0 unusable\n"
            "largest free order: 3\n"
            "\n"
            "BLOCKS  ALONE  PAGES  FIRST PFN  WHY     FUNCTION  COMM\n"
            "     1      1      3        0x1  pinned  first     qemu, 1\n"
            "     1      1      3        0x1  pinned  (total)\n");
}

TEST_F(BlockerOutput, OfAFileSaysWhatThatCannotKnow) {
  summary_.knows_blocks = false;
  std::string out;
  ASSERT_TRUE(append_blockers(out, summary_, rows_.rows, grouping_, {}, {}));
  EXPECT_THAT(out, StartsWith("2 blocks of order 4 (64K): 1 without records, "));
  EXPECT_THAT(out, HasSubstr("nor which are pinned"));
  EXPECT_THAT(out, ::testing::Not(HasSubstr("largest free order")));
}

TEST_F(BlockerOutput, JsonHasALineForTheBlocksAndOneForEachRow) {
  std::string out;
  append_blockers_json(out, summary_, rows_.rows, grouping_, {});
  std::istringstream lines(out);
  std::vector<Json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0], Json::parse(R"({"kind": "blocks", "order": 4, "blocks": 2, "free": 1,
            "movable": 0, "one_owner": 1, "several_owners": 0, "unusable": 0,
            "largest_free_order": 3})"));
  EXPECT_EQ(objects[1], Json::parse(R"({"kind": "group", "blocks": 1, "alone": 1, "pages": 3,
            "first_pfn": 1, "why": "pinned", "function": "first", "comm": "qemu, 1"})"));
  EXPECT_EQ(objects[2]["kind"], "total");
}

TEST_F(BlockerOutput, CsvHasTheStatesAsRows) {
  std::string out;
  append_blockers_csv(out, summary_, rows_.rows, grouping_, {});
  EXPECT_EQ(out,
            "kind,blocks,alone,pages,first_pfn,why,function,comm\r\n"
            "free,1,,,,,,\r\n"
            "movable,0,,,,,,\r\n"
            "one_owner,1,,,,,,\r\n"
            "several_owners,0,,,,,,\r\n"
            "unusable,0,,,,,,\r\n"
            "group,1,1,3,1,pinned,first,\"qemu, 1\"\r\n"
            "total,1,1,3,1,pinned,,\r\n");
}

TEST(BlockerColumns, AreThoseOfTheDocument) {
  EXPECT_THAT(samples::document("blockers.md"),
              HasSubstr(samples::documented_columns(blocker_columns())));
}

}  // namespace
}  // namespace pobpf
