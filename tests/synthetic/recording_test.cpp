// SPDX-License-Identifier: GPL-2.0-only
// Filters and sums of a recording against those that BPF makes of the memory that was recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "../unit/util/temp_dir.h"
#include "snapshot/snapshot_session.h"
#include "snapshot/snapshot_writer.h"
#include "synthetic/filter_cases.h"
#include "synthetic/machine_test.h"

namespace pobpf::synthetic {
namespace {

class Recording : public MachineTestBase {
 protected:
  void SetUp() override {
    MachineTestBase::SetUp();
    if (!machine_) return;
    fill_at_random(*machine_);
    // some of each kind, tails of compound pages among them
    for (std::uint64_t pfn = 0; pfn < kRandomSections * kSectionPages; pfn += 4096) {
      machine_->allocate(pfn, {.page_type = 0xf5ffffff, .free_handle = 5});
      machine_->set_tail(pfn + 1, pfn);
      machine_->allocate(pfn + 2, {.handle = 7, .mapping = 0x1001});
      machine_->allocate(pfn + 3, {.handle = 8, .mapping = 0x1000, .free_pid = 9});
    }
    ASSERT_TRUE(machine_->set_local_clock(std::uint64_t{1} << 49));
    for (std::uint32_t tgid = 10; tgid < 40; ++tgid)
      ASSERT_TRUE(machine_->add_process(tgid, std::uint64_t{1} << 48));
    open(kNewestObject, true);
    if (session_) record();
    session_.reset();
    open(kNewestFiltersObject);
  }

  void record() {
    SnapshotHeader header;
    header.facts = session_->facts();
    header.page_types = session_->page_types();
    header.nodes = {{0, {0, 1}}, {1, {0, 1}}};
    header.max_nodes = 64;
    header.local_clock_ns = 1ULL << 50;
    std::string file;
    SnapshotWriter writer(*session_, file, kLevelMin, FreeSidePolicy::kRecord);
    ASSERT_TRUE(writer.begin(header));
    auto reader = session_->open_reader({});
    ASSERT_TRUE(reader) << reader.error().what;
    for (bool at_end = false; !at_end;) {
      auto pages = (*reader)->next(at_end);
      ASSERT_TRUE(pages) << pages.error().what;
      ASSERT_TRUE(writer.append(*pages, kAllPageFields, (*reader)->details()));
    }
    ASSERT_TRUE(writer.end((*reader)->account()));
    dir_.write("snapshot", file);
  }

  std::unique_ptr<SnapshotSession> snapshot() {
    auto opened = SnapshotSession::open(dir_ / "snapshot", DamagePolicy::kRefuse);
    EXPECT_TRUE(opened) << opened.error().what;
    return opened ? *std::move(opened) : nullptr;
  }

  /// The same pages and the same account from both.
  void expect_same(const FilterSpec& filter) {
    const ReaderView view{filter, POBPF_MODE_STACK};
    const Delivered live = read(view);
    auto recorded = snapshot();
    ASSERT_TRUE(recorded);
    const Delivered reported = read_from(*recorded, view);
    ASSERT_EQ(reported.pages.size(), live.pages.size());
    for (std::size_t i = 0; i < live.pages.size(); ++i)
      ASSERT_EQ(reported.pages[i], live.pages[i]) << "record " << i;
    EXPECT_EQ(counts(reported.account), counts(live.account));
    EXPECT_EQ(reported.details.size(), reported.pages.size());
  }

  using Groups = std::map<std::string, std::vector<std::uint64_t>>;
  static Groups groups_of(const GroupSums& sums) {
    Groups groups;
    for (const GroupSum& group : sums.groups)
      groups[{reinterpret_cast<const char*>(&group.key), sizeof(group.key)}] = {
          group.sum.pages, group.sum.allocations, group.sum.time.high, group.sum.time.low};
    return groups;
  }

  const test::TempDir dir_;
};

TEST_F(Recording, EachFilterIsThatOfTheKernel) {
  for (const Case& filter : cases()) {
    SCOPED_TRACE(filter.name);
    FilterSpec spec;
    filter.set(spec);
    expect_same(spec);
  }
}

TEST_F(Recording, ProcessesAreDeadAsWhenItWasRecorded) {
  for (const bool is_dead : {true, false}) {
    FilterSpec filter;
    filter.is_dead = is_dead;
    expect_same(filter);
    EXPECT_GT(read({.filter = filter}).pages.size(), 100U);
  }
}

/// A page is counted under the first filter that it does not pass.
TEST_F(Recording, AllFiltersAtOnceAreTestedInTheOrderOfTheKernel) {
  FilterSpec all;
  all.nodes.emplace().set(1);
  all.zones.rejected = {"Normal"};
  all.flags.none = {"dirty"};
  all.orders.wanted = {{0, 2}};
  all.block_migratetypes.rejected = {"Isolate"};
  all.handles.wanted = {{3, 27}};
  all.until = ClockTime{false, 3ULL << 48};
  all.gfp.any = {"0x40", "0x100", "0x200"};
  all.migratetypes.rejected = {"Reclaimable"};
  all.is_mixed = true;
  all.tgids.rejected = {{10, 29}};
  all.pids.wanted = {{0, 250}};
  all.comms.rejected = {"a"};
  expect_same(all);
}

TEST_F(Recording, SumsAreThoseOfTheKernel) {
  FilterSpec movable;
  movable.block_migratetypes.wanted = {"Movable"};
  for (const FilterSpec& filter : {FilterSpec(), movable}) {
    for (std::uint32_t group_by = 1; group_by < 1U << POBPF_NR_GROUP_BITS; group_by <<= 1) {
      SCOPED_TRACE(group_by);
      for (const std::uint32_t also : {0U, static_cast<std::uint32_t>(POBPF_GROUP_ORDER)}) {
        SumRequest request;
        request.group_by = group_by | also;
        auto live = session_->sum_groups({filter, POBPF_MODE_STACK}, request, {});
        ASSERT_TRUE(live) << live.error().what;
        auto reported = snapshot()->sum_groups({filter, POBPF_MODE_STACK}, request, {});
        ASSERT_TRUE(reported) << reported.error().what;
        EXPECT_EQ(groups_of(*reported), groups_of(*live));
        EXPECT_EQ(counts(reported->account), counts(live->account));
      }
    }
  }
}

TEST_F(Recording, GroupsBeyondTheLimitAreSummedUpTogether) {
  SumRequest request;
  request.group_by = POBPF_GROUP_PID;
  request.groups_max = 10;
  auto sums = snapshot()->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(sums->groups.size(), 10U);
  std::uint64_t nr_allocations = sums->other.allocations;
  EXPECT_GT(nr_allocations, 0U);
  for (const GroupSum& group : sums->groups) nr_allocations += group.sum.allocations;
  EXPECT_EQ(nr_allocations, sums->account.emitted);
}

}  // namespace
}  // namespace pobpf::synthetic
