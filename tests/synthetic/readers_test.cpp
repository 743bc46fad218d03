// SPDX-License-Identifier: GPL-2.0-only
// Several readers of one loaded object, many nodes, terabytes, and sums.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "../unit/util/memory_peak.h"
#include "format/page_formatter.h"
#include "kernel/local_clock.h"
#include "kernel/program_ids.h"
#include "reader/command_checks.h"
#include "synthetic/machine_test.h"
#include "synthetic/reference.h"

namespace pobpf::synthetic {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

unsigned nid_of(const pobpf_page& page) {
  return static_cast<unsigned>(page.flags >> kNodeShift & ((1U << kNodeBits) - 1));
}

/// 1,024 nodes in one section, 32 pages each; every fourth page of a node is free.
class Nodes : public MachineTest {
 protected:
  static constexpr unsigned kNodes = 1U << kNodeBits;
  static constexpr unsigned kNodePages = kSectionPages / kNodes;
  static constexpr unsigned kAllocated = kNodePages / 4 * 3;

  void SetUp() override {
    MachineTest::SetUp();
    if (!machine_) return;
    ASSERT_TRUE(machine_->add_section(0));
    for (unsigned nid = 0; nid < kNodes; ++nid) {
      const std::uint64_t first = std::uint64_t{nid} * kNodePages;
      machine_->add_node(nid, {first, first + kNodePages});
      for (unsigned i = 0; i < kNodePages; ++i)
        if (i % 4 != 3) machine_->allocate(first + i, {.nid = nid, .handle = nid + 1});
    }
    open();
  }
  static ReaderView view_of(const std::vector<unsigned>& nids,
                            pobpf_mode mode = POBPF_MODE_HANDLE) {
    ReaderView view;
    view.mode = mode;
    view.filter.nodes.emplace();
    for (const unsigned nid : nids) view.filter.nodes->set(nid);
    return view;
  }
};

TEST_P(Nodes, EachIsSelectedByItsNumber) {
  for (const unsigned nid : {0U, 1U, 63U, 64U, 511U, 512U, 1022U, 1023U}) {
    const Delivered delivered = read(view_of({nid}));
    ASSERT_EQ(delivered.pages.size(), kAllocated) << nid;
    for (const pobpf_page& page : delivered.pages) EXPECT_EQ(page.handle, nid + 1);
    EXPECT_THAT(counts(delivered.account),
                UnorderedElementsAre(Pair("pages", kNodePages), Pair("emitted", kAllocated),
                                     Pair("unowned", kNodePages - kAllocated)));
    EXPECT_EQ(delivered.account.outside, machine_->max_pfn() - kNodePages);
  }
}

TEST_P(Nodes, AMaskOfEveryThirdNodeHasThoseAndNoOthers) {
  std::vector<unsigned> nids;
  for (unsigned nid = 0; nid < kNodes; nid += 3) nids.push_back(nid);
  std::map<unsigned, unsigned> nr_pages;
  for (const pobpf_page& page : read(view_of(nids)).pages) ++nr_pages[nid_of(page)];
  ASSERT_EQ(nr_pages.size(), nids.size());
  for (const unsigned nid : nids) EXPECT_EQ(nr_pages[nid], kAllocated);
}

TEST_P(Nodes, PagesOfAnotherNodeInsideASpanAreFiltered) {
  // node 7 says that it spans its neighbours too
  machine_->add_node(7, {6 * kNodePages, 9 * kNodePages});
  open();
  const Delivered delivered = read(view_of({7}));
  EXPECT_EQ(delivered.pages.size(), kAllocated);
  EXPECT_EQ(delivered.account.filtered[POBPF_FILTER_NID], 2 * kAllocated);
}

TEST_P(Nodes, AnUninitialisedMemmapIsOnNoNode) {
  // PF_POISONED(): all bits set, which would be node 1,023
  machine_->set_page_flags(1023 * kNodePages, ~0ULL);
  EXPECT_EQ(read(view_of({1023})).account.filtered[POBPF_FILTER_NID], 1U);
  // without a filter its record is shown as it is
  EXPECT_EQ(read().account.emitted, std::uint64_t{kNodes} * kAllocated);
}

TEST_P(Nodes, TwoLinksReadByTurnsKeepTheirViews) {
  struct LinkView {
    std::vector<unsigned> nids;
    pobpf_mode mode;
    std::size_t read_bytes;
  };
  std::vector<unsigned> even;
  for (unsigned nid = 0; nid < kNodes; nid += 2) even.push_back(nid);
  const std::array views{LinkView{even, POBPF_MODE_HANDLE, 37},
                         LinkView{{1, 3, 1023}, POBPF_MODE_STACK_HANDLE, 101}};
  std::array<std::unique_ptr<PageReader>, 2> readers;
  std::array<std::vector<pobpf_page>, 2> pages;
  std::array<bool, 2> ended{};
  for (std::size_t i = 0; i < views.size(); ++i) {
    auto reader = session_->open_reader(view_of(views[i].nids, views[i].mode));
    ASSERT_TRUE(reader) << reader.error().what;
    readers[i] = std::move(*reader);
    readers[i]->set_read_bytes(views[i].read_bytes);
  }
  while (!ended[0] || !ended[1]) {
    for (std::size_t i = 0; i < readers.size(); ++i) {
      if (ended[i]) continue;
      auto read = readers[i]->next(ended[i]);
      ASSERT_TRUE(read) << read.error().what;
      pages[i].insert(pages[i].end(), read->begin(), read->end());
    }
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    std::vector<pobpf_page> wanted;
    for (const pobpf_page& page : expected_of(*machine_, {{0, kSectionPages}}).pages)
      if (std::find(views[i].nids.begin(), views[i].nids.end(), nid_of(page)) !=
          views[i].nids.end())
        wanted.push_back(page);
    EXPECT_EQ(pages[i], wanted);
    EXPECT_EQ(readers[i]->mode(), views[i].mode);
    EXPECT_TRUE(readers[i]->account().is_balanced());
  }
}

TEST_P(Nodes, SumsByNodeAreThoseOfTheListing) {
  std::map<std::uint32_t, std::uint64_t> listed;
  for (const pobpf_page& page : read().pages) ++listed[nid_of(page)];
  for (const unsigned nr_threads : {1U, 2U, 5U}) {
    SumRequest request;
    request.group_by = POBPF_GROUP_NID;
    request.nr_threads = nr_threads;
    auto sums = session_->sum_groups({}, request, {});
    ASSERT_TRUE(sums) << sums.error().what;
    EXPECT_EQ(sums->other.allocations, 0U);
    EXPECT_EQ(sums->account.emitted, std::uint64_t{kNodes} * kAllocated);
    std::map<std::uint32_t, std::uint64_t> summed;
    for (const GroupSum& group : sums->groups) summed[group.key.nid] = group.sum.pages;
    EXPECT_EQ(summed, listed);
  }
}

INSTANTIATE_TEST_SUITE_P(Object, Nodes, testing::ValuesIn(kObjects), object_name);

class Sums : public MachineTest {};

TEST_P(Sums, ByStackCountPagesAndAllocations) {
  for (std::uint64_t section = 0; section < 4; ++section)
    ASSERT_TRUE(machine_->add_section(section));
  // handles that come again and again, so that sums are made of many parts
  std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> wanted;
  for (std::uint64_t pfn = 0; pfn < 4 * kSectionPages; pfn += 8) {
    const auto order = static_cast<unsigned>(pfn / 8 % 4);
    const auto handle = static_cast<std::uint32_t>(pfn / 64 % 1000 + 1);
    machine_->allocate(pfn, {.order = order, .handle = handle});
    wanted[handle].first += 1ULL << order;
    ++wanted[handle].second;
  }
  open();
  for (const unsigned nr_threads : {1U, 2U}) {
    SumRequest request;
    request.nr_threads = nr_threads;
    auto sums = session_->sum_groups({}, request, {});
    ASSERT_TRUE(sums) << sums.error().what;
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> summed;
    for (const GroupSum& group : sums->groups)
      summed[group.key.handle] = {group.sum.pages, group.sum.allocations};
    EXPECT_EQ(summed, wanted);
    EXPECT_EQ(counts(sums->account),
              counts(expected_of(*machine_, {{0, 4 * kSectionPages}}).account));
  }
}

TEST_P(Sums, WhatFindsNoRoomIsInTheRowOfAllOthers) {
  ASSERT_TRUE(machine_->add_section(0));
  for (std::uint64_t pfn = 0; pfn < kSectionPages; ++pfn)
    machine_->allocate(pfn, {.handle = static_cast<std::uint32_t>(pfn + 1)});
  open();
  SumRequest request;
  request.groups_max = 1000;
  auto sums = session_->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_GE(sums->groups.size(), 1000U);
  EXPECT_EQ(sums->groups.size() + sums->other.allocations, kSectionPages);
  EXPECT_EQ(sums->account.errors, 0U);
}

TEST_P(Sums, ByAllFieldsAreThoseOfTheListing) {
  ASSERT_TRUE(machine_->add_section(0));
  const auto memcg = machine_->add_cgroup(77, "workload");
  ASSERT_TRUE(memcg);
  for (std::uint64_t pfn = 0; pfn < kSectionPages; ++pfn)
    machine_->allocate(pfn, {.nid = static_cast<unsigned>(pfn % 3),
                             .zone = static_cast<unsigned>(pfn % 2),
                             .memcg_data = pfn % 5 == 0 ? *memcg : 0,
                             .gfp_mask = pfn % 7 == 0 ? 0x100ccaU : 0xcc0U,
                             .handle = static_cast<std::uint32_t>(pfn / 100 + 1),
                             .pid = static_cast<std::int32_t>(pfn % 4),
                             .tgid = static_cast<std::int32_t>(pfn % 2),
                             .comm = pfn % 2 == 0 ? "even" : "odd"});
  open();
  using Group = std::tuple<std::uint32_t, std::int32_t, std::int32_t, std::string, std::uint32_t,
                           std::uint64_t, std::uint64_t, bool, std::int16_t>;
  const auto text = [](const __u8* comm) {
    return std::string(reinterpret_cast<const char*>(comm), POBPF_COMM_BYTES);
  };
  std::map<Group, std::uint64_t> listed;
  for (const pobpf_page& page : read().pages)
    ++listed[{page.handle, page.tgid, page.pid, text(page.comm), page.gfp_mask,
              nid_of(page) * 8 + (page.flags >> kZoneShift & 7), page.cgroup_id,
              page.free_ts_nsec != 0, page.last_migrate_reason}];
  SumRequest request;
  request.group_by = POBPF_GROUP_HANDLE | POBPF_GROUP_TGID | POBPF_GROUP_PID | POBPF_GROUP_COMM |
                     POBPF_GROUP_GFP | POBPF_GROUP_NID | POBPF_GROUP_ZONE | POBPF_GROUP_MEMCG |
                     POBPF_GROUP_ORDER | POBPF_GROUP_FREED | POBPF_GROUP_MIGRATE_REASON;
  auto sums = session_->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  std::map<Group, std::uint64_t> summed;
  for (const auto& [key, sum] : sums->groups)
    summed[{key.handle, key.tgid, key.pid, text(key.comm), key.gfp_mask,
            std::uint64_t{key.nid} * 8 + key.zone, key.cgroup_id, key.was_freed != 0,
            key.last_migrate_reason}] = sum.pages;
  EXPECT_EQ(summed, listed);
  EXPECT_GT(listed.size(), 1000U);
}

/// Some kernels allow nobody without CAP_PERFMON to open the event that tells the time. Here it is
/// descriptors that cannot be had any more.
TEST_P(Sums, AgesAreKnownWhenPrivilegesAreGivenUp) {
  if (const auto clock = read_local_clock(); !clock) GTEST_SKIP() << clock.error().what;
  ASSERT_TRUE(machine_->add_section(0));
  machine_->allocate(1, {});
  const auto sum_up_and_ask = [this] {
    SessionOptions options;
    options.without_features = GetParam().without_features();
    options.privileges = PrivilegePolicy::kOneReader;
    auto session = machine_->open_session(options);
    if (!session) return 1;
    SumRequest request;
    request.group_by = POBPF_GROUP_HANDLE | POBPF_GROUP_TIME;
    if (!(*session)->sum_groups({}, request, {})) return 2;
    constexpr rlimit kNoMore{0, 0};
    if (::setrlimit(RLIMIT_NOFILE, &kNoMore) != 0) return 3;
    const auto first = (*session)->now_ns();
    if (!first) return 4;
    return *(*session)->now_ns() >= *first ? 0 : 5;
  };
  // in another process, as privileges are given up for good
  EXPECT_EXIT(std::_Exit(sum_up_and_ask()), testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Object, Sums, testing::ValuesIn(kObjects), object_name);

/// Effective capabilities of this process; 0 if they cannot be read.
std::uint64_t effective_capabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapEff:")) return std::stoull(line.substr(7), nullptr, 16);
  return 0;
}

class Privileges : public MachineTestBase {};

/// /proc/kallsyms needs it where the kernel has no iterator over symbols.
TEST_F(Privileges, ToSeeAddressesAreKeptForFiltersThatListSymbols) {
  constexpr std::uint64_t kSyslog = 1ULL << CAP_SYSLOG;
  if ((effective_capabilities() & kSyslog) == 0) GTEST_SKIP() << "there is no CAP_SYSLOG";
  ASSERT_TRUE(machine_->add_section(0));
  const auto keeps = [this](std::string_view lacks, std::uint32_t filters) {
    SessionOptions options;
    if (!lacks.empty()) options.without_features.emplace(lacks);
    options.filters = filters;
    options.privileges = PrivilegePolicy::kReaders;
    if (!machine_->open_session(options)) return 2;
    return (effective_capabilities() & kSyslog) != 0 ? 1 : 0;
  };
  struct Case {
    const char* lacks;
    std::uint32_t filters;
    int kept;
  };
  // in other processes, as they are given up for good
  for (const Case& now :
       {Case{"ksym-iterator", 1U << POBPF_FILTER_STACK, 1},
        Case{"ksym-iterator", 1U << POBPF_FILTER_TGID, 0}, Case{"", 1U << POBPF_FILTER_STACK, 0}})
    EXPECT_EXIT(std::_Exit(keeps(now.lacks, now.filters)), testing::ExitedWithCode(now.kept), "")
        << now.lacks << now.filters;
}

/// A fallback that nobody takes would pass all tests.
class Variants : public MachineTest {};

TEST_P(Variants, AreThoseThatAreForced) {
  ASSERT_TRUE(machine_->add_section(0));
  open();
  const auto described = session_->describe();
  const std::map<std::string, std::string> ways(described.begin(), described.end());
  const std::string_view lacks = GetParam().lacks;
  const bool has_goto = program_variant(machine_->types()) == ProgramVariant::kMayGoto;
  if (lacks == "bpf-loop") {
    EXPECT_EQ(ways.at("loops"), "bpf_for_each_map_elem");
  } else if (lacks.empty() && has_goto) {
    EXPECT_THAT(ways.at("loops"), testing::HasSubstr("may_goto"));
  } else {
    EXPECT_EQ(ways.at("loops"), "bpf_loop");
  }
  if (lacks == "bpf-loop" || lacks == "rdonly-cast") {
    EXPECT_EQ(ways.at("kernel reads"), "bpf_probe_read_kernel");
  } else {
    EXPECT_THAT(ways.at("kernel reads"), testing::HasSubstr("bpf_rdonly_cast"));
  }
}

INSTANTIATE_TEST_SUITE_P(Object, Variants, testing::ValuesIn(kObjects), object_name);

/// Numbers of processes that others had before.
class Processes : public MachineTest {
 protected:
  static constexpr std::uint64_t kSecond = 1'000'000'000;
  static constexpr std::uint64_t kStart = 10'000 * kSecond;
  static constexpr int kNumber = 5;
  static constexpr int kNobodys = 6;

