// SPDX-License-Identifier: GPL-2.0-only
#include "reader/windows.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

constexpr unsigned kPageblockOrder = 9;

/// All windows, taken as many at a time.
std::vector<pobpf_window> windows_of(const std::vector<PfnRange>& ranges, unsigned pageblock_order,
                                     std::uint32_t slot, std::size_t at_a_time) {
  WindowSource source(ranges, pageblock_order, slot);
  std::vector<pobpf_window> all;
  while (!source.is_at_end()) {
    std::vector<pobpf_window> some(at_a_time);
    source.fill(some);
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (some[i].pfn != POBPF_NO_WINDOW) {
        all.push_back(some[i]);
        continue;
      }
      EXPECT_NE(i, 0U);
      EXPECT_TRUE(source.is_at_end());
    }
  }
  EXPECT_EQ(all.size(), source.count());
  return all;
}

TEST(Windows, CoverARangeExactlyOnceAndInOrder) {
  const std::vector<PfnRange> ranges{{1, 1000}, {4096, 4097}, {8192, 8192 + 3 * 256}};
  for (const std::size_t at_a_time : {1U, 2U, 3U, 8U, 100U}) {
    std::uint64_t expected = ranges[0].begin;
    std::size_t range = 0;
    for (const pobpf_window& window : windows_of(ranges, kPageblockOrder, 7, at_a_time)) {
      if (expected == ranges[range].end) expected = ranges[++range].begin;
      EXPECT_EQ(window.pfn, expected);
      EXPECT_EQ(window.slot, 7U);
      expected += window.last + 1U;
    }
    EXPECT_EQ(range, ranges.size() - 1);
    EXPECT_EQ(expected, ranges.back().end);
  }
}

TEST(Windows, NeverCrossAMultipleOfTheWindowSize) {
  for (const pobpf_window& window : windows_of({{3, 5000}}, kPageblockOrder, 0, 10))
    EXPECT_EQ(window.pfn / POBPF_WINDOW_PAGES, (window.pfn + window.last) / POBPF_WINDOW_PAGES);
}

TEST(Windows, NeverCrossAPageblockThatIsSmallerThanAWindow) {
  for (const pobpf_window& window : windows_of({{3, 5000}}, 4, 0, 10))
    EXPECT_EQ(window.pfn >> 4, (window.pfn + window.last) >> 4);
}

TEST(Windows, OfNoRangesAreNone) {
  WindowSource source({}, kPageblockOrder, 0);
  EXPECT_EQ(source.count(), 0U);
  EXPECT_TRUE(source.is_at_end());
  pobpf_window window{};
  source.fill({&window, 1});
  EXPECT_EQ(window.pfn, POBPF_NO_WINDOW);
}

TEST(Windows, OfEmptyRangesAreNone) {
  const auto windows =
      windows_of({{0, 0}, {10, 20}, {256, 256}, {300, 301}, {400, 400}}, kPageblockOrder, 0, 1);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].pfn, 10U);
  EXPECT_EQ(windows[0].last, 9U);
  EXPECT_EQ(windows[1].pfn, 300U);
  EXPECT_EQ(windows[1].last, 0U);
  EXPECT_TRUE(windows_of({{5, 5}}, kPageblockOrder, 0, 1).empty());
}

TEST(Windows, AtOnceAreAsManyEachTime) {
  EXPECT_EQ(windows_at_once(0), 0U);
  for (const std::uint64_t count : {1ULL, 16'384ULL, 16'385ULL, 32'769ULL, 1ULL << 26}) {
    const std::uint64_t at_once = windows_at_once(count);
    const std::uint64_t nr_maps = (count + at_once - 1) / at_once;
    EXPECT_LE(at_once, 16'384U) << count;
    EXPECT_LE(nr_maps, (count + 16'383) / 16'384) << count;
    // elements of the last map that nothing is written for
    EXPECT_LT(nr_maps * at_once - count, nr_maps) << count;
  }
}

TEST(PfnRanges, JoinedSortsAndMergesWhatTouches) {
  const std::vector<PfnRange> expected{{0, 20}, {30, 40}};
  const std::vector<PfnRange> ranges{{30, 40}, {10, 20}, {0, 10}, {5, 5}, {2, 12}};
  EXPECT_EQ(joined(ranges), expected);
}

TEST(PfnRanges, IntersectionKeepsOnlyWhatBothHave) {
  const std::vector<PfnRange> a{{0, 10}, {20, 30}};
  const std::vector<PfnRange> b{{5, 25}, {28, 100}};
  const std::vector<PfnRange> expected{{5, 10}, {20, 25}, {28, 30}};
  EXPECT_EQ(intersection(a, b), expected);
  EXPECT_EQ(intersection(b, a), expected);
  EXPECT_TRUE(intersection(a, {}).empty());
}

}  // namespace
}  // namespace pobpf
