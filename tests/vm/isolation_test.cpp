// SPDX-License-Identifier: GPL-2.0-only
// Runs in the guest (tests/vm/guest/collect.py): links of one loaded object, each with its own
// parameters, must each deliver exactly their own view however their reads are interleaved.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "model/flag_text.h"
#include "reader/session.h"

namespace pobpf {
namespace {

/// The pages that one reader delivered, as far as they can be compared with another reading.
struct View {
  std::map<std::uint64_t, pobpf_page> pages;
  std::set<std::uint64_t> nids;
  std::set<pobpf_mode> modes;
  bool has_duplicates = false;

  void add(std::span<const pobpf_page> records, pobpf_mode mode, const KernelFacts& facts) {
    modes.insert(mode);
    for (const pobpf_page& page : records) {
      has_duplicates |= !pages.emplace(page.pfn, page).second;
      nids.insert(page_flag_field(page.flags, "node", facts));
    }
  }
};

ReaderView view_of(std::initializer_list<unsigned> nids, pobpf_mode mode) {
  ReaderView view;
  view.mode = mode;
  if (nids.size() != 0) {
    view.filter.nodes.emplace();
    for (const unsigned nid : nids) view.filter.nodes->set(nid);
  }
  return view;
}

View read_all(Session& session, const ReaderView& wanted) {
  auto reader = session.open_reader(wanted);
  EXPECT_TRUE(reader) << reader.error().what;
  View view;
  for (bool at_end = false; !at_end;) {
    auto pages = (*reader)->next(at_end);
    EXPECT_TRUE(pages) << pages.error().what;
    if (!pages) break;
    view.add(*pages, (*reader)->mode(), session.facts());
  }
  return view;
}

class IsolationTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Session::open({});
    ASSERT_TRUE(opened) << opened.error().what;
    session_ = std::move(*opened);
    ASSERT_EQ(session_->memory_nodes().count(), 2U) << "this test needs a guest with two nodes";
  }
  std::unique_ptr<Session> session_;
};

TEST_F(IsolationTest, LinksReadAlternatelyInSmallReadsKeepTheirViews) {
  // before and after: what both readings hold alike, each interleaved reader must hold as well
  const View before = read_all(*session_, view_of({}, POBPF_MODE_STACK));

  struct Case {
    ReaderView wanted;
    std::set<std::uint64_t> nids;
    std::size_t read_bytes;
  };
  // odd sizes, smaller than a record, so that every read ends inside one
  const std::array cases{Case{view_of({0}, POBPF_MODE_HANDLE), {0}, 37},
                         Case{view_of({1}, POBPF_MODE_STACK), {1}, 101},
                         Case{view_of({0, 1}, POBPF_MODE_STACK_HANDLE), {0, 1}, 512},
                         Case{view_of({}, POBPF_MODE_STACK), {0, 1}, POBPF_READ_BYTES}};
  std::vector<std::unique_ptr<PageReader>> readers;
  std::vector<View> views(cases.size());
  for (const Case& reader_case : cases) {
    auto reader = session_->open_reader(reader_case.wanted);
    ASSERT_TRUE(reader) << reader.error().what;
    (*reader)->set_read_bytes(reader_case.read_bytes);
    readers.push_back(std::move(*reader));
  }
  std::vector<bool> ended(cases.size(), false);
  std::size_t nr_turns = 0;
  while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
    for (std::size_t i = 0; i < readers.size(); ++i) {
      if (ended[i]) continue;
      bool at_end = false;
      auto pages = readers[i]->next(at_end);
      ASSERT_TRUE(pages) << pages.error().what;
      // before its first account came, a reader can only say what it was asked for
      if (readers[i]->account().windows != 0)
        views[i].add(*pages, readers[i]->mode(), session_->facts());
      else
        views[i].add(*pages, cases[i].wanted.mode, session_->facts());
      ended[i] = at_end;
      ++nr_turns;
    }
  }
  const View after = read_all(*session_, view_of({}, POBPF_MODE_STACK));

  EXPECT_GT(nr_turns, 10'000U) << "the reads were not small";
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const std::set<pobpf_mode> wanted_mode{cases[i].wanted.mode};
    EXPECT_EQ(views[i].modes, wanted_mode);
    EXPECT_EQ(views[i].nids, cases[i].nids);
    EXPECT_FALSE(views[i].has_duplicates);
    std::size_t nr_wanted = 0;
    for (const auto& [pfn, page] : before.pages) {
      const auto later = after.pages.find(pfn);
      if (later == after.pages.end() || later->second.ts_nsec != page.ts_nsec) continue;
      if (!cases[i].nids.contains(page_flag_field(page.flags, "node", session_->facts()))) continue;
      ++nr_wanted;
      const auto found = views[i].pages.find(pfn);
      ASSERT_NE(found, views[i].pages.end()) << "pfn " << pfn << " is missing";
      EXPECT_EQ(found->second.ts_nsec, page.ts_nsec);
      EXPECT_EQ(found->second.handle, page.handle);
    }
    EXPECT_GT(nr_wanted, 1000U);
  }
}

