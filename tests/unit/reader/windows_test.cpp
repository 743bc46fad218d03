// SPDX-License-Identifier: GPL-2.0-only
#include "reader/windows.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

constexpr unsigned kPageblockOrder = 9;

TEST(Windows, CoverARangeExactlyOnceAndInOrder) {
  const std::vector<PfnRange> ranges{{1, 1000}, {4096, 4097}, {8192, 8192 + 3 * 256}};
  std::uint64_t expected = 0;
  std::size_t range = 0;
  expected = ranges[0].begin;
  for (const pobpf_window& window : make_windows(ranges, kPageblockOrder, 7)) {
    if (expected == ranges[range].end) expected = ranges[++range].begin;
    EXPECT_EQ(window.pfn, expected);
    EXPECT_EQ(window.slot, 7U);
    expected += window.last + 1U;
  }
  EXPECT_EQ(range, ranges.size() - 1);
  EXPECT_EQ(expected, ranges.back().end);
}

TEST(Windows, NeverCrossAMultipleOfTheWindowSize) {
  for (const pobpf_window& window : make_windows({{3, 5000}}, kPageblockOrder, 0))
    EXPECT_EQ(window.pfn / POBPF_WINDOW_PAGES, (window.pfn + window.last) / POBPF_WINDOW_PAGES);
}

TEST(Windows, NeverCrossAPageblockThatIsSmallerThanAWindow) {
  for (const pobpf_window& window : make_windows({{3, 5000}}, 4, 0))
    EXPECT_EQ(window.pfn >> 4, (window.pfn + window.last) >> 4);
}

TEST(Windows, OfNoRangesAreNone) { EXPECT_TRUE(make_windows({}, kPageblockOrder, 0).empty()); }

TEST(PfnRanges, JoinedSortsAndMergesWhatTouches) {
  const std::vector<PfnRange> expected{{0, 20}, {30, 40}};
  EXPECT_EQ(joined({{30, 40}, {10, 20}, {0, 10}, {5, 5}, {2, 12}}), expected);
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
