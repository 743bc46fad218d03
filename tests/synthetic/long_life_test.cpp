// SPDX-License-Identifier: GPL-2.0-only
// A session that outlives what it has learned.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <cerrno>
#include <chrono>
#include <iterator>
#include <optional>
#include <thread>

#include "kernel/cgroup_path.h"
#include "synthetic/machine_test.h"
#include "unit/util/made_up_controllers.h"
#include "util/fd.h"

namespace pobpf::synthetic {
namespace {

using testing::HasSubstr;

class LongLife : public MachineTestBase {
 protected:
  void SetUp() override {
    MachineTestBase::SetUp();
    if (!machine_) return;
    ASSERT_TRUE(machine_->add_section(0));
  }
  /// Charges as many pages to a cgroup each, whose ids begin with `first`.
  void charge_pages(std::uint64_t first, std::uint64_t nr_cgroups, std::uint64_t above = 0) {
    for (std::uint64_t i = 0; i < nr_cgroups; ++i) {
      const auto memcg =
          machine_->add_cgroup(first + i, fmt::format("name {}", first + i), true, above);
      ASSERT_TRUE(memcg) << memcg.error().what;
      machine_->allocate(i, {.memcg_data = *memcg});
    }
  }
  std::string name_of(std::uint64_t cgroup_id) {
    return std::string(session_->cgroup_name(cgroup_id).value_or("?"));
  }
};

TEST_F(LongLife, CgroupsOfEarlierReadingsLeaveRoomForLaterOnes) {
  constexpr std::uint64_t kCgroups = 7'000;
  open(kNewestObject);
  for (std::uint64_t reading = 0; reading < 4; ++reading) {
    const std::uint64_t first = 1 + reading * kCgroups;
    charge_pages(first, kCgroups);
    if (reading % 2 == 0) {
      const Delivered delivered = read();
      ASSERT_EQ(delivered.pages.size(), kCgroups);
      EXPECT_EQ(delivered.account.cgroup_errors, 0U);
      for (const pobpf_page& page : delivered.pages)
        ASSERT_EQ(name_of(page.cgroup_id), fmt::format("name {}", first + page.pfn));
    } else {
      SumRequest request;
      request.group_by = POBPF_GROUP_MEMCG;
      auto sums = session_->sum_groups({}, request, {});
      ASSERT_TRUE(sums) << sums.error().what;
      EXPECT_EQ(sums->account.cgroup_errors, 0U);
      ASSERT_EQ(sums->groups.size(), kCgroups);
      for (const GroupSum& group : sums->groups) {
        ASSERT_GE(group.key.cgroup_id, first);
        ASSERT_EQ(name_of(group.key.cgroup_id), fmt::format("name {}", group.key.cgroup_id));
      }
    }
  }
}

TEST_F(LongLife, CgroupsForWhoseNamesThereIsNoRoomHaveNone) {
  constexpr std::uint64_t kCgroups = 20'000;
  open(kNewestFiltersObject);
  charge_pages(1, kCgroups);
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), kCgroups);
  EXPECT_EQ(delivered.account.torn, 0U);
  std::uint64_t nr_unnamed = 0;
  for (const pobpf_page& page : delivered.pages) {
    ASSERT_EQ(page.cgroup_id, page.pfn + 1);
    const auto name = session_->cgroup_name(page.cgroup_id);
    if (!name)
      ++nr_unnamed;
    else
      ASSERT_EQ(*name, fmt::format("name {}", page.cgroup_id));
  }
  EXPECT_GT(nr_unnamed, 0U);
  EXPECT_EQ(delivered.account.cgroup_errors, nr_unnamed);

  SumRequest request;
  request.group_by = POBPF_GROUP_MEMCG;
  auto sums = session_->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(sums->groups.size(), kCgroups);
}

TEST_F(LongLife, CgroupsForWhoseNamesThereIsNoRoomAreFilteredByTheirPlace) {
  constexpr std::uint64_t kCgroups = 20'000;
  // that of the machine that the test runs on, as filters look paths up there
  std::optional<test::MadeUpControllers> made_up;
  if (!find_cgroup_id("/")) {
    ASSERT_EQ(made_up.emplace().set("cpu memory"), 0);
  }
  const auto root_id = find_cgroup_id("/");
  ASSERT_TRUE(root_id) << root_id.error().what;
  ASSERT_TRUE(machine_->add_cgroup(*root_id, "top"));
  const std::uint64_t first = *root_id + 1;
  charge_pages(first, kCgroups, *root_id);
  const auto elsewhere = machine_->add_cgroup(first + kCgroups, "elsewhere");
  ASSERT_TRUE(elsewhere);
  machine_->allocate(kCgroups, {.memcg_data = *elsewhere});
  open(kNewestFiltersObject);
  ReaderView view;
  view.filter.memcgs.wanted = {"/"};
  const Delivered delivered = read(view);
  EXPECT_EQ(delivered.pages.size(), kCgroups + (*root_id == kRootCgroup ? 1 : 0));
  EXPECT_EQ(delivered.account.torn, 0U);
  EXPECT_GT(delivered.account.cgroup_errors, 0U);
}

