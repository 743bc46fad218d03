// SPDX-License-Identifier: GPL-2.0-only
// Each thing that can be in memory: the exact records, and a reason for each page without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "kernel/cgroup_path.h"
#include "synthetic/machine_test.h"
#include "synthetic/reference.h"

namespace pobpf::synthetic {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kWindow = POBPF_WINDOW_PAGES;

class Walk : public MachineTest {
 protected:
  void SetUp() override {
    MachineTest::SetUp();
    if (!machine_) return;
    ASSERT_TRUE(machine_->add_section(0));
  }
  /// PFNs of the records.
  static std::vector<std::uint64_t> pfns(const Delivered& delivered) {
    std::vector<std::uint64_t> result;
    for (const pobpf_page& page : delivered.pages) result.push_back(page.pfn);
    return result;
  }
};

TEST_P(Walk, ARecordHasAllOfItsPagesFacts) {
  machine_->allocate(4096, {.order = 2,
                            .nid = 0,
                            .zone = 2,
                            .page_flags = 1U << 3 | 1U << 6,
                            .memcg_data = 0,
                            .gfp_mask = 0x140dca,
                            .handle = 0xabcdef,
                            .ts_nsec = 123'456'789'012,
                            .free_ts_nsec = 23'456'789'012,
                            .pid = 4'194'303,
                            .tgid = 4'194'302,
                            .last_migrate_reason = 2,
                            .comm = "sixteen bytes ok"});
  machine_->set_pageblock(4096, kMigrateMovable);
  open();
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 1U);
  pobpf_page wanted{};
  wanted.kind = POBPF_ITEM_PAGE;
  wanted.order = 2;
  wanted.last_migrate_reason = 2;
  wanted.pageblock_migratetype = kMigrateMovable;
  wanted.pfn = 4096;
  wanted.flags = 2ULL << kZoneShift | 1U << 3 | 1U << 6;
  wanted.ts_nsec = 123'456'789'012;
  wanted.free_ts_nsec = 23'456'789'012;
  wanted.gfp_mask = 0x140dca;
  wanted.handle = 0xabcdef;
  wanted.pid = 4'194'303;
  wanted.tgid = 4'194'302;
  std::memcpy(wanted.comm, "sixteen bytes ok", sizeof(wanted.comm));
  EXPECT_EQ(delivered.pages.front(), wanted);
  EXPECT_THAT(counts(delivered.account),
              UnorderedElementsAre(Pair("pages", kSectionPages), Pair("emitted", 1),
                                   Pair("unowned", kSectionPages - 4), Pair("tail", 3)));
}

TEST_P(Walk, DetailsTellWhatPagesAreUsedForAndWhoFreedThem) {
  constexpr std::uint32_t kSlab = 0xf5000000;
  // as a head and its tail that early boot records each on its own, then one of each kind
  machine_->allocate(1024, {.page_type = kSlab | 0x00ffffff, .free_handle = 7, .free_pid = 8});
  machine_->allocate(1025, {.mapping = 0x1230});
  machine_->set_tail(1025, 1024);
  machine_->allocate(1026, {.mapping = 0xffff888000000001});
  machine_->allocate(1027, {.mapping = 0xffff888000000000});
  machine_->allocate(1028, {.page_type = 5, .free_tgid = -1});
  // more than there is room for between two writes to the stream, and between two reads
  for (std::uint64_t pfn = 2048; pfn < 4096; ++pfn)
    machine_->allocate(pfn, {.handle = 9, .free_handle = static_cast<std::uint32_t>(pfn)});
  open(true);
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 5U + 2048);
  ASSERT_EQ(delivered.details.size(), delivered.pages.size());
  for (const pobpf_page& page : delivered.pages) EXPECT_EQ(page.kind, POBPF_ITEM_PAGE);
  const auto& details = delivered.details;
  EXPECT_EQ(details[0].page_type, kSlab);
  EXPECT_EQ(details[0].free_handle, 7U);
  EXPECT_EQ(details[0].free_pid, 8);
  EXPECT_EQ(details[0].has_free_pid, 1);
  EXPECT_EQ(details[1].page_type, kSlab);
  EXPECT_EQ(details[1].mapping, POBPF_MAPPING_NONE);
  EXPECT_EQ(details[2].mapping, POBPF_MAPPING_ANON);
  EXPECT_EQ(details[2].page_type, 0U);
  EXPECT_EQ(details[3].mapping, POBPF_MAPPING_FILE);
  EXPECT_EQ(details[4].mapping, POBPF_MAPPING_NONE);
  EXPECT_EQ(details[4].page_type, 0U);
  EXPECT_EQ(details[4].free_tgid, -1);
  for (std::size_t i = 5; i < details.size(); ++i) {
    EXPECT_EQ(details[i].free_handle, delivered.pages[i].pfn);
    EXPECT_EQ(delivered.pages[i].handle, 9U);
  }

  session_.reset();
  open();
  const Delivered plain = read();
  EXPECT_EQ(plain.pages, delivered.pages);
  EXPECT_THAT(plain.details, IsEmpty());
}