TEST_F(IsolationTest, SumsOfOneReaderAreNotThoseOfAnother) {
  const auto pages_of = [&](const ReaderView& view) {
    auto sums = session_->sum_groups(view, {}, nullptr);
    EXPECT_TRUE(sums) << sums.error().what;
    std::uint64_t allocations = 0;
    for (const GroupSum& group : sums->groups) allocations += group.sum.allocations;
    EXPECT_EQ(allocations, sums->account.emitted);
    return allocations;
  };
  const std::uint64_t first = pages_of(view_of({0}, POBPF_MODE_STACK));
  const std::uint64_t second = pages_of(view_of({1}, POBPF_MODE_STACK));
  const std::uint64_t all = pages_of(view_of({}, POBPF_MODE_STACK));
  // a sum left behind by an earlier reader would show as double
  EXPECT_NEAR(static_cast<double>(all), static_cast<double>(first + second),
              0.05 * static_cast<double>(all));
}

TEST_F(IsolationTest, SumsAreThoseOfAListingBeforeAndAfter) {
  const auto listed = [&] {
    std::map<std::uint32_t, std::uint64_t> pages;
    for (const auto& [pfn, page] : read_all(*session_, view_of({}, POBPF_MODE_STACK)).pages)
      pages[page.handle] += 1ULL << page.order;
    return pages;
  };
  const auto before = listed();
  const auto sums = session_->sum_groups(view_of({}, POBPF_MODE_STACK), {}, nullptr);
  ASSERT_TRUE(sums) << sums.error().what;
  const auto after = listed();
  std::map<std::uint32_t, std::uint64_t> summed;
  for (const GroupSum& group : sums->groups) summed[group.key.handle] = group.sum.pages;
  std::size_t nr_same = 0;
  std::size_t nr_different = 0;
  for (const auto& [handle, pages] : before) {
    const auto later = after.find(handle);
    if (later == after.end() || later->second != pages) continue;
    ++(summed[handle] == pages ? nr_same : nr_different);
  }
  EXPECT_GT(nr_same, 200U);
  // a stack can gain and lose a page between two listings that agree on it
  EXPECT_LE(nr_different, nr_same / 100);
}

TEST_F(IsolationTest, AReaderThatIsDroppedHalfWayLeavesItsSlotClean) {
  for (unsigned turn = 0; turn < 2 * POBPF_MAX_READERS; ++turn) {
    auto reader = session_->open_reader(view_of({turn % 2}, POBPF_MODE_HANDLE));
    ASSERT_TRUE(reader) << "turn " << turn << ": " << reader.error().what;
    bool at_end = false;
    ASSERT_TRUE((*reader)->next(at_end));
  }
  EXPECT_EQ(read_all(*session_, view_of({1}, POBPF_MODE_STACK)).nids, std::set<std::uint64_t>{1});
}

TEST_F(IsolationTest, MoreReadersThanSlotsAreRefusedNotMixed) {
  std::vector<std::unique_ptr<PageReader>> readers;
  for (unsigned i = 0; i < POBPF_MAX_READERS; ++i) {
    auto reader = session_->open_reader(view_of({0}, POBPF_MODE_HANDLE));
    ASSERT_TRUE(reader) << reader.error().what;
    readers.push_back(std::move(*reader));
  }
  EXPECT_FALSE(session_->open_reader(view_of({1}, POBPF_MODE_HANDLE)));
}

/// Threads crowded on one CPU: on a kernel with full preemption their windows interleave.
TEST_F(IsolationTest, ThreadsOnOneCpuKeepTheirViews) {
  cpu_set_t one_cpu;
  CPU_ZERO(&one_cpu);
  CPU_SET(0, &one_cpu);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one_cpu), &one_cpu), 0);
  constexpr unsigned kThreads = 4;
  std::vector<std::unique_ptr<PageReader>> readers;
  for (unsigned i = 0; i < kThreads; ++i) {
    auto reader = session_->open_reader(view_of({i % 2}, POBPF_MODE_HANDLE));
    ASSERT_TRUE(reader) << reader.error().what;
    readers.push_back(std::move(*reader));
  }
  std::vector<View> views(kThreads);
  std::vector<std::string> errors(kThreads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (bool at_end = false; !at_end;) {
        auto pages = readers[i]->next(at_end);
        if (!pages) {
          errors[i] = pages.error().what;
          return;
        }
        views[i].add(*pages, POBPF_MODE_HANDLE, session_->facts());
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (unsigned i = 0; i < kThreads; ++i) {
    EXPECT_EQ(errors[i], "");
    EXPECT_EQ(views[i].nids, std::set<std::uint64_t>{i % 2});
    EXPECT_FALSE(views[i].has_duplicates);
    EXPECT_TRUE(readers[i]->account().is_balanced());
    EXPECT_EQ(views[i].pages.size(), readers[i]->account().emitted);
  }
}

}  // namespace
}  // namespace pobpf
