// SPDX-License-Identifier: GPL-2.0-only
// Each kind of page that keeps blocks from being free or movable, and that windows add up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "model/blocker_kind.h"
#include "synthetic/machine_test.h"

namespace pobpf::synthetic {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kAnonymous = 0xffff888000001001;
constexpr std::uint64_t kFile = 0xffff888000001000;
constexpr std::uint64_t kBlockPages = 1ULL << kPageblockOrder;

/// A window, with blockers that live on.
struct Window {
  pobpf_window_state state;
  std::vector<pobpf_blocker> blockers;
};

class Blockers : public MachineTest {
 protected:
  void SetUp() override {
    MachineTest::SetUp();
    if (!machine_) return;
    ASSERT_TRUE(machine_->add_section(0));
    machine_->set_present({{0, kSectionPages}});
    auto facts = machine_->facts();
    ASSERT_TRUE(facts) << facts.error().what;
    flags_ = facts->blockers;
    lru_ = {.page_flags = flags_.lru, .mapping = kAnonymous, .refcount = 0};
    for (std::uint64_t pfn = 0; pfn < kSectionPages; pfn += 1ULL << kMaxPageOrder)
      machine_->free_block(pfn, kMaxPageOrder);
  }

  /// One page of a block that else is free; nothing is before it.
  void allocate(std::uint64_t pfn, const Allocation& allocation) {
    const std::uint64_t block = pfn & ~((1ULL << kMaxPageOrder) - 1);
    machine_->allocate(block, {.page_type = kNoPageType, .refcount = 0});
    for (std::uint64_t at = block; at < block + (1ULL << kMaxPageOrder); ++at) {
      machine_->allocate(at, {.refcount = 0});
      machine_->release(at, 0);
    }
    machine_->allocate(pfn, allocation);
  }

  Account read(std::uint32_t group_by = POBPF_GROUP_HANDLE, unsigned order = kPageblockOrder,
               const ReaderView& view = {}) {
    SessionOptions options;
    options.without_features = GetParam().without_features();
    options.with_pages = false;
    options.with_sums = false;
    options.with_blockers = true;
    options.filters = GetParam().with_filters ? kEveryFilter : view.filter.active();
    auto session = machine_->open_session(options);
    if (!session) {
      ADD_FAILURE() << session.error().what;
      return {};
    }
    windows_.clear();
    auto account = (*session)->read_blockers(
        view, {.group_by = group_by, .order = order},
        [&](const WindowBlockers& window) {
          windows_.push_back({window.state, {window.blockers.begin(), window.blockers.end()}});
        },
        {});
    if (!account) {
      ADD_FAILURE() << account.error().what;
      return {};
    }
    EXPECT_TRUE(account->is_balanced());
    for (const Window& window : windows_) {
      std::uint64_t nr_pages = 0;
      for (const pobpf_blocker& blocker : window.blockers) nr_pages += blocker.nr_pages;
      EXPECT_EQ(nr_pages, window.state.nr_blocking);
    }
    return *account;
  }

  /// The kinds of what stands in the way, and how many pages of each.
  [[nodiscard]] std::map<std::string, std::uint64_t> kinds() const {
    std::map<std::string, std::uint64_t> result;
    for (const Window& window : windows_)
      for (const pobpf_blocker& blocker : window.blockers)
        result[blocker_kind_name(static_cast<pobpf_blocker_kind>(blocker.blocker))] +=
            blocker.nr_pages;
    return result;
  }
  [[nodiscard]] std::uint64_t total(__u32 pobpf_window_state::*count) const {
    std::uint64_t sum = 0;
    for (const Window& window : windows_) sum += window.state.*count;
    return sum;
  }