TEST_P(Walk, BlocksOfEveryOrderAreOneRecordEach) {
  std::vector<std::uint64_t> wanted;
  std::uint64_t nr_pages = 0;
  for (unsigned order = 0; order <= kMaxPageOrder; ++order) {
    const std::uint64_t pfn = 2048ULL * (order + 1);
    machine_->allocate(pfn, {.order = order, .handle = order + 1});
    wanted.push_back(pfn);
    nr_pages += 1ULL << order;
  }
  open();
  const Delivered delivered = read();
  EXPECT_EQ(pfns(delivered), wanted);
  for (unsigned order = 0; order < delivered.pages.size(); ++order) {
    EXPECT_EQ(delivered.pages[order].order, order);
    EXPECT_EQ(delivered.pages[order].handle, order + 1);
  }
  const std::uint64_t nr_heads = kMaxPageOrder + 1;
  EXPECT_THAT(counts(delivered.account),
              UnorderedElementsAre(Pair("pages", kSectionPages), Pair("emitted", nr_heads),
                                   Pair("unowned", kSectionPages - nr_pages),
                                   Pair("tail", nr_pages - nr_heads)));
}

TEST_P(Walk, AGigabytePageIsOneRecordAcrossSections) {
  for (std::uint64_t section = 8; section < 16; ++section)
    ASSERT_TRUE(machine_->add_section(section));
  machine_->allocate(8 * kSectionPages, {.order = 18});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(8 * kSectionPages));
  EXPECT_EQ(delivered.account.tail, 8 * kSectionPages - 1);
}

TEST_P(Walk, FreeBlocksOfEveryOrderAreCountedWhole) {
  std::uint64_t nr_free = 0;
  for (unsigned order = 0; order <= kMaxPageOrder; ++order) {
    const std::uint64_t pfn = 2048ULL * (order + 1);
    // what is left of earlier allocations in a free block is never shown
    machine_->allocate(pfn, {.order = order});
    machine_->free_block(pfn, order);
    nr_free += 1ULL << order;
  }
  open();
  const Delivered delivered = read();
  EXPECT_THAT(delivered.pages, IsEmpty());
  EXPECT_THAT(counts(delivered.account),
              UnorderedElementsAre(Pair("pages", kSectionPages), Pair("free", nr_free),
                                   Pair("unowned", kSectionPages - nr_free)));
}

TEST_P(Walk, AnImpossibleBuddyOrderSkipsOnePage) {
  const std::uint64_t orders[] = {kMaxPageOrder + 1, 63, 64, ~0ULL};
  std::uint64_t pfn = 4 * kWindow;
  for (const std::uint64_t order : orders) {
    machine_->free_block(pfn, order);
    machine_->allocate(pfn + 1, {});
    pfn += kWindow;
  }
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered),
              ElementsAre(4 * kWindow + 1, 5 * kWindow + 1, 6 * kWindow + 1, 7 * kWindow + 1));
  EXPECT_EQ(delivered.account.free, std::size(orders));
}