TEST_F(LongLife, PathsThatAreNotKnownToTheRootAreNone) {
  // a cgroup and one above it take two places: one gets the last place, and that above it none
  constexpr std::uint64_t kPairs = 10'000;
  constexpr std::uint64_t kAbove = 1'000'000;
  for (std::uint64_t i = 1; i <= kPairs; ++i)
    ASSERT_TRUE(machine_->add_cgroup(kAbove + i, fmt::format("above {}", i)));
  for (std::uint64_t i = 1; i <= kPairs; ++i) {
    const auto memcg =
        machine_->add_cgroup(kRootCgroup + i, fmt::format("name {}", i), true, kAbove + i);
    ASSERT_TRUE(memcg);
    machine_->allocate(i, {.memcg_data = *memcg});
  }
  open(kNewestObject, true);
  ASSERT_EQ(read().pages.size(), kPairs);
  std::uint64_t nr_paths = 0;
  for (std::uint64_t i = 1; i <= kPairs; ++i) {
    ASSERT_EQ(name_of(kRootCgroup + i), fmt::format("name {}", i));
    const auto path = session_->cgroup_path(kRootCgroup + i);
    if (!path) continue;
    ++nr_paths;
    ASSERT_EQ(*path, fmt::format("/above {}/name {}", i, i));
  }
  EXPECT_GT(nr_paths, 8'000U);
  EXPECT_LT(nr_paths, kPairs);
}

TEST_F(LongLife, PathsThatAreDeeperThanIsLookedAtAreNone) {
  constexpr std::uint64_t kDepth = 80;
  std::uint64_t above = 0;
  for (std::uint64_t id = kRootCgroup + 1; id <= kRootCgroup + kDepth; above = id++) {
    const auto memcg = machine_->add_cgroup(id, "level", true, above);
    ASSERT_TRUE(memcg);
    if (id == kRootCgroup + kDepth) machine_->allocate(0, {.memcg_data = *memcg});
  }
  open(kNewestObject, true);
  ASSERT_EQ(read().pages.size(), 1U);
  EXPECT_EQ(name_of(kRootCgroup + kDepth), "level");
  EXPECT_FALSE(session_->cgroup_path(kRootCgroup + kDepth));
}

TEST_F(LongLife, NamesOfCgroupsAreThoseOfTheLastReading) {
  charge_pages(5, 1);
  open(kNewestObject);
  read();
  EXPECT_EQ(name_of(5), "name 5");
  machine_->rename_cgroup(5, "another");
  EXPECT_EQ(name_of(5), "name 5");
  read();
  EXPECT_EQ(name_of(5), "another");
}

TEST_F(LongLife, AReaderKeepsItsNamesWhileOthersBegin) {
  charge_pages(5, 1);
  machine_->allocate(kSectionPages - 1, {});
  open(kNewestObject);
  auto first = session_->open_reader({});
  ASSERT_TRUE(first) << first.error().what;
  (*first)->set_read_bytes(sizeof(pobpf_page));
  bool at_end = false;
  auto pages = (*first)->next(at_end);
  ASSERT_TRUE(pages) << pages.error().what;
  ASSERT_EQ(pages->size(), 1U);
  const std::uint64_t cgroup_id = pages->front().cgroup_id;
  // nobody else meets that cgroup
  machine_->release(0, 0);
  for (int i = 0; i < 3; ++i) read();
  EXPECT_EQ(name_of(cgroup_id), "name 5");
}

/// The kernel's code at an address comes and goes, as that of modules does.
TEST_F(LongLife, FunctionsAreNamedAnewByEachReading) {
  const bpf_insn insns[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                            {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  Fd program(bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "comes_and_goes", "GPL", insns,
                           std::size(insns), nullptr));
  ASSERT_TRUE(program) << errno;
  bpf_prog_info info{};
  std::uint64_t address = 0;
  info.nr_jited_ksyms = 1;
  info.jited_ksyms = reinterpret_cast<std::uint64_t>(&address);
  std::uint32_t size = sizeof(info);
  ASSERT_EQ(bpf_obj_get_info_by_fd(program.get(), &info, &size), 0);
  if (address == 0) GTEST_SKIP() << "programs are not compiled here";

  const auto handle = machine_->add_stack({address});
  ASSERT_TRUE(handle);
  open(kNewestObject);
  const auto name = [&] { return (*session_->stack(*handle).value()).frames.at(0).symbol; };
  EXPECT_THAT(name(), HasSubstr("comes_and_goes"));
  program.reset();
  EXPECT_THAT(name(), HasSubstr("comes_and_goes"));
  // it goes when nobody can be running it any more
  for (int i = 0; i < 100; ++i) {
    read();
    if (name().find("comes_and_goes") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_THAT(name(), testing::Not(HasSubstr("comes_and_goes")));
}

}  // namespace
}  // namespace pobpf::synthetic