  pobpf_blocker_facts flags_{};
  Allocation lru_;
  std::vector<Window> windows_;
};

TEST_P(Blockers, FreeMemoryHasNone) {
  read();
  EXPECT_EQ(windows_.size(), kSectionPages / POBPF_WINDOW_PAGES);
  EXPECT_THAT(kinds(), IsEmpty());
  EXPECT_EQ(total(&pobpf_window_state::nr_free), kSectionPages);
  EXPECT_EQ(windows_.front().state.free_orders, kMaxPageOrder + 1);
}

TEST_P(Blockers, EachKindIsTold) {
  std::uint64_t pfn = 0;
  const auto next = [&] { return pfn += 1ULL << kMaxPageOrder; };
  allocate(next(), {});
  allocate(next(), {.page_flags = flags_.reserved});
  allocate(next(), {.page_type = flags_.type_slab.value | 0x00ffffff});
  allocate(next(), {.page_type = flags_.type_table.value | 0x00ffffff});
  allocate(next(), {.page_type = flags_.type_hugetlb.value | 0x00ffffff});
  allocate(next(), {});
  machine_->set_pageblock(pfn, kMigrateMovable);
  allocate(next(),
           {.page_flags = flags_.lru | flags_.unevictable, .mapping = kAnonymous, .refcount = 0});
  read();
  EXPECT_THAT(kinds(),
              UnorderedElementsAre(Pair("unmovable", 1), Pair("reserved", 1), Pair("slab", 1),
                                   Pair("page table", 1), Pair("hugetlb", 1), Pair("mlocked", 1),
                                   Pair("unmovable in a movable block", 1)));
  EXPECT_EQ(total(&pobpf_window_state::nr_free), kSectionPages - 7);
  EXPECT_EQ(total(&pobpf_window_state::nr_movable), 0U);
}

TEST_P(Blockers, MorePagesReferencedThanExplainedArePinned) {
  constexpr std::uint32_t kMappedTwice = 1;  // _mapcount is one less than the count
  const auto mapped = [&](std::int32_t refcount) {
    Allocation allocation = lru_;
    allocation.page_type = kMappedTwice;
    allocation.refcount = refcount;
    return allocation;
  };
  const auto file = [&](std::uint64_t flags, std::int32_t refcount) {
    return Allocation{.page_flags = flags, .mapping = kFile, .refcount = refcount};
  };
  struct Case {
    Allocation allocation;
    bool is_pinned;
  };
  Allocation swapped = lru_;
  swapped.page_flags |= flags_.swapcache;
  swapped.refcount = 1;
  Allocation swapped_pinned = swapped;
  swapped_pinned.refcount = 2;
  Allocation large = lru_;
  large.order = 2;
  large.refcount = 1;  // _large_mapcount is 0, which is one mapping
  Allocation large_pinned = large;
  large_pinned.refcount = 2;
  const Case cases[] = {
      {mapped(2), false},
      {mapped(3), true},
      {mapped(1024 + 2), true},  // pin_user_pages()
      {file(flags_.lru, 1), false},
      {file(flags_.lru, 2), true},
      {file(flags_.lru | flags_.private_bit, 2), false},
      {file(flags_.lru | flags_.private_bit, 3), true},
      {file(0, 2), false},  // somebody has taken it off the LRU
      {file(0, 3), true},
      {swapped, false},
      {swapped_pinned, true},
      {large, false},
      {large_pinned, true},
  };
  std::uint64_t pfn = 0;
  for (const auto& [allocation, is_pinned] : cases) allocate(pfn += 2048, allocation);
  read();
  std::vector<std::uint64_t> pinned;
  for (const Window& window : windows_)
    for (const pobpf_blocker& blocker : window.blockers) {
      EXPECT_EQ(blocker.blocker, POBPF_BLOCKER_PINNED);
      pinned.push_back(blocker.pfn);
    }
  std::vector<std::uint64_t> wanted;
  pfn = 0;
  for (const auto& [allocation, is_pinned] : cases) {
    pfn += 2048;
    if (is_pinned) wanted.push_back(pfn);
  }
  EXPECT_EQ(pinned, wanted);
}

TEST_P(Blockers, UnownedPagesAppear) {
  // what nothing refers to is passed over by the kernel, too
  ASSERT_TRUE(machine_->add_section(1));
  machine_->set_present({{kSectionPages, kSectionPages + 3 * kBlockPages}});
  constexpr std::uint64_t kFirst = kSectionPages;
  machine_->set_page_flags(kFirst, flags_.reserved);
  machine_->allocate(kFirst + kBlockPages, {.page_type = flags_.type_slab.value | 0xffffff});
  machine_->set_ext_flags(kFirst + kBlockPages, 0);
  machine_->allocate(kFirst + 2 * kBlockPages, {});
  machine_->set_ext_flags(kFirst + 2 * kBlockPages, 0);
  read();
  EXPECT_THAT(kinds(),
              UnorderedElementsAre(Pair("reserved", 1), Pair("slab", 1), Pair("unowned", 1)));
  EXPECT_EQ(total(&pobpf_window_state::nr_free), 3 * kBlockPages - 3);
  for (const Window& window : windows_)
    for (const pobpf_blocker& blocker : window.blockers) {
      EXPECT_EQ(blocker.holder, POBPF_HOLDER_NOBODY);
      EXPECT_EQ(blocker.key.handle, 0U);
    }
}

TEST_P(Blockers, OwnPagesAreToldApart) {
  // page_owner records what a process is called outside of all namespaces
  if (std::filesystem::read_symlink("/proc/self/ns/pid") != "pid:[4026531836]")
    GTEST_SKIP() << "in a namespace of processes";
  const auto self = static_cast<std::int32_t>(::getpid());
  allocate(1024, {.handle = 7, .tgid = self});
  allocate(2048, {.handle = 7, .tgid = self + 1});
  read();
  std::vector<std::pair<unsigned, unsigned>> holders;
  for (const Window& window : windows_)
    for (const pobpf_blocker& blocker : window.blockers)
      holders.emplace_back(blocker.holder, blocker.key.handle);
  EXPECT_THAT(holders, ElementsAre(Pair(unsigned{POBPF_HOLDER_SELF}, 0U),
                                   Pair(unsigned{POBPF_HOLDER_OWNER}, 7U)));
}

TEST_P(Blockers, AnAllocationReachesOverWindows) {
  machine_->allocate(1024, {.order = 10, .handle = 5});
  machine_->allocate(2048, {.order = 9, .page_flags = flags_.lru, .mapping = kAnonymous});
  machine_->allocate(2048 + kBlockPages, {.order = 3, .handle = 6});
  for (std::uint64_t pfn = 2048 + kBlockPages + 8; pfn < 3072; ++pfn) {
    machine_->allocate(pfn, {.refcount = 0});
    machine_->release(pfn, 0);
  }
  read();
  std::vector<std::pair<std::uint64_t, unsigned>> parts;
  for (const Window& window : windows_)
    for (const pobpf_blocker& blocker : window.blockers) {
      parts.emplace_back(blocker.pfn, blocker.nr_pages);
      EXPECT_EQ(blocker.key.handle, blocker.pfn < 2048 ? 5U : 6U);
    }
  EXPECT_THAT(parts, ElementsAre(Pair(1024, 256), Pair(1280, 256), Pair(1536, 256), Pair(1792, 256),
                                 Pair(2560, 8)));
  EXPECT_EQ(total(&pobpf_window_state::nr_movable), kBlockPages);
  EXPECT_EQ(total(&pobpf_window_state::nr_free), kSectionPages - 1024 - kBlockPages - 8);
}

TEST_P(Blockers, SumsAreExactHoweverManyOwnersThereAre) {
  // more owners than a window keeps sums of, each with two pages that are not neighbours
  constexpr std::uint32_t kOwners = POBPF_WINDOW_PAGES / 2;
  for (std::uint64_t pfn = 0; pfn < POBPF_WINDOW_PAGES; ++pfn)
    machine_->allocate(pfn, {.handle = 1 + static_cast<std::uint32_t>(pfn) % kOwners});
  // and few, of which each has many
  for (std::uint64_t pfn = POBPF_WINDOW_PAGES; pfn < 2 * POBPF_WINDOW_PAGES; ++pfn)
    machine_->allocate(pfn, {.handle = 1000 + static_cast<std::uint32_t>(pfn) % 8});
  machine_->set_present({{0, 2 * POBPF_WINDOW_PAGES}});
  read();
  ASSERT_EQ(windows_.size(), 2U);
  std::map<std::uint32_t, std::uint64_t> pages;
  for (const pobpf_blocker& blocker : windows_[0].blockers)
    pages[blocker.key.handle] += blocker.nr_pages;
  EXPECT_EQ(pages.size(), kOwners);
  for (const auto& [handle, nr_pages] : pages) EXPECT_EQ(nr_pages, 2U) << handle;
  // slots are found by a hash: two of eight may share one
  EXPECT_LT(windows_[1].blockers.size(), 100U);
  std::map<std::uint32_t, std::uint64_t> few;
  for (const pobpf_blocker& blocker : windows_[1].blockers)
    few[blocker.key.handle] += blocker.nr_pages;
  EXPECT_EQ(few.size(), 8U);
  for (const auto& [handle, nr_pages] : few) EXPECT_EQ(nr_pages, 32U) << handle;
}

TEST_P(Blockers, OwnersAreTheFieldsThatAreAskedFor) {
  allocate(1024, {.handle = 5, .tgid = 70, .comm = "one"});
  allocate(1025 + 1024, {.handle = 5, .tgid = 71, .comm = "two"});
  read(POBPF_GROUP_COMM | POBPF_GROUP_TGID);
  std::vector<std::pair<std::string, int>> owners;
  for (const Window& window : windows_)
    for (const pobpf_blocker& blocker : window.blockers) {
      EXPECT_EQ(blocker.key.handle, 0U);
      owners.emplace_back(reinterpret_cast<const char*>(blocker.key.comm), blocker.key.tgid);
    }
  EXPECT_THAT(owners, ElementsAre(Pair("one", 70), Pair("two", 71)));
}

TEST_P(Blockers, WindowsAreCutAtSmallBlocks) {
  machine_->set_present({{0, 64}});
  read(POBPF_GROUP_HANDLE, 4);
  ASSERT_EQ(windows_.size(), 4U);
  EXPECT_EQ(windows_[1].state.pfn, 16U);
  EXPECT_EQ(windows_[1].state.nr_pages, 16U);
}

TEST_P(Blockers, OtherNodesAreLeftOut) {
  allocate(1024, {.nid = 0});
  allocate(2048, {.nid = 1});
  ReaderView view;
  view.filter.nodes.emplace();
  view.filter.nodes->set(0);
  const Account account = read(POBPF_GROUP_HANDLE, kPageblockOrder, view);
  EXPECT_THAT(kinds(), UnorderedElementsAre(Pair("unmovable", 1)));
  EXPECT_EQ(account.filtered[POBPF_FILTER_NID], POBPF_WINDOW_PAGES);
}

INSTANTIATE_TEST_SUITE_P(Object, Blockers, testing::ValuesIn(kObjects), object_name);

}  // namespace
}  // namespace pobpf::synthetic
