// SPDX-License-Identifier: GPL-2.0-only
#include "reader/chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

namespace pobpf {
namespace {

constexpr std::uint64_t kStep = 256;

/// Windows of 256 pages each from PFN 0 on.
std::vector<pobpf_window> windows_of(std::size_t nr_windows) {
  std::vector<pobpf_window> windows(nr_windows);
  for (std::size_t i = 0; i < nr_windows; ++i) windows[i].pfn = (i * kStep) & ((1ULL << 48) - 1);
  return windows;
}

NodeSpan span_of(unsigned nid, std::uint64_t first_window, std::uint64_t end_window) {
  return {nid, {first_window * kStep, end_window * kStep}};
}

using Nodes = std::vector<NodeSpan>;

/// Each window once, in its order.
void expect_all(const std::vector<pobpf_window>& windows, const std::vector<Chunk>& chunks) {
  const pobpf_window* next = windows.data();
  for (const Chunk& chunk : chunks) {
    EXPECT_FALSE(chunk.windows.empty());
    EXPECT_EQ(chunk.windows.data(), next);
    next += chunk.windows.size();
  }
  EXPECT_EQ(next, windows.data() + windows.size());
}

TEST(Chunks, HoldEveryWindowExactlyOnce) {
  const Nodes layouts[] = {{},
                           {span_of(0, 0, 100'000)},
                           {span_of(0, 0, 65), span_of(3, 65, 100'000)},
                           {span_of(1, 0, 1), span_of(0, 1, 2), span_of(1, 2, 100'000)},
                           {span_of(2, 500, 600)}};
  for (const Nodes& nodes : layouts)
    for (const unsigned nr_windows : {1U, 2U, 63U, 64U, 65U, 128U, 1000U, 20'000U})
      for (const unsigned nr_threads : {0U, 1U, 2U, 7U, 256U}) {
        SCOPED_TRACE(testing::Message() << nr_windows << " windows, " << nr_threads << " threads");
        const auto windows = windows_of(nr_windows);
        expect_all(windows, make_chunks(windows, nodes, nr_threads));
      }
}

TEST(Chunks, OfSeveralThreadsLieOnOneNode) {
  const Nodes nodes = {span_of(0, 0, 100), span_of(4, 100, 110), span_of(1, 110, 4000)};
  const auto windows = windows_of(4000);
  std::map<unsigned, std::size_t> nr_windows;
  for (const Chunk& chunk : make_chunks(windows, nodes, 2)) {
    nr_windows[chunk.nid] += chunk.windows.size();
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const NodeSpan& candidate) {
      return candidate.nid == chunk.nid;
    });
    ASSERT_NE(node, nodes.end());
    EXPECT_GE(chunk.windows.front().pfn, node->pfns.begin);
    EXPECT_LT(chunk.windows.back().pfn, node->pfns.end);
  }
  EXPECT_EQ(nr_windows, (std::map<unsigned, std::size_t>{{0, 100}, {4, 10}, {1, 3890}}));
}

TEST(Chunks, OfOneThreadIsOne) {
  const auto windows = windows_of(4000);
  const auto chunks = make_chunks(windows, {span_of(1, 0, 100), span_of(0, 100, 4000)}, 1);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].nid, 1U);
}

TEST(Chunks, OfNoWindowsAreNone) {
  for (const unsigned nr_threads : {0U, 1U, 8U})
    EXPECT_TRUE(make_chunks({}, {span_of(0, 0, 10)}, nr_threads).empty());
}

TEST(Chunks, AreMoreThanThreadsSoThatThreadsEndTogether) {
  const auto windows = windows_of(100'000);
  for (const unsigned nr_threads : {2U, 8U, 64U}) {
    const auto chunks = make_chunks(windows, {span_of(0, 0, 100'000)}, nr_threads);
    EXPECT_GE(chunks.size(), nr_threads * 8U);
    EXPECT_LE(chunks.size(), nr_threads * 8U + 1);
  }
}

TEST(Chunks, AreNotSmallerThanALinkIsWorth) {
  const auto windows = windows_of(1000);
  const auto chunks = make_chunks(windows, {span_of(0, 0, 1000)}, 256);
  ASSERT_EQ(chunks.size(), 16U);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) EXPECT_EQ(chunks[i].windows.size(), 64U);
  EXPECT_EQ(make_chunks(windows_of(64), {}, 256).size(), 1U);
}

TEST(Chunks, OutsideOfAllSpansBelongToTheFirstNode) {
  const auto windows = windows_of(300);
  for (const Chunk& chunk :
       make_chunks(windows, {span_of(5, 1000, 2000), span_of(6, 2000, 9000)}, 2))
    EXPECT_EQ(chunk.nid, 5U);
}

/// A chunk of one window a number; its window tells which one it is.
class Queue : public ::testing::Test {
 protected:
  Queue() : windows(windows_of(2000)) {}
  ChunkQueue make(const std::vector<unsigned>& nids) {
    std::vector<Chunk> chunks;
    for (std::size_t i = 0; i < nids.size(); ++i)
      chunks.push_back({std::span(windows).subspan(i, 1), nids[i]});
    return ChunkQueue(std::move(chunks));
  }
  /// Number of the chunk; -1 at the end.
  [[nodiscard]] int take(ChunkQueue& queue, unsigned nid) const {
    const auto chunk = queue.take(nid);
    return chunk ? static_cast<int>(chunk->windows.data() - windows.data()) : -1;
  }
  std::vector<pobpf_window> windows;
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
