// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_blockers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pobpf {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t kLru = 1U << 5;

class PageBlockersTest : public ::testing::Test {
 protected:
  void SetUp() override { facts_.page_flag_names = {{kLru, "lru"}}; }

  static pobpf_page page(std::uint64_t pfn, unsigned order, std::uint32_t handle,
                         std::uint64_t flags = 0) {
    pobpf_page page{};
    page.kind = POBPF_ITEM_PAGE;
    page.pfn = pfn;
    page.order = static_cast<__u16>(order);
    page.handle = handle;
    page.flags = flags;
    return page;
  }

  /// "PFN: FREE MOVABLE HANDLE*PAGES...", by blocks of 16 pages, with " xN" behind it if N blocks
  /// are alike; "out of order" in its place.
  std::vector<std::string> blocks(const std::vector<pobpf_page>& pages) {
    std::vector<std::string> result;
    const BlockerSink sink = [&](const WindowBlockers& window) {
      const auto& state = window.state;
      std::string text = fmt::format("{}: {} {}", state.pfn, state.nr_free, state.nr_movable);
      std::uint64_t nr_blocking = 0;
      for (const pobpf_blocker& blocker : window.blockers) {
        text += fmt::format(" {}*{}", blocker.key.handle, blocker.nr_pages);
        nr_blocking += blocker.nr_pages;
      }
      EXPECT_EQ(nr_blocking, state.nr_blocking);
      if (window.nr_blocks != 1) text += fmt::format(" x{}", window.nr_blocks);
      result.push_back(text);
    };
    PageBlockers blockers({.group_by = POBPF_GROUP_HANDLE, .order = 4}, memory_, facts_, types_,
                          sink);
    for (const pobpf_page& page : pages)
      if (!blockers.add(page, nullptr)) return {"out of order"};
    blockers.finish();
    return result;
  }

  KernelFacts facts_;
  PageTypes types_;
  std::vector<PfnRange> memory_ = {{0, 64}};
};

TEST_F(PageBlockersTest, MakeAWindowOfEachBlock) {
  EXPECT_THAT(blocks({page(17, 0, 1), page(18, 1, 2, kLru), page(20, 0, 3)}),
              ElementsAre("0: 16 0", "16: 12 2 1*1 3*1", "32: 16 0", "48: 16 0"));
  EXPECT_THAT(blocks({}), ElementsAre("0: 16 0", "16: 16 0 x2", "48: 16 0"));
}

/// A file may say that memory lies anywhere.
TEST_F(PageBlockersTest, TellEmptyBlocksTogether) {
  memory_ = {{8, (1ULL << 52) + 8}};
  EXPECT_THAT(blocks({page(1ULL << 40, 4, 1)}),
              ElementsAre("0: 8 0", "16: 16 0 x68719476734", "1099511627760: 16 0",
                          "1099511627776: 0 0 1*16", "1099511627792: 16 0",
                          "1099511627808: 16 0 x281406257233918", "4503599627370496: 8 0"));
}

TEST_F(PageBlockersTest, CutAllocationsAtBlocks) {
  EXPECT_THAT(blocks({page(0, 5, 1), page(32, 4, 2, kLru)}),
              ElementsAre("0: 0 0 1*16", "16: 0 0 1*16", "32: 0 16", "48: 16 0"));
}

TEST_F(PageBlockersTest, KnowWhereMemoryIs) {
  memory_ = {{8, 20}, {48, 64}};
  EXPECT_THAT(blocks({page(8, 0, 1), page(50, 0, 2)}),
              ElementsAre("0: 7 0 1*1", "16: 4 0", "48: 15 0 2*1"));
  memory_ = {};
  EXPECT_THAT(blocks({page(8, 0, 1), page(50, 0, 2)}), ElementsAre("0: 15 0 1*1", "48: 15 0 2*1"))
      << "an import does not say it";
}

TEST_F(PageBlockersTest, WantPagesInTheOrderOfMemory) {
  EXPECT_THAT(blocks({page(8, 0, 1), page(7, 0, 2)}), ElementsAre("out of order"));
}

}  // namespace
}  // namespace pobpf