  static std::uint64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * kSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
  }

  /// A machine whose local_clock() is so much ahead of CLOCK_MONOTONIC.
  void make(std::int64_t ahead_ns) {
    ASSERT_TRUE(machine_->add_section(0));
    ASSERT_TRUE(machine_->add_process(kNumber, kStart));
    ASSERT_TRUE(machine_->set_local_clock(monotonic_ns() + static_cast<std::uint64_t>(ahead_ns)));
  }
  void allocate(int tgid, std::uint64_t ts_nsec) {
    machine_->allocate(next_pfn_++, {.ts_nsec = ts_nsec, .pid = tgid, .tgid = tgid});
  }

  /// In the order of allocate(), from details, after the same was found by sums and by the filter.
  std::vector<int> states() {
    open(true);
    std::vector<int> states;
    std::map<std::pair<int, int>, std::uint64_t> listed;
    const Delivered all = read();
    for (std::size_t i = 0; i < all.pages.size(); ++i) {
      states.push_back(all.details[i].process_state);
      ++listed[{all.pages[i].tgid, states.back()}];
    }
    open();
    SumRequest request;
    request.group_by = POBPF_GROUP_TGID;
    auto sums = session_->sum_groups({}, request, {});
    EXPECT_TRUE(sums);
    std::map<std::pair<int, int>, std::uint64_t> summed;
    for (const auto& [key, sum] : sums->groups) summed[{key.tgid, key.process_state}] = sum.pages;
    EXPECT_EQ(summed, listed);
    if (GetParam().with_filters) expect_filtered(states);
    return states;
  }

