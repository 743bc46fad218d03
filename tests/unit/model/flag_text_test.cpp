// SPDX-License-Identifier: GPL-2.0-only
// lib/vsprintf.c: format_flags() and format_page_flags(); lib/test_printf.c has the same cases.
#include "model/flag_text.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

const std::vector<FlagName> kNames = {{0xc0, "BOTH"}, {0x40, "SIX"}, {0x80, "SEVEN"}, {1, "ZERO"}};

std::string names(std::uint64_t flags) {
  std::string out;
  append_flag_names(out, flags, kNames);
  return out;
}

TEST(FlagNames, OfNoFlagsAreEmpty) { EXPECT_EQ(names(0), ""); }

TEST(FlagNames, TakeCompositeNamesFirst) {
  EXPECT_EQ(names(0xc0), "BOTH");
  EXPECT_EQ(names(0x40), "SIX");
  EXPECT_EQ(names(0xc1), "BOTH|ZERO");
}

TEST(FlagNames, EndInWhatHasNoName) {
  EXPECT_EQ(names(0x1001), "ZERO|0x1000");
  EXPECT_EQ(names(0x1000), "0x1000");
}

KernelFacts facts() {
  KernelFacts result;
  result.page_flag_names = {{1, "locked"}, {4, "referenced"}};
  result.page_flag_fields = {{0, 0, 0, "section"},
                             {8, 56, 0xff, "node"},
                             {2, 54, 3, "zone"},
                             {21, 33, 0x1fffff, "lastcpupid", true},
                             {0, 0, 0, "kasantag"}};
  return result;
}

std::string page_flags(std::uint64_t flags) {
  std::string out;
  append_page_flags(out, flags, facts());
  return out;
}

TEST(PageFlags, HaveNoBarBeforeTheFirstFieldIfNoFlagIsSet) {
  EXPECT_EQ(page_flags(0), "0x0(node=0|zone=0|lastcpupid=0x0)");
}

TEST(PageFlags, ShowFlagsThenFields) {
  const std::uint64_t word = 1ULL << 56 | 2ULL << 54 | 0x1fffffULL << 33 | 5;
  EXPECT_EQ(page_flags(word),
            "0x1bffffe00000005(locked|referenced|node=1|zone=2|lastcpupid=0x1fffff)");
}

TEST(PageFlags, ShowBitsBetweenFlagsAndFieldsInTheWordOnly) {
  EXPECT_EQ(page_flags(0x100), "0x100(node=0|zone=0|lastcpupid=0x0)");
}

TEST(PageFlags, GiveAFieldsNumber) {
  EXPECT_EQ(page_flag_field(3ULL << 56, "node", facts()), 3U);
  EXPECT_EQ(page_flag_field(~0ULL, "section", facts()), 0U);
}

// Words that real kernels printed: x86 6.7 (linux-mm, J. Xie) and arm64 5.15.
TEST(PageFlags, AreThoseThatRealKernelsPrinted) {
  KernelFacts real;
  real.page_flag_names = {{1ULL << 3, "uptodate"}, {1ULL << 5, "lru"},
                          {1ULL << 9, "slab"},     {1ULL << 11, "slab"},
                          {1ULL << 16, "head"},    {1ULL << 17, "mappedtodisk"}};
  real.page_flag_fields = {{0, 0, 0, "section"},
                           {6, 58, 0x3f, "node"},
                           {2, 56, 3, "zone"},
                           {14, 42, 0x3fff, "lastcpupid", true},
                           {0, 0, 0, "kasantag"}};
  std::string out;
  append_page_flags(out, 0x1fffc0000020028, real);
  EXPECT_EQ(out, "0x1fffc0000020028(uptodate|lru|mappedtodisk|node=0|zone=1|lastcpupid=0x3fff)");

  real.page_flag_fields[1] = {4, 60, 0xf, "node"};
  real.page_flag_fields[2] = {2, 58, 3, "zone"};
  real.page_flag_fields[3] = {16, 42, 0xffff, "lastcpupid", true};
  out.clear();
  append_page_flags(out, 0x3fffc0000010200, real);
  EXPECT_EQ(out, "0x3fffc0000010200(slab|head|node=0|zone=0|lastcpupid=0xffff)");
}

TEST(GfpMigratetype, IsTheMobilityBits) {
  EXPECT_EQ(gfp_migratetype(0x8, {}), 1U);
  EXPECT_EQ(gfp_migratetype(0x10, {}), 2U);
  EXPECT_EQ(gfp_migratetype(0xcc0, {}), 0U);
}

TEST(GfpMigratetype, StandsWhereTheKernelSays) {
  KernelFacts other;
  other.gfp_migratetype_shift = 4;
  other.gfp_migratetype_mask = 7;
  EXPECT_EQ(gfp_migratetype(0x50, other), 5U);
}

TEST(GfpMigratetype, IsUnmovableWithoutMobilityGrouping) {
  KernelFacts small;
  small.is_mobility_grouping_disabled = true;
  EXPECT_EQ(gfp_migratetype(0x8, small), 0U);
}

}  // namespace
}  // namespace pobpf