TEST_P(Walk, AnImpossibleOrderIsTornNotShown) {
  machine_->allocate(1024, {});
  machine_->set_owner_order(1024, 31);
  machine_->allocate(1025, {});
  machine_->set_owner_order(1025, 0xffff);
  // no allocation is as large, but the page is where it could begin
  machine_->allocate(0, {});
  machine_->set_owner_order(0, 30);
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(0));
  EXPECT_THAT(counts(delivered.account),
              UnorderedElementsAre(Pair("pages", kSectionPages), Pair("emitted", 1),
                                   Pair("unowned", kSectionPages - 3), Pair("torn", 2)));
  EXPECT_FALSE(delivered.account.is_complete());
}

TEST_P(Walk, HandleZeroIsNotShownAndAnImpossibleOneIs) {
  machine_->allocate(512, {.handle = 0});
  machine_->allocate(513, {.handle = ~0U});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(513));
  EXPECT_EQ(delivered.account.no_handle, 1U);
  const auto stack = session_->stack(~0U);
  ASSERT_FALSE(stack);
  EXPECT_EQ(stack.error().what, "the stack depot has no stack 4294967295");
}

TEST_P(Walk, AStackIsReadThroughItsHandle) {
  std::vector<std::uint32_t> handles;
  // more than a pool of the depot holds
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto handle = machine_->add_stack({0x1000 + i, 0x2000, 0x3000 + i});
    ASSERT_TRUE(handle) << handle.error().what;
    handles.push_back(*handle);
  }
  open();
  for (std::uint64_t i = 0; i < handles.size(); ++i) {
    const auto stack = session_->stack(handles[i]);
    ASSERT_TRUE(stack) << stack.error().what;
    ASSERT_EQ((*stack)->frames.size(), 3U);
    EXPECT_EQ((*stack)->frames[0].address, 0x1000 + i);
    EXPECT_EQ((*stack)->frames[2].address, 0x3000 + i);
  }
}

TEST_P(Walk, FreedPagesAreNotShown) {
  machine_->allocate(3000, {.order = 3});
  machine_->release(3000, 3);
  machine_->allocate(3008, {});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(3008));
  EXPECT_EQ(delivered.account.freed, 8U);
}

TEST_P(Walk, HolesBetweenSectionsAreOutside) {
  ASSERT_TRUE(machine_->add_section(5));
  ASSERT_TRUE(machine_->add_section(63));
  machine_->allocate(63 * kSectionPages + kSectionPages - 1, {});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(64 * kSectionPages - 1));
  EXPECT_EQ(delivered.account.pages, 3 * kSectionPages);
  EXPECT_EQ(delivered.account.outside, 61 * kSectionPages);
}

TEST_P(Walk, WindowsOverHolesAreAbsent) {
  machine_->allocate(7, {});
  // from the first section over one that has no struct mem_section to the end of all tables
  machine_->set_present({{0, 64 * kSectionPages}});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(7));
  EXPECT_THAT(
      counts(delivered.account),
      UnorderedElementsAre(Pair("pages", 64 * kSectionPages), Pair("emitted", 1),
                           Pair("absent", 63 * kSectionPages), Pair("unowned", kSectionPages - 1)));
}

TEST_P(Walk, ASectionThatIsGoneAfterItWasListedIsAbsent) {
  ASSERT_TRUE(machine_->add_section(1));
  machine_->allocate(kSectionPages, {});
  open();
  machine_->remove_section(1);
  const Delivered delivered = read();
  EXPECT_THAT(delivered.pages, IsEmpty());
  EXPECT_EQ(delivered.account.absent, kSectionPages);
}

TEST_P(Walk, SectionsWithoutPageExtAreOffline) {
  for (const std::uint64_t section : {1U, 2U, 3U}) {
    ASSERT_TRUE(machine_->add_section(section));
    machine_->allocate(section * kSectionPages, {});
  }
  machine_->set_page_ext(1, PageExt::kInvalid);
  machine_->set_page_ext(2, PageExt::kNone);
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(3 * kSectionPages));
  EXPECT_THAT(counts(delivered.account),
              UnorderedElementsAre(Pair("pages", 4 * kSectionPages), Pair("emitted", 1),
                                   Pair("offline", 2 * kSectionPages),
                                   Pair("unowned", 2 * kSectionPages - 1)));
}