 private:
  void expect_filtered(const std::vector<int>& states) {
    for (const bool is_dead : {true, false}) {
      FilterSpec filter;
      filter.is_dead = is_dead;
      std::vector<std::uint64_t> wanted;
      for (std::size_t i = 0; i < states.size(); ++i)
        if ((states[i] != POBPF_PROCESS_LIVING) == is_dead) wanted.push_back(kFirstPfn + i);
      std::vector<std::uint64_t> found;
      for (const pobpf_page& page : read({.filter = filter}).pages) found.push_back(page.pfn);
      EXPECT_EQ(found, wanted);
    }
  }

  static constexpr std::uint64_t kFirstPfn = 8;
  std::uint64_t next_pfn_ = kFirstPfn;
};

constexpr int kLiving = POBPF_PROCESS_LIVING;
constexpr int kDead = POBPF_PROCESS_DEAD;
constexpr int kReused = POBPF_PROCESS_REUSED;

TEST_P(Processes, WhoeverAllocatedBeforeTheProcessBeganIsAnother) {
  make(0);
  // where a second may be wrong, the living process counts
  for (const std::uint64_t ts_nsec :
       {std::uint64_t{0}, kStart - 100 * kSecond, kStart - kSecond / 2, kStart, kStart + 1})
    allocate(kNumber, ts_nsec);
  allocate(kNobodys, kStart);
  allocate(kNumber, kStart);
  allocate(0, 0);
  EXPECT_EQ(states(), (std::vector<int>{kReused, kReused, kLiving, kLiving, kLiving, kDead, kLiving,
                                        kLiving}));
}

