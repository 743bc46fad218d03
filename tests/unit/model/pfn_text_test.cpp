// SPDX-License-Identifier: GPL-2.0-only
#include "model/pfn_text.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

PfnRange range(std::string_view text) {
  auto parsed = parse_pfn_range(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(PfnRange{});
}

std::string complaint(std::string_view text) {
  auto parsed = parse_pfn_range(text);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
  return parsed.error().what;
}

TEST(PfnText, TakesOnePage) {
  EXPECT_EQ(range("12"), (PfnRange{12, 13}));
  EXPECT_EQ(range("0x1F"), (PfnRange{31, 32}));
  EXPECT_EQ(range("0"), (PfnRange{0, 1}));
}

TEST(PfnText, TakesRangesWithBothEndsIncluded) {
  EXPECT_EQ(range("5-7"), (PfnRange{5, 8}));
  EXPECT_EQ(range("5-5"), (PfnRange{5, 6}));
  EXPECT_EQ(range("0x10-32"), (PfnRange{16, 33}));
}

TEST(PfnText, TakesCounts) {
  EXPECT_EQ(range("0x10+4"), (PfnRange{16, 20}));
  EXPECT_EQ(range("7+0x10"), (PfnRange{7, 23}));
}

TEST(PfnText, RefusesWhatIsNoNumber) {
  for (const char* text : {"", "x", "0x", "12g", "-1", "+1", "1-", "1+", "1-2-3", "1,2", " 1", "1 ",
                           "0x-1", "1e3", "--"})
    EXPECT_NE(complaint(text), "accepted") << text;
}

TEST(PfnText, SaysWhatIsWrongWithARange) {
  EXPECT_EQ(complaint("7-5"), "the range '7-5' runs backwards");
  EXPECT_EQ(complaint("7+0"), "the range '7+0' holds no page");
}

TEST(PfnText, RefusesNumbersThatOverflow) {
  EXPECT_NE(complaint("0xffffffffffffffff"), "accepted");
  EXPECT_NE(complaint("0x10000000000000000"), "accepted");
  EXPECT_NE(complaint("1+0xffffffffffffffff"), "accepted");
  EXPECT_NE(complaint("0-0xffffffffffffffff"), "accepted");
}

}  // namespace
}  // namespace pobpf
