// SPDX-License-Identifier: GPL-2.0-only
#include "model/id_range.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pobpf {
namespace {

constexpr std::uint32_t kMax = 1000;
using IdRangeList = std::vector<IdRange>;

std::string range_refusal(std::string_view text, std::uint32_t max = kMax) {
  const auto ranges = parse_id_ranges(text, max);
  if (ranges) return "accepted";
  EXPECT_EQ(ranges.error().kind, ErrorKind::kUsage);
  return ranges.error().what;
}

TEST(IdRanges, AreNumbersRangesAndOpenRanges) {
  EXPECT_EQ(parse_id_ranges("7", kMax).value(), (IdRangeList{{7, 7}}));
  EXPECT_EQ(parse_id_ranges("1,5-10", kMax).value(), (IdRangeList{{1, 1}, {5, 10}}));
  EXPECT_EQ(parse_id_ranges("9-", kMax).value(), (IdRangeList{{9, kMax}}));
  EXPECT_EQ(parse_id_ranges("0,4-", kMax).value(), (IdRangeList{{0, 0}, {4, kMax}}));
  EXPECT_EQ(parse_id_ranges("5-5", kMax).value(), (IdRangeList{{5, 5}}));
  EXPECT_EQ(parse_id_ranges("0x10-0x1f", kMax).value(), (IdRangeList{{16, 31}}));
  EXPECT_EQ(parse_id_ranges("1000", kMax).value(), (IdRangeList{{1000, 1000}}));
  EXPECT_EQ(parse_id_ranges("0-4294967295", UINT32_MAX).value(), (IdRangeList{{0, UINT32_MAX}}));
}

TEST(IdRanges, KeepTheirOrderAndMayOverlap) {
  EXPECT_EQ(parse_id_ranges("5-10,3,7", kMax).value(), (IdRangeList{{5, 10}, {3, 3}, {7, 7}}));
}

TEST(IdRanges, WhatIsNoNumberIsNamedWhole) {
  for (const char* text : {"x", "-1", "-", "--", "5-6-7", "5-x", "x-5", "0x", " 5", "5 ", "+5",
                           "1.5", "5..7", "5:7", "0xg", "1e3"})
    EXPECT_EQ(range_refusal(text), fmt::format("'{}' is neither a number nor a range", text));
  EXPECT_EQ(range_refusal("1,2,abc,3"), "'abc' is neither a number nor a range");
}

TEST(IdRanges, HintSaysWhatIsValid) {
  EXPECT_EQ(parse_id_ranges("x", kMax).error().hint,
            "give 7, 7-9, or 7- for all from 7 on; decimal, or hexadecimal with 0x");
}

TEST(IdRanges, RefusesNumbersThatAreTooLarge) {
  EXPECT_EQ(range_refusal("1001"), "1001 is too large, the most is 1000");
  EXPECT_EQ(range_refusal("5-1001"), "1001 is too large, the most is 1000");
  EXPECT_EQ(range_refusal("1001-"), "1001 is too large, the most is 1000");
  EXPECT_EQ(range_refusal("4294967296", UINT32_MAX),
            "4294967296 is too large, the most is 4294967295");
  // over 64 bits
  EXPECT_EQ(range_refusal("99999999999999999999"),
            "99999999999999999999 is too large, the most is 1000");
  EXPECT_EQ(range_refusal("1-99999999999999999999"),
            "99999999999999999999 is too large, the most is 1000");
}

TEST(IdRanges, RefusesBackwardRangesAndEmptyEntries) {
  EXPECT_EQ(range_refusal("5-3"), "the range '5-3' runs backwards");
  for (const char* text : {"", ",", "1,", ",1", "1,,2"})
    EXPECT_EQ(range_refusal(text), "an entry of the list is empty") << text;
}

TEST(IdRanges, TenThousandAreRead) {
  std::string text = "0";
  for (int i = 1; i < 10000; ++i) text += fmt::format(",{}", i * 7);
  const auto ranges = parse_id_ranges(text, UINT32_MAX);
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 10000U);
  EXPECT_EQ(ranges->back(), (IdRange{9999 * 7, 9999 * 7}));
  EXPECT_EQ(count_ids(*ranges), 10000U);
}

TEST(IdRanges, AreCountedWithoutOverflow) {
  EXPECT_EQ(count_ids({}), 0U);
  EXPECT_EQ(count_ids({{3, 3}, {5, 10}}), 7U);
  EXPECT_EQ(count_ids({{0, UINT32_MAX}}), 1ULL << 32);
  EXPECT_EQ(count_ids(IdRangeList(1000, {0, UINT32_MAX})), 1000ULL << 32);
}

}  // namespace
}  // namespace pobpf
