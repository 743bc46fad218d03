// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/page_block.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

/// struct mem_section_usage without its flexible array: rcu_head and one word of subsection_map.
constexpr std::uint64_t kStructBytes = 24;

pobpf_layout x86(unsigned pageblock_bits) {
  pobpf_layout layout{};
  layout.pfn_section_shift = 15;
  layout.max_page_order = 10;
  layout.pageblock_bits = pageblock_bits;
  return layout;
}

TEST(PageblockOrder, FollowsFromTheBytesBetweenTwoBitmaps) {
  // 64 blocks of order 9 in a section of 32,768 pages: 256 bits, or 512 with 8 bits a block
  EXPECT_EQ(pageblock_order_from_usage_bytes(kStructBytes + 32, kStructBytes, x86(4)), 9U);
  EXPECT_EQ(pageblock_order_from_usage_bytes(kStructBytes + 64, kStructBytes, x86(8)), 9U);
  EXPECT_EQ(pageblock_order_from_usage_bytes(kStructBytes + 16, kStructBytes, x86(4)), 10U);
}

TEST(PageblockOrder, IsNotGuessedFromADistanceThatFitsNone) {
  EXPECT_EQ(pageblock_order_from_usage_bytes(kStructBytes + 33, kStructBytes, x86(4)), 0U);
  EXPECT_EQ(pageblock_order_from_usage_bytes(1 << 20, kStructBytes, x86(4)), 0U);
}

TEST(PageblockOrder, IsNotGuessedWhereTwoOrdersHaveBitmapsOfOneWord) {
  pobpf_layout small = x86(4);
  small.pfn_section_shift = 12;
  EXPECT_EQ(pageblock_order_from_usage_bytes(kStructBytes + 8, kStructBytes, small), 0U);
}

}  // namespace
}  // namespace pobpf