/// The clocks came apart at some time since boot.
TEST_P(Processes, AClockThatIsAheadMakesNobodyDead) {
  make(3600 * std::int64_t{kSecond});
  allocate(kNumber, kStart - 2 * kSecond);
  allocate(kNumber, kStart);
  allocate(kNumber, kStart + 3600 * kSecond);
  EXPECT_EQ(states(), (std::vector<int>{kReused, kLiving, kLiving}));
}

TEST_P(Processes, AClockThatIsBehindMakesNobodyDead) {
  if (monotonic_ns() < 1000 * kSecond) GTEST_SKIP() << "this machine has just been booted";
  make(-900 * std::int64_t{kSecond});
  allocate(kNumber, kStart - 1200 * kSecond);
  allocate(kNumber, kStart - 900 * kSecond);
  allocate(kNumber, kStart);
  EXPECT_EQ(states(), (std::vector<int>{kReused, kLiving, kLiving}));
}

INSTANTIATE_TEST_SUITE_P(Object, Processes, testing::ValuesIn(kObjects), object_name);

/// Where the kernel shows no processes, nothing is said of them.
TEST_P(Sums, ProcessesThatAreNotShownHaveNoState) {
  ASSERT_TRUE(machine_->add_section(0));
  machine_->allocate(1, {.tgid = 5});
  open();
  SumRequest request;
  request.group_by = POBPF_GROUP_TGID;
  const auto sums = session_->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1U);
  EXPECT_EQ(sums->groups[0].key.process_state, POBPF_PROCESS_UNKNOWN);
}

