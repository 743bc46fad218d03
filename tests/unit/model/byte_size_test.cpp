// SPDX-License-Identifier: GPL-2.0-only
#include "model/byte_size.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(ByteSize, UnitsArePowersOf1024) {
  EXPECT_EQ(parse_byte_size("0").value(), 0U);
  EXPECT_EQ(parse_byte_size("4097").value(), 4097U);
  EXPECT_EQ(parse_byte_size("1K").value(), 1024U);
  EXPECT_EQ(parse_byte_size("1KiB").value(), 1024U);
  EXPECT_EQ(parse_byte_size("1.5M").value(), 1572864U);
  EXPECT_EQ(parse_byte_size("2G").value(), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_byte_size("3T").value(), std::uint64_t{3} << 40);
  EXPECT_EQ(parse_byte_size("8191P").value(), std::uint64_t{8191} << 50);
  EXPECT_EQ(parse_byte_size("9223372036854775807").value(), std::uint64_t{INT64_MAX});
}

TEST(ByteSize, AllElseIsRefused) {
  for (const char* text : {"",      "K",  "1k", "1KB",  "1Ki", "-1",  "+1",  " 1",  "1 ", "1 K",
                           "1.2.3", ".5", ".",  "0x10", "1e9", "inf", "nan", "1K1", "1%", "1,5G"}) {
    auto size = parse_byte_size(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().kind, ErrorKind::kUsage);
  }
  for (const char* text : {"8192P", "9223372036854775808", "99999999999999999999999999P"})
    EXPECT_FALSE(parse_byte_size(text)) << text;
}

}  // namespace
}  // namespace pobpf
