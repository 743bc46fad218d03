// SPDX-License-Identifier: GPL-2.0-only
#include "reader/chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "reader/windows.h"

namespace pobpf {
namespace {

constexpr unsigned kOrder = 8;
constexpr std::uint64_t kStep = 1 << kOrder;

using PfnRanges = std::vector<PfnRange>;

/// Windows of 256 pages each from PFN 0 on.
PfnRanges windows_of(std::uint64_t nr_windows) { return {{0, nr_windows * kStep}}; }

std::uint64_t nr_windows_of(const Chunk& chunk) { return count_windows(chunk.ranges, kOrder); }

NodeSpan span_of(unsigned nid, std::uint64_t first_window, std::uint64_t end_window) {
  return {nid, {first_window * kStep, end_window * kStep}};
}

using Nodes = std::vector<NodeSpan>;

/// Each page once, in its order, and no window cut in two.
void expect_all(const PfnRanges& ranges, const std::vector<Chunk>& chunks) {
  PfnRanges all;
  std::uint64_t nr_windows = 0;
  for (const Chunk& chunk : chunks) {
    EXPECT_FALSE(chunk.ranges.empty());
    EXPECT_EQ(chunk.ranges, joined(chunk.ranges));
    nr_windows += nr_windows_of(chunk);
    for (const PfnRange& range : chunk.ranges) {
      EXPECT_FALSE(range.is_empty());
      if (!all.empty()) {
        EXPECT_GE(range.begin, all.back().end);
      }
      if (!all.empty() && range.begin == all.back().end)
        all.back().end = range.end;
      else
        all.push_back(range);
    }
  }
  EXPECT_EQ(all, ranges);
  EXPECT_EQ(nr_windows, count_windows(ranges, kOrder));
}

TEST(Chunks, HoldEveryWindowExactlyOnce) {
  const Nodes layouts[] = {{},
                           {span_of(0, 0, 100'000)},
                           {span_of(0, 0, 65), span_of(3, 65, 100'000)},
                           {span_of(1, 0, 1), span_of(0, 1, 2), span_of(1, 2, 100'000)},
                           {{0, {0, 1000}}, {1, {1000, 1001}}, {2, {1001, 25'600'000}}},
                           {span_of(2, 500, 600)}};
  for (const Nodes& nodes : layouts)
    for (const unsigned nr_windows : {1U, 2U, 63U, 64U, 65U, 128U, 1000U, 20'000U})
      for (const unsigned nr_threads : {0U, 1U, 2U, 7U, 256U}) {
        SCOPED_TRACE(testing::Message() << nr_windows << " windows, " << nr_threads << " threads");
        const auto windows = windows_of(nr_windows);
        expect_all(windows, make_chunks(windows, kOrder, nodes, nr_threads));
        // with holes, and windows that are cut off at both ends
        PfnRanges holes;
        for (std::uint64_t i = 0; i < nr_windows; i += 10)
          holes.push_back({i * kStep + 3, (i + 5) * kStep - 7});
        expect_all(holes, make_chunks(holes, kOrder, nodes, nr_threads));
      }
}

TEST(Chunks, OfSeveralThreadsLieOnOneNode) {
  const Nodes nodes = {span_of(0, 0, 100), span_of(4, 100, 110), span_of(1, 110, 4000)};
  std::map<unsigned, std::size_t> nr_windows;
  for (const Chunk& chunk : make_chunks(windows_of(4000), kOrder, nodes, 2)) {
    nr_windows[chunk.nid] += nr_windows_of(chunk);
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const NodeSpan& candidate) {
      return candidate.nid == chunk.nid;
    });
    ASSERT_NE(node, nodes.end());
    EXPECT_GE(chunk.ranges.front().begin, node->pfns.begin);
    EXPECT_LE(chunk.ranges.back().end, node->pfns.end);
  }
  EXPECT_EQ(nr_windows, (std::map<unsigned, std::size_t>{{0, 100}, {4, 10}, {1, 3890}}));
}

TEST(Chunks, OfOneThreadIsOne) {
  const auto chunks =
      make_chunks(windows_of(4000), kOrder, {span_of(1, 0, 100), span_of(0, 100, 4000)}, 1);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].nid, 1U);
}

TEST(Chunks, OfNoWindowsAreNone) {
  for (const unsigned nr_threads : {0U, 1U, 8U})
    EXPECT_TRUE(make_chunks({}, kOrder, {span_of(0, 0, 10)}, nr_threads).empty());
}

/// They are as many whatever the memory, so that they take no more of it.
TEST(Chunks, OfTheLargestMachineAreAsMany) {
  constexpr std::uint64_t kWindows = std::uint64_t{1} << 26;  // 64 TB
  EXPECT_LE(make_chunks(windows_of(kWindows), kOrder, {span_of(0, 0, kWindows)}, 64).size(),
            64U * 8 + 1);
}

TEST(Chunks, AreMoreThanThreadsSoThatThreadsEndTogether) {
  const auto windows = windows_of(100'000);
  for (const unsigned nr_threads : {2U, 8U, 64U}) {
    const auto chunks = make_chunks(windows, kOrder, {span_of(0, 0, 100'000)}, nr_threads);
    EXPECT_GE(chunks.size(), nr_threads * 8U);
    EXPECT_LE(chunks.size(), nr_threads * 8U + 1);
  }
}

TEST(Chunks, AreNotSmallerThanALinkIsWorth) {
  const auto chunks = make_chunks(windows_of(1000), kOrder, {span_of(0, 0, 1000)}, 256);
  ASSERT_EQ(chunks.size(), 16U);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) EXPECT_EQ(nr_windows_of(chunks[i]), 64U);
  EXPECT_EQ(make_chunks(windows_of(64), kOrder, {}, 256).size(), 1U);
}

TEST(Chunks, OutsideOfAllSpansBelongToTheFirstNode) {
  for (const Chunk& chunk :
       make_chunks(windows_of(300), kOrder, {span_of(5, 1000, 2000), span_of(6, 2000, 9000)}, 2))
    EXPECT_EQ(chunk.nid, 5U);
}

/// A chunk of one window a number; its window tells which one it is.
class Queue : public ::testing::Test {
 protected:
  static ChunkQueue make(const std::vector<unsigned>& nids) {
    std::vector<Chunk> chunks;
    for (std::size_t i = 0; i < nids.size(); ++i)
      chunks.push_back({{{i * kStep, (i + 1) * kStep}}, nids[i]});
    return ChunkQueue(std::move(chunks));
  }
  /// Number of the chunk; -1 at the end.
  static int take(ChunkQueue& queue, unsigned nid) {
    const auto chunk = queue.take(nid);
    return chunk ? static_cast<int>(chunk->ranges.front().begin / kStep) : -1;
  }
};

TEST_F(Queue, GivesChunksOfTheOwnNodeFirstThenThoseOfOthers) {
  ChunkQueue queue = make({0, 1, 0, 1, 2});
  EXPECT_EQ(take(queue, 1), 1);
  EXPECT_EQ(take(queue, 1), 3);
  EXPECT_EQ(take(queue, 2), 4);
  EXPECT_EQ(take(queue, 1), 0);
  EXPECT_EQ(take(queue, 1), 2);
  EXPECT_EQ(take(queue, 1), -1);
  EXPECT_EQ(take(queue, 0), -1);
}

TEST_F(Queue, OfANodeWithoutChunksGivesThoseOfOthers) {
  ChunkQueue queue = make({0, 1});
  EXPECT_EQ(take(queue, 9), 0);
  EXPECT_EQ(take(queue, 9), 1);
  EXPECT_EQ(take(queue, 9), -1);
}

TEST_F(Queue, OfNothingIsAtItsEnd) {
  ChunkQueue queue = make({});
  EXPECT_EQ(take(queue, 0), -1);
}

TEST_F(Queue, GivesEachChunkToOneOfManyThreads) {
  std::vector<unsigned> nids(2000);
  for (unsigned i = 0; i < nids.size(); ++i) nids[i] = i % 3;
  ChunkQueue queue = make(nids);
  std::vector<std::vector<int>> taken(4);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < taken.size(); ++thread)
    threads.emplace_back([&, thread] {
      for (int chunk = 0;
           (chunk = take(queue, thread)) >= 0 && taken[thread].size() <= nids.size();)
        taken[thread].push_back(chunk);
    });
  for (std::thread& thread : threads) thread.join();
  std::set<int> all;
  std::size_t count = 0;
  for (const auto& of_thread : taken) {
    count += of_thread.size();
    all.insert(of_thread.begin(), of_thread.end());
  }
  EXPECT_EQ(count, 2000U);
  EXPECT_EQ(all.size(), 2000U);
}

}  // namespace
}  // namespace pobpf