/// Tests what `pobpf check` says of commands.
class CommandChecks : public MachineTestBase {
 protected:
  std::map<std::string, CheckState> states(const MachineFacts& facts) const {
    std::map<std::string, CheckState> result;
    for (const Check& check : check_programs(facts, machine_->types())) {
      EXPECT_THAT(check.detail, testing::HasSubstr(check.state == CheckState::kOk
                                                       ? " will work"
                                                       : " will not work: loading the page "));
      result[check.name] = check.state;
    }
    return result;
  }
};

TEST_F(CommandChecks, LoadWhatEachCommandLoads) {
  ASSERT_TRUE(machine_->add_section(0));
  ASSERT_TRUE(set_program_ids(machine_->types()));
  auto facts = machine_->facts();
  ASSERT_TRUE(facts) << facts.error().what;
  // pins have no room for the longest name of this machine
  facts->text.gfp_names = {{0xcc0, "GFP_KERNEL"}};
  constexpr auto kOk = CheckState::kOk;
  EXPECT_THAT(states(*facts),
              testing::UnorderedElementsAre(
                  Pair("pages", kOk), Pair("text", kOk), Pair("sums", kOk), Pair("blockers", kOk),
                  Pair("recordings", kOk), Pair("filters", kOk), Pair("page", kOk),
                  Pair("pins", kOk), Pair("filtered_pins", kOk)));
  // a kernel that does not let programs take memory for what it is; `pobpf page` copies it
  facts->programs = ProgramVariant::kCast;
  facts->cast_ids.page = facts->cast_ids.page_ext = facts->cast_ids.page_owner = INT32_MAX;
  constexpr auto kMissing = CheckState::kMissing;
  EXPECT_THAT(states(*facts),
              testing::UnorderedElementsAre(Pair("pages", kMissing), Pair("text", kOk),
                                            Pair("sums", kMissing), Pair("blockers", kMissing),
                                            Pair("recordings", kMissing), Pair("filters", kMissing),
                                            Pair("page", kOk), Pair("pins", kMissing),
                                            Pair("filtered_pins", kMissing)));
}

TEST_F(CommandChecks, TellThatTheTextIsNotKnown) {
  ASSERT_TRUE(machine_->add_section(0));
  ASSERT_TRUE(set_program_ids(machine_->types()));
  auto facts = machine_->facts();
  ASSERT_TRUE(facts) << facts.error().what;
  facts->text.text_layout.reset();
  std::set<std::string> missing;
  for (const Check& check : check_programs(*facts, machine_->types())) {
    if (check.state == CheckState::kOk) continue;
    missing.insert(check.name);
    EXPECT_THAT(check.detail, testing::HasSubstr("how the kernel prints records is not known"));
  }
  EXPECT_THAT(missing, testing::UnorderedElementsAre("text", "pins", "filtered_pins"));
}

