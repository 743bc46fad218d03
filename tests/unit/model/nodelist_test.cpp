// SPDX-License-Identifier: GPL-2.0-only
// The table of lib/test_bitmap.c (parselist_tests[], Linux 6.12) is the oracle.
#include "model/nodelist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pobpf {
namespace {

using ::testing::HasSubstr;

struct Accepted {
  const char* text;
  std::uint64_t nodes;
  unsigned max_nodes;
};

TEST(NodeList, ReadsWhatTheKernelReads) {
  const Accepted cases[] = {
      {"0", 1, 8},
      {"1", 2, 8},
      {"0-15", 0xffff, 32},
      {"16-31", 0xffff0000, 32},
      {"0-31:1/2", 0x55555555, 32},
      {"1-31:1/2", 0xaaaaaaaa, 32},
      {"0-31:1/4", 0x11111111, 32},
      {"1-31:1/4", 0x22222222, 32},
      {"0-31:4/4", 0xffffffff, 32},
      {"1-31:4/4", 0xfffffffe, 32},
      {"0-31:1/4,32-63:2/4", 0x3333333311111111, 64},
      {"0-31:3/4,32-63:4/4", 0xffffffff77777777, 64},
      {"  ,,  0-31:3/4  ,, 32-63:4/4  ,,  ", 0xffffffff77777777, 64},
      {"", 0, 8},
      {"\n", 0, 8},
      {",,  ,,  , ,  ,", 0, 8},
      {" ,  ,,  , ,   ", 0, 8},
      {" ,  ,,  , ,   \n", 0, 8},
      {"0-0", 1, 32},
      {"1-1", 2, 32},
      {"15-15", 0x8000, 32},
      {"31-31", 0x80000000, 32},
      {"0-0:0/1", 0, 32},
      {"0-0:1/1", 1, 32},
      {"0-0:1/31", 1, 32},
      {"0-0:31/31", 1, 32},
      {"1-1:1/1", 2, 32},
      {"0-15:16/31", 0xffff, 32},
      {"15-15:1/2", 0x8000, 32},
      {"15-15:31/31", 0x8000, 32},
      {"15-31:1/31", 0x8000, 32},
      {"16-31:16/31", 0xffff0000, 32},
      {"31-31:31/31", 0x80000000, 32},
      {"N-N", 0x80000000, 32},
      {"0-0:1/N", 1, 32},
      {"0-0:N/N", 1, 32},
      {"0-15:16/N", 0xffff, 32},
      {"15-15:N/N", 0x8000, 32},
      {"15-N:1/N", 0x8000, 32},
      {"16-N:16/N", 0xffff0000, 32},
      {"N-N:N/N", 0x80000000, 32},
      {"0-N:1/3,1-N:1/3,2-N:1/3", 0xffffffff, 32},
      {"0-31:1/3,1-31:1/3,2-31:1/3", 0xffffffff, 32},
      {"1-10:8/12,8-31:24/29,0-31:0/3", 0xfffffffe, 32},
      {"all", 0xffffffff, 32},
      {"0, 1, all,  ", 0xffffffff, 32},
      {"all:1/2", 0x55555555, 32},
      {"ALL:1/2", 0x55555555, 32},
  };
  for (const Accepted& accepted : cases) {
    SCOPED_TRACE(accepted.text);
    const auto nodes = parse_nodelist(accepted.text, accepted.max_nodes);
    ASSERT_TRUE(nodes) << nodes.error().what;
    EXPECT_EQ(*nodes, NodeSet(accepted.nodes));
  }
}

TEST(NodeList, ReadsListsOfMoreThan64Nodes) {
  const auto nodes = parse_nodelist("0-31:1/4,32-63:2/4,64-95:3/4,96-127:4/4", 128);
  ASSERT_TRUE(nodes) << nodes.error().what;
  EXPECT_EQ(*nodes, NodeSet(0xffffffff77777777) << 64 | NodeSet(0x3333333311111111));
}

// Not in the kernel's table, but its code: bitmap_parse_region() returns right behind the group.
TEST(NodeList, StartsANewRegionRightBehindAGroup) {
  EXPECT_EQ(parse_nodelist("0-7:1/4N", 16).value_or(NodeSet()), NodeSet(0x8011));
  EXPECT_EQ(parse_nodelist("0-7:1/4x", 16).error().what, "'x' is not a node list");
}

// Nor this: isspace() of lib/ctype.c.
TEST(NodeList, TakesTheNoBreakSpaceOfLatin1ForASpace) {
  EXPECT_EQ(parse_nodelist("0\xa0"
                           "2",
                           8)
                .value_or(NodeSet()),
            NodeSet(5));
}

// The kernel would drop the 2 without a word.
TEST(NodeList, IgnoresNothingBehindALineEnd) {
  EXPECT_EQ(parse_nodelist("0\n2\n", 8).value_or(NodeSet()), NodeSet(5));
  EXPECT_FALSE(parse_nodelist("0\nx", 8));
}

TEST(NodeList, RefusesWhatTheKernelRefuses) {
  const struct {
    const char* text;
    unsigned max_nodes;
  } cases[] = {
      {"al", 8},
      {"alll", 8},
      {"-1", 8},
      {"-0", 8},
      {"10-1", 8},
      {"8-8", 8},
      {"0-31", 8},
      {"0-31:", 32},
      {"0-31:0", 32},
      {"0-31:0/", 32},
      {"0-31:0/0", 32},
      {"0-31:1/0", 32},
      {"0-31:10/1", 32},
      {"a-31", 8},
      {"0-a1", 8},
      {"a-31:10/1", 8},
      {"0-31:a/1", 8},
      {"0-\n", 8},
      {"0-", 8},
      {"abc", 8},
      {"0,,x", 8},
      {"1;2", 8},
      {"0x1", 8},
      {"+1", 8},
      {"0-98765432123456789:10/1", 8},
      {"4294967296", 8},
  };
  for (const auto& refused : cases) {
    SCOPED_TRACE(refused.text);
    const auto nodes = parse_nodelist(refused.text, refused.max_nodes);
    ASSERT_FALSE(nodes);
    EXPECT_EQ(nodes.error().kind, ErrorKind::kUsage);
  }
}

TEST(NodeList, SaysWhichPartIsWrongAndWhy) {
  EXPECT_THAT(parse_nodelist("0,3-1", 8).error().what, HasSubstr("'3-1' runs backwards"));
  EXPECT_THAT(parse_nodelist("0-", 8).error().what, HasSubstr("'0-'"));
  EXPECT_THAT(parse_nodelist("9", 8).error().what, HasSubstr("beyond node 7"));
  EXPECT_THAT(parse_nodelist("0-4294967295", 8).error().what, HasSubstr("beyond node 7"));
  EXPECT_THAT(parse_nodelist("4294967296", 8).error().what, HasSubstr("too large"));
  EXPECT_THAT(parse_nodelist("0-7:3/2", 8).error().what, HasSubstr("uses more nodes"));
  EXPECT_THAT(parse_nodelist("0-7:0/0", 8).error().what, HasSubstr("empty group"));
  EXPECT_THAT(parse_nodelist("0-7:1", 8).error().what, HasSubstr("lacks the /GROUP"));
}

TEST(NodeList, ShowsControlCharactersOfItsInputAsEscapes) {
  const std::string what = parse_nodelist("1\x1b[31m", 8).error().what;
  EXPECT_THAT(what, HasSubstr("\\x1b"));
  EXPECT_EQ(what.find('\x1b'), std::string::npos);
  EXPECT_THAT(parse_nodelist("\\x1b", 8).error().what, HasSubstr("'\\\\x1b'"));
}

TEST(NodeList, EndsForTheLargestNumbersThereAre) {
  EXPECT_EQ(parse_nodelist("0-1023:1/4294967295", 1024)->count(), 1U);
  // the kernel's 32 bits turn over here and add node 0
  EXPECT_EQ(parse_nodelist("1-1023:1/4294967295", 1024)->count(), 1U);
  EXPECT_EQ(parse_nodelist("N", 1024)->test(1023), true);
}

TEST(NodeList, PrintsTheShortestFormAndReadsItBack) {
  for (const char* text : {"", "0", "0-1", "0,2-4,7", "1023", "0-1023"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(format_nodelist(*parse_nodelist(text, 1024)), text);
  }
}

}  // namespace
}  // namespace pobpf