TEST_P(Walk, OnlyPresentSubsectionsOfALaterSectionAreShown) {
  ASSERT_TRUE(machine_->add_section(1, false));
  constexpr std::uint64_t kSubsectionPages = 1ULL << kSubsectionShift;
  // the kernel tests validity for two subsections at a time (MAX_ORDER_NR_PAGES): both of the first
  // two, the first of the next two; the second of the last two alone is never looked at
  for (const unsigned index : {0U, 1U, 2U, 63U}) machine_->set_subsection(1, index, true);
  for (unsigned index = 0; index < kSubsections; ++index)
    machine_->allocate(kSectionPages + index * kSubsectionPages + 300, {});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered),
              ElementsAre(kSectionPages + 300, kSectionPages + kSubsectionPages + 300,
                          kSectionPages + 2 * kSubsectionPages + 300));
  EXPECT_EQ(delivered.account.absent, (kSubsections - 3) * kSubsectionPages);
}

TEST_P(Walk, PageExtThatCannotBeReadShowsNothing) {
  ASSERT_TRUE(machine_->add_section(1));
  ASSERT_TRUE(machine_->add_section(2));
  machine_->allocate(kSectionPages, {});
  machine_->allocate(2 * kSectionPages, {});
  machine_->set_page_ext_address(1, 64);                     // of user space
  machine_->set_page_ext_address(2, 0xffff'ffff'ffe0'0000);  // the hole at the end
  open();
  const Delivered delivered = read();
  EXPECT_THAT(delivered.pages, IsEmpty());
  // what cannot be read is 0 to the walker, PAGE_EXT_OWNER included
  EXPECT_THAT(counts(delivered.account), UnorderedElementsAre(Pair("pages", 3 * kSectionPages),
                                                              Pair("unowned", 3 * kSectionPages)));
}

TEST_P(Walk, PageblocksHaveTheirMigratetype) {
  machine_->set_pageblock(0, 2);
  machine_->set_pageblock(512, 1, true);
  machine_->set_pageblock(kSectionPages - 1, 3);
  for (const std::uint64_t pfn :
       {std::uint64_t{0}, std::uint64_t{512}, std::uint64_t{1024}, kSectionPages - 1})
    machine_->allocate(pfn, {});
  open();
  std::vector<unsigned> types;
  for (const pobpf_page& page : read().pages) types.push_back(page.pageblock_migratetype);
  EXPECT_THAT(types, ElementsAre(2U, kMigrateIsolate, 0U, 3U));
}

TEST_P(Walk, ChargedPagesNameTheirCgroup) {
  const auto online = machine_->add_cgroup(42, "workload");
  const auto offline = machine_->add_cgroup(43, "gone", false);
  ASSERT_TRUE(online && offline);
  machine_->allocate(100, {.memcg_data = *online});
  machine_->allocate(101, {.memcg_data = *offline});
  machine_->allocate(102, {.memcg_data = *online | 1});  // MEMCG_DATA_OBJEXTS: a slab page
  machine_->allocate(103, {.memcg_data = *online});
  open();
  const Delivered delivered = read();
  ASSERT_EQ(delivered.pages.size(), 4U);
  EXPECT_EQ(delivered.pages[0].cgroup_id, 42U);
  EXPECT_EQ(delivered.pages[0].memcg_flags, POBPF_MEMCG_CHARGED);
  EXPECT_EQ(delivered.pages[1].cgroup_id, 43U);
  EXPECT_EQ(delivered.pages[1].memcg_flags, POBPF_MEMCG_CHARGED | POBPF_MEMCG_OFFLINE);
  EXPECT_EQ(delivered.pages[2].memcg_flags, POBPF_MEMCG_SLAB);
  EXPECT_EQ(delivered.pages[3].cgroup_id, 42U);
  EXPECT_EQ(session_->cgroup_name(42).value_or("?"), "workload");
  EXPECT_EQ(session_->cgroup_name(43).value_or("?"), "gone");
  EXPECT_EQ(delivered.account.cgroup_errors, 0U);
}

/// Both cgroups are gone, so that no file system knows them any more.
TEST_P(Walk, PathsOfCgroupsAreKnown) {
  const std::string long_name = std::string(100, 'n') + ".scope";
  ASSERT_TRUE(machine_->add_cgroup(900, "pods", false));
  const auto below = machine_->add_cgroup(901, long_name, false, 900);
  ASSERT_TRUE(below);
  machine_->allocate(100, {.memcg_data = *below});
  for (const bool with_details : {true, false}) {
    open(with_details);
    ASSERT_EQ(read().pages.size(), 1U);
    const std::string name = long_name.substr(0, POBPF_CGROUP_NAME_BYTES - 1);
    EXPECT_EQ(session_->cgroup_path(901).value_or("?"), "/pods/" + long_name);
    EXPECT_EQ(session_->cgroup_path(900).value_or("?"), "/pods");
    EXPECT_EQ(session_->cgroups_above(901), (std::vector<std::uint64_t>{900, kRootCgroup}));
    EXPECT_EQ(session_->cgroup_name(901).value_or("?"), name);
  }
}

TEST_P(Walk, ACgroupWhoseNameCannotBeReadIsKnownByItsNumber) {
  // that of the machine that the test runs on, as filters look paths up there
  const auto root_id = find_cgroup_id("/");
  const std::uint64_t above = root_id.value_or(7000);
  ASSERT_TRUE(machine_->add_cgroup(above, "above"));
  const auto memcg = machine_->add_cgroup(7001, "hidden", true, above);
  ASSERT_TRUE(memcg);
  machine_->hide_cgroup_name(7001);
  machine_->allocate(100, {.memcg_data = *memcg});
  open(true);
  ReaderView view;
  if (root_id && GetParam().with_filters) view.filter.memcgs.wanted = {"/"};
  const Delivered delivered = read(view);
  ASSERT_EQ(delivered.pages.size(), 1U);
  EXPECT_EQ(delivered.pages[0].cgroup_id, 7001U);
  EXPECT_EQ(delivered.pages[0].memcg_flags, POBPF_MEMCG_CHARGED);
  EXPECT_EQ(delivered.account.torn, 0U);
  EXPECT_EQ(delivered.account.cgroup_errors, 1U);
  EXPECT_FALSE(session_->cgroup_name(7001));
  EXPECT_FALSE(session_->cgroup_path(7001));
}

TEST_P(Walk, AMemcgWordThatLeadsNowhereIsCountedAndItsPageShown) {
  machine_->allocate(100, {.memcg_data = 0x40});
  machine_->allocate(101, {.memcg_data = 0xffff'ffff'ffe0'0000});
  open();
  const Delivered delivered = read();
  EXPECT_THAT(pfns(delivered), ElementsAre(100, 101));
  EXPECT_EQ(delivered.account.cgroup_errors, 2U);
  EXPECT_EQ(delivered.pages[0].cgroup_id, 0U);
  EXPECT_EQ(delivered.pages[0].memcg_flags, POBPF_MEMCG_UNKNOWN);
  EXPECT_EQ(delivered.pages[1].memcg_flags, POBPF_MEMCG_UNKNOWN);
  SumRequest request;
  request.group_by = POBPF_GROUP_MEMCG;
  auto sums = session_->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1U);
  EXPECT_EQ(sums->groups[0].key.memcg_flags, POBPF_MEMCG_UNKNOWN);
}

TEST_P(Walk, TailPagesKeepNoMemcg) {
  machine_->allocate(100, {.memcg_data = 0x40});
  machine_->set_tail(100, 96);
  open();
  const Delivered delivered = read();
  EXPECT_EQ(delivered.account.cgroup_errors, 0U);
  EXPECT_EQ(delivered.account.emitted, 1U);
}

TEST_P(Walk, PageExtThatBecomesInvalidUnderTheWalkEndsASectionsRecords) {
  constexpr std::uint64_t kSections = 8;
  for (std::uint64_t section = 1; section < kSections; ++section)
    ASSERT_TRUE(machine_->add_section(section));
  for (std::uint64_t pfn = 0; pfn < kSections * kSectionPages; ++pfn) machine_->allocate(pfn, {});
  open();
  std::atomic<bool> is_done = false;
  std::thread hotplug([&] {
    for (unsigned turn = 0; !is_done; ++turn)
      for (std::uint64_t section = 0; section < kSections; section += 2)
        machine_->set_page_ext(section, turn % 2 == 0 ? PageExt::kInvalid : PageExt::kPresent);
  });
  std::uint64_t nr_offline = 0;
  for (unsigned turn = 0; turn < 10; ++turn) {
    const Delivered delivered = read();
    nr_offline += delivered.account.offline;
    // windows are seen whole: with their page_ext or without it
    EXPECT_EQ(delivered.account.offline % kWindow, 0U);
    EXPECT_EQ(delivered.account.emitted + delivered.account.offline, kSections * kSectionPages);
    for (const pobpf_page& page : delivered.pages) ASSERT_EQ(page.handle, 1U);
  }
  is_done = true;
  hotplug.join();
  EXPECT_GT(nr_offline, 0U);
}

TEST_P(Walk, MachineMadeAtRandomIsReadAsTheKernelReadsIt) {
  constexpr std::uint64_t kSections = 6;
  std::uint64_t state = 88172645463325252ULL;
  const auto random = [&](std::uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
  };
  for (std::uint64_t section = 1; section < kSections; ++section)
    ASSERT_TRUE(machine_->add_section(section, section % 2 == 0));
  for (unsigned index = 0; index < kSubsections; ++index)
    for (const std::uint64_t section : {1U, 3U, 5U})
      machine_->set_subsection(section, index, random(4) != 0);
  machine_->set_page_ext(4, PageExt::kInvalid);
  for (std::uint64_t pfn = 0; pfn < kSections * kSectionPages;) {
    // blocks begin at multiples of their size, small ones mostly
    auto order = static_cast<unsigned>(std::min(random(16), random(kMaxPageOrder + 1)));
    while (pfn % (1ULL << order) != 0) --order;
    const Allocation allocation{.order = order,
                                .nid = static_cast<unsigned>(random(3)),
                                .zone = static_cast<unsigned>(random(4)),
                                .page_flags = random(1U << 20),
                                .gfp_mask = static_cast<std::uint32_t>(random(1U << 24)),
                                .handle = static_cast<std::uint32_t>(random(50)),
                                .ts_nsec = random(1ULL << 50),
                                .free_ts_nsec = random(1ULL << 50),
                                .pid = static_cast<std::int32_t>(random(30000)),
                                .tgid = static_cast<std::int32_t>(random(300)),
                                .last_migrate_reason = static_cast<std::int16_t>(random(11)),
                                .comm = random(2) == 0 ? "kworker/0:1" : "a"};
    const std::uint64_t kind = random(10);
    if (kind < 7) machine_->allocate(pfn, allocation);
    if (kind == 7) machine_->release(pfn, order);
    if (kind == 8 && pfn >> kSectionShift != 4) machine_->free_block(pfn, order);
    if (random(100) == 0) machine_->set_owner_order(pfn, static_cast<std::uint16_t>(random(40)));
    if (pfn % 512 == 0) machine_->set_pageblock(pfn, static_cast<unsigned>(random(4)));
    pfn += 1ULL << order;
  }
  open();
  const Delivered delivered = read();
  const Expected expected = expected_of(*machine_, {{0, kSections * kSectionPages}});
  EXPECT_GT(expected.pages.size(), 5'000U);
  ASSERT_EQ(delivered.pages.size(), expected.pages.size());
  for (std::size_t i = 0; i < expected.pages.size(); ++i)
    ASSERT_EQ(delivered.pages[i], expected.pages[i]) << "record " << i;
  EXPECT_EQ(counts(delivered.account), counts(expected.account));
}

/// One page that is freed and allocated all the time, by two tasks in turn, seen as the first page
/// of thousands of sections.
class ChangingPage : public MachineTest {
 protected:
  static constexpr std::uint64_t kSections = 4096;
  ChangingPage() : MachineTest(kSections) {}

  static Allocation allocation(bool is_odd, std::uint64_t ts_nsec) {
    return {.order = is_odd ? 3U : 0U,
            .gfp_mask = 0xcc0U + (is_odd ? 1 : 0),
            .handle = is_odd ? kOddHandle : kEvenHandle,
            .ts_nsec = ts_nsec,
            .free_ts_nsec = ts_nsec,
            .pid = is_odd ? 1 : 2,
            .tgid = is_odd ? 1 : 2,
            .comm = is_odd ? "odd" : "even"};
  }

  void SetUp() override {
    MachineTest::SetUp();
    if (!machine_) return;
    ASSERT_TRUE(machine_->add_section(0));
    std::vector<PfnRange> present;
    for (std::uint64_t section = 0; section < kSections; ++section) {
      if (section != 0) {
        ASSERT_TRUE(machine_->add_alias(section, 0));
      }
      present.push_back({section << kSectionShift, (section << kSectionShift) + 1});
    }
    machine_->set_present(present);
    machine_->allocate(0, allocation(false, 2));
    open();
    writer_ = std::jthread([this](const std::stop_token& stop) {
      for (std::uint64_t ts_nsec = 3; !stop.stop_requested(); ++ts_nsec)
        machine_->reallocate(0, allocation(ts_nsec % 2 == 1, ts_nsec), [] {
          for (int i = 0; i < 100; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
        });
    });
  }
  void TearDown() override {
    writer_ = {};
    MachineTest::TearDown();
  }

  static constexpr int kTurns = 50;
  static constexpr std::uint32_t kOddHandle = 1;
  static constexpr std::uint32_t kEvenHandle = 2;
  std::jthread writer_;
};

TEST_P(ChangingPage, ARecordIsOfOneAllocation) {
  std::uint64_t nr_emitted = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const Delivered delivered = read();
    nr_emitted += delivered.account.emitted;
    for (const pobpf_page& page : delivered.pages) {
      const Allocation whole = allocation(page.ts_nsec % 2 == 1, page.ts_nsec);
      ASSERT_EQ(reinterpret_cast<const char*>(page.comm), whole.comm) << page.ts_nsec;
      ASSERT_EQ(page.free_ts_nsec, whole.free_ts_nsec);
      ASSERT_EQ(page.gfp_mask, whole.gfp_mask);
      ASSERT_EQ(page.pid, whole.pid);
      ASSERT_EQ(page.tgid, whole.tgid);
    }
  }
  EXPECT_GT(nr_emitted, 0U);
}

TEST_P(ChangingPage, AGroupIsOfOneAllocation) {
  SumRequest request;
  request.group_by = POBPF_GROUP_TGID | POBPF_GROUP_COMM;
  std::uint64_t nr_emitted = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    auto sums = session_->sum_groups({}, request, {});
    ASSERT_TRUE(sums) << sums.error().what;
    nr_emitted += sums->account.emitted;
    for (const GroupSum& group : sums->groups)
      ASSERT_EQ(reinterpret_cast<const char*>(group.key.comm),
                allocation(group.key.tgid == 1, 0).comm);
  }
  EXPECT_GT(nr_emitted, 0U);
}

TEST_P(ChangingPage, ASumHasTheOrderOfItsOwnStack) {
  std::uint64_t nr_emitted = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    auto sums = session_->sum_groups({}, {}, {});
    ASSERT_TRUE(sums) << sums.error().what;
    nr_emitted += sums->account.emitted;
    for (const GroupSum& group : sums->groups) {
      const Allocation whole = allocation(group.key.handle == kOddHandle, 0);
      ASSERT_EQ(group.sum.pages, group.sum.allocations << whole.order);
    }
  }
  EXPECT_GT(nr_emitted, 0U);
}

INSTANTIATE_TEST_SUITE_P(Object, ChangingPage, testing::ValuesIn(kObjects), object_name);

INSTANTIATE_TEST_SUITE_P(Object, Walk, testing::ValuesIn(kObjects), object_name);

}  // namespace
}  // namespace pobpf::synthetic