/// Records as before v5.18.
class WithoutTasks : public MachineTest {
 protected:
  void SetUp() override {
    MachineTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(machine_->add_section(0));
    machine_->allocate(1, {.pid = 5, .tgid = 4, .comm = "task"});
    open_without({"task-name", "thread-group"});
  }

  void open_without(std::initializer_list<std::string> features) {
    SessionOptions options;
    options.without_features = GetParam().without_features();
    options.without_features.insert(features);
    options.filters = kEveryFilter;
    auto opened = machine_->open_session(options);
    ASSERT_TRUE(opened) << opened.error().what;
    session_ = std::move(*opened);
  }

  Error error_of(const FilterSpec& filter) {
    auto reader = session_->open_reader({.filter = filter});
    EXPECT_FALSE(reader);
    return reader ? Error() : reader.error();
  }
  std::string text_of_the_page() {
    const PageFields fields = session_->open_reader({}).value()->fields();
    const auto formatter =
        make_kernel_text_formatter(session_->facts(), POBPF_MODE_HANDLE, CommStyle::kRaw).value();
    formatter->set_fields(fields);
    std::string text;
    const Delivered delivered = read();
    for (const pobpf_page& page : delivered.pages)
      EXPECT_TRUE(formatter->append(page, *session_, text));
    return text;
  }
};

TEST_P(WithoutTasks, WhatIsNotRecordedIsNotKnown) {
  auto reader = session_->open_reader({});
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ((*reader)->fields(), kAllPageFields & ~(PageField::kComm | PageField::kTgid));
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 1U);
  const pobpf_page& page = delivered.pages[0];
  EXPECT_EQ(page.pid, 5);
  EXPECT_EQ(page.tgid, 0);
  EXPECT_THAT(page.comm, testing::Each(0));
}

TEST_P(WithoutTasks, NothingIsSelectedByIt) {
  FilterSpec comm;
  comm.comms.rejected = {"task"};
  EXPECT_EQ(error_of(comm).kind, ErrorKind::kUnsupported);
  EXPECT_EQ(error_of(comm).what,
            "--comm does not work here, as this kernel's page_owner does not record the task name");
  FilterSpec tgid;
  tgid.tgids.wanted = {{4, 4}};
  EXPECT_EQ(error_of(tgid).kind, ErrorKind::kUnsupported);
  FilterSpec dead;
  dead.is_dead = true;
  EXPECT_EQ(error_of(dead).kind, ErrorKind::kUnsupported);
  FilterSpec pid;
  pid.pids.wanted = {{5, 5}};
  EXPECT_EQ(read({.filter = pid}).pages.size(), 1U);
}

TEST_P(WithoutTasks, NothingIsSummedUpByIt) {
  for (const auto by : {POBPF_GROUP_COMM, POBPF_GROUP_TGID}) {
    const auto sums = session_->sum_groups({}, {.group_by = by}, {});
    ASSERT_FALSE(sums);
    EXPECT_EQ(sums.error().kind, ErrorKind::kUnsupported);
  }
  const auto sums = session_->sum_groups({}, {.group_by = POBPF_GROUP_PID}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1U);
  EXPECT_EQ(sums->groups[0].key.pid, 5);
}

/// Distributions may take the one without the other.
TEST_P(WithoutTasks, TheNameAloneIsKnown) {
  open_without({"thread-group"});
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 1U);
  EXPECT_EQ(delivered.pages[0].tgid, 0);
  EXPECT_STREQ(reinterpret_cast<const char*>(delivered.pages[0].comm), "task");
  EXPECT_THAT(text_of_the_page(), testing::HasSubstr("), pid 5 (task), ts "));
  FilterSpec filter;
  filter.comms.wanted = {"task"};
  EXPECT_EQ(read({.filter = filter}).pages.size(), 1U);
  filter.comms.wanted = {"other"};
  EXPECT_EQ(read({.filter = filter}).pages.size(), 0U);
  filter.tgids.wanted = {{4, 4}};
  EXPECT_EQ(error_of(filter).what,
            "--tgid does not work here, as this kernel's page_owner does not record the tgid");
  EXPECT_FALSE(session_->sum_groups({}, {.group_by = POBPF_GROUP_TGID}, {}));
  const auto sums = session_->sum_groups({}, {.group_by = POBPF_GROUP_COMM}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1U);
  EXPECT_STREQ(reinterpret_cast<const char*>(sums->groups[0].key.comm), "task");
}

TEST_P(WithoutTasks, TheThreadGroupAloneIsKnown) {
  open_without({"task-name"});
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 1U);
  EXPECT_EQ(delivered.pages[0].tgid, 4);
  EXPECT_THAT(delivered.pages[0].comm, testing::Each(0));
  EXPECT_THAT(text_of_the_page(), testing::HasSubstr("), pid 5, tgid 4, ts "));
  FilterSpec filter;
  filter.tgids.wanted = {{4, 4}};
  EXPECT_EQ(read({.filter = filter}).pages.size(), 1U);
  filter.tgids.wanted = {{5, 5}};
  EXPECT_EQ(read({.filter = filter}).pages.size(), 0U);
  filter.comms.wanted = {"task"};
  EXPECT_EQ(error_of(filter).what,
            "--comm does not work here, as this kernel's page_owner does not record the task name");
  EXPECT_FALSE(session_->sum_groups({}, {.group_by = POBPF_GROUP_COMM}, {}));
  const auto sums = session_->sum_groups({}, {.group_by = POBPF_GROUP_TGID}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1U);
  EXPECT_EQ(sums->groups[0].key.tgid, 4U);
}

INSTANTIATE_TEST_SUITE_P(Object, WithoutTasks, testing::ValuesIn(kFiltersObjects), object_name);

/// 5 TB of PFNs; every 64th section exists, all of those over the same pages.
class Terabytes : public MachineTest {
 protected:
  static constexpr std::uint64_t kSections = 5ULL << (40 - 27);
  static constexpr std::uint64_t kStep = 64;
  static constexpr std::uint64_t kOffline = kSections / kStep / 2;

  Terabytes() : MachineTest(kSections) {}
};

TEST_P(Terabytes, SparseWindowsAreAllReadAndCounted) {
  constexpr std::uint64_t kPresent = kSections / kStep;
  ASSERT_TRUE(machine_->add_section(0));
  machine_->allocate(1, {});
  machine_->allocate(2048, {.order = 10});
  machine_->free_block(4096, 10);
  for (std::uint64_t section = kStep; section < kSections; section += kStep)
    ASSERT_TRUE(machine_->add_alias(section, 0));
  for (std::uint64_t i = 0; i < kOffline; ++i)
    machine_->set_page_ext((2 * i + 1) * kStep, PageExt::kInvalid);
  // windows over all of it, holes too
  machine_->set_present({{0, kSections * kSectionPages}});
  open();
  const Delivered delivered = read();
  const std::uint64_t nr_online = kPresent - kOffline;
  ASSERT_EQ(delivered.pages.size(), 2 * nr_online);
  for (std::uint64_t i = 0; i < nr_online; ++i) {
    const std::uint64_t first = 2 * i * kStep * kSectionPages;
    ASSERT_EQ(delivered.pages[2 * i].pfn, first + 1);
    ASSERT_EQ(delivered.pages[2 * i + 1].pfn, first + 2048);
  }
  // the free block is seen before page_ext is, except for its first window
  constexpr std::uint64_t kFreeOffline = 1024 - POBPF_WINDOW_PAGES;
  EXPECT_THAT(
      counts(delivered.account),
      UnorderedElementsAre(Pair("pages", kSections * kSectionPages), Pair("emitted", 2 * nr_online),
                           Pair("absent", (kSections - kPresent) * kSectionPages),
                           Pair("offline", kOffline * (kSectionPages - kFreeOffline)),
                           Pair("free", nr_online * 1024 + kOffline * kFreeOffline),
                           Pair("unowned", nr_online * (kSectionPages - 1 - 1024 - 1024)),
                           Pair("tail", nr_online * 1023)));
  EXPECT_EQ(delivered.account.windows, kSections * kSectionPages / POBPF_WINDOW_PAGES);
}

TEST_P(Terabytes, AreReadToTheEndWhenPrivilegesAreGivenUp) {
  machine_->set_present({{0, kSections * kSectionPages}});
  const auto read_all = [this] {
    SessionOptions options;
    options.privileges = PrivilegePolicy::kOneReader;
    auto session = machine_->open_session(options);
    if (!session) return 1;
    auto reader = (*session)->open_reader({});
    if (!reader) return 2;
    for (bool at_end = false; !at_end;)
      if (!(*reader)->next(at_end)) return 3;
    return (*reader)->account().pages == kSections * kSectionPages ? 0 : 4;
  };
  EXPECT_EXIT(std::_Exit(read_all()), testing::ExitedWithCode(0), "");
}

/// Not even one descriptor more than when it began.
TEST_P(Terabytes, AreReadWithTheDescriptorsThatThereAre) {
  machine_->set_present({{0, kSections * kSectionPages}});
  open();
  auto reader = session_->open_reader({});
  ASSERT_TRUE(reader) << reader.error().what;
  const auto read_all = [&] {
    // more than there are numbers free between those that are open
    int last = -1;
    for (int i = 0; i < 100; ++i) last = ::dup(STDERR_FILENO);
    const rlimit no_more{static_cast<rlim_t>(last) + 1, static_cast<rlim_t>(last) + 1};
    if (last < 0 || ::setrlimit(RLIMIT_NOFILE, &no_more) != 0) return 1;
    for (bool at_end = false; !at_end;)
      if (!(*reader)->next(at_end)) return 2;
    return (*reader)->account().pages == kSections * kSectionPages ? 0 : 3;
  };
  EXPECT_EXIT(std::_Exit(read_all()), testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Object, Terabytes, testing::Values(kNewestObject, kNewestFiltersObject),
                         object_name);

/// Terabytes of PFNs, of which 128 MiB are there.
class ReaderMemory : public MachineTestBase, public testing::WithParamInterface<std::uint64_t> {
 protected:
  ReaderMemory() : MachineTestBase(GetParam() << (40 - 27)) {}

  /// The memory of all maps of this process, as the kernel accounts for them.
  static std::uint64_t map_bytes() {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
      std::ifstream info(entry.path());
      bool is_map = false;
      for (std::string key; info >> key;) {
        std::uint64_t value = 0;
        if (key == "map_type:") is_map = true;
        if (key == "memlock:" && is_map && info >> value) sum += value;
      }
    }
    return sum;
  }
};

/// Nothing else may take as much as 24 bytes a section, which are 12 MiB.
TEST_P(ReaderMemory, IsTheSameForWhereMemoryLies) {
  ASSERT_TRUE(machine_->add_section(0));
  const std::uint64_t nr_sections = machine_->max_pfn() >> kSectionShift;
  for (std::uint64_t section = 1; section < nr_sections; ++section)
    ASSERT_TRUE(machine_->add_alias(section, 0));
  const test::MemoryPeak peak;
  const auto facts = machine_->facts();
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->present, (std::vector<PfnRange>{{0, machine_->max_pfn()}}));
  if (!test::kIsSanitized) {
    EXPECT_LE(peak.risen_kib(), 4 << 10);
  }
}

TEST_P(ReaderMemory, IsTheSameForEachMachine) {
  ASSERT_TRUE(machine_->add_section(0));
  const auto memcg = machine_->add_cgroup(5, "a");
  ASSERT_TRUE(memcg);
  machine_->allocate(1, {.memcg_data = *memcg});
  machine_->set_present({{0, machine_->max_pfn()}});
  open(kNewestObject, true);
  const std::uint64_t map_bytes_before = map_bytes();
  std::unique_ptr<PageReader> reader;
  const auto read_all = [&] {
    auto opened = session_->open_reader({});
    ASSERT_TRUE(opened) << opened.error().what;
    reader = *std::move(opened);
    for (bool at_end = false; !at_end;) {
      auto pages = reader->next(at_end);
      ASSERT_TRUE(pages) << pages.error().what;
    }
    EXPECT_EQ(reader->account().emitted, 1U);
    EXPECT_EQ(reader->account().windows, machine_->max_pfn() / POBPF_WINDOW_PAGES);
  };
  // the second one begins with taking the names of the first one out of their map
  for (const char* which : {"first", "second"}) {
    SCOPED_TRACE(which);
    const test::MemoryPeak peak;
    read_all();
    EXPECT_LE(map_bytes() - map_bytes_before, 256U << 10);
    if (!test::kIsSanitized) {
      EXPECT_LE(peak.risen_kib(), 1 << 10);
    }
    reader.reset();
  }
}

TEST_P(ReaderMemory, OfSumsIsTheSameForEachMachine) {
  constexpr unsigned kThreads = 4;
  ASSERT_TRUE(machine_->add_section(0));
  machine_->allocate(1, {});
  machine_->set_present({{0, machine_->max_pfn()}});
  open(kNewestObject);
  const std::uint64_t map_bytes_before = map_bytes();
  std::uint64_t map_bytes_most = 0;
  const test::MemoryPeak peak;
  SumRequest request;
  request.nr_threads = kThreads;
  auto sums = session_->sum_groups({}, request, [&](const Progress& progress) {
    if (progress.windows_done * 2 > progress.windows_total && map_bytes_most == 0)
      map_bytes_most = map_bytes();
    return true;
  });
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(sums->account.emitted, 1U);
  EXPECT_EQ(sums->account.windows, machine_->max_pfn() / POBPF_WINDOW_PAGES);
  // windows of each thread, and the buckets of the map of groups
  EXPECT_LE(map_bytes_most - map_bytes_before, (kThreads * 256U << 10) + (1U << 20));
  if (!test::kIsSanitized) {
    EXPECT_LE(peak.risen_kib(), 2 << 10);
  }
}

INSTANTIATE_TEST_SUITE_P(Terabytes, ReaderMemory, testing::Values(5, 64));

}  // namespace
}  // namespace pobpf::synthetic
