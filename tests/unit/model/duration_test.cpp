// SPDX-License-Identifier: GPL-2.0-only
#include "model/duration.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(Duration, HasTheseUnits) {
  EXPECT_EQ(parse_duration("7ns").value(), 7U);
  EXPECT_EQ(parse_duration("7us").value(), 7'000U);
  EXPECT_EQ(parse_duration("500ms").value(), kSecondNs / 2);
  EXPECT_EQ(parse_duration("90s").value(), 90 * kSecondNs);
  EXPECT_EQ(parse_duration("10m").value(), 600 * kSecondNs);
  EXPECT_EQ(parse_duration("3h").value(), 3 * 3600 * kSecondNs);
  EXPECT_EQ(parse_duration("2d").value(), 2 * 86400 * kSecondNs);
  EXPECT_EQ(parse_duration("1w").value(), 7 * 86400 * kSecondNs);
  EXPECT_EQ(parse_duration("0s").value(), 0U);
}

TEST(Duration, AddsItsParts) {
  EXPECT_EQ(parse_duration("1h30m").value(), 5400 * kSecondNs);
  EXPECT_EQ(parse_duration("1d1h1m1s1ms1us1ns").value(), 90061'001'001'001U);
  EXPECT_EQ(parse_duration("30m1h").value(), 5400 * kSecondNs);
}

TEST(Duration, HasFractions) {
  EXPECT_EQ(parse_duration("1.5h").value(), 5400 * kSecondNs);
  EXPECT_EQ(parse_duration("0.25s").value(), kSecondNs / 4);
  EXPECT_EQ(parse_duration("0.1s").value(), kSecondNs / 10);
  EXPECT_EQ(parse_duration("1.000000001s").value(), kSecondNs + 1);
  EXPECT_EQ(parse_duration("0.5d12.0h").value(), 86400 * kSecondNs);
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text :
       {"",       " ",     "5",  "m",      "10 m",   " 10m", "10m ", "-5m",  "+5m",
        "1.5.5s", ".s",    ".",  "1h30",   "1e3s",   "infs", "nans", "0x5s", "10M",
        "10min",  "10sec", "1y", "10m-5m", "1h,30m", "5m..", ".5s"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(duration.error().what, fmt::format("'{}' is not a duration", text));
    EXPECT_NE(duration.error().hint.find("ns, us, ms, s, m, h, d, w"), std::string::npos);
  }
}

TEST(Duration, RefusesWhatDoesNotFit) {
  EXPECT_EQ(parse_duration("9223372036854775808ns").value(), 1ULL << 63);
  EXPECT_EQ(parse_duration("9223372036.854775808s").value(), 1ULL << 63);
  EXPECT_EQ(parse_duration("15250w").value(), 15250ULL * 7 * 86400 * kSecondNs);
  for (const char* text : {"9223372036854775809ns", "15251w", "9223372036854775808ns1ns",
                           "18446744073709551616ns", "99999999999999999999s",
                           "99999999999999999999.5s", "15250.9w", "9223372036854775807ns1ns1ns"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text << " " << *duration;
    EXPECT_EQ(duration.error().what, fmt::format("'{}' is too long a time", text));
  }
  EXPECT_FALSE(parse_duration(std::string(100000, '9') + "s"));
}

TEST(Duration, LongTextIsCutInMessages) {
  EXPECT_LT(parse_duration(std::string(100000, 'x')).error().what.size(), 100U);
  EXPECT_LT(parse_duration(std::string(100000, '9') + "s").error().what.size(), 100U);
}

TEST(ClockTime, IsADurationAgoOrANumber) {
  const auto ago = parse_clock_time("1h30m");
  ASSERT_TRUE(ago);
  EXPECT_TRUE(ago->is_ago);
  EXPECT_EQ(ago->ns, 5400 * kSecondNs);
  const auto since_boot = parse_clock_time("123456789012345");
  ASSERT_TRUE(since_boot);
  EXPECT_FALSE(since_boot->is_ago);
  EXPECT_EQ(since_boot->ns, 123456789012345U);
  EXPECT_EQ(parse_clock_time("18446744073709551615")->ns, UINT64_MAX);
  EXPECT_FALSE(parse_clock_time("0")->is_ago);
}

TEST(ClockTime, RefusesOthers) {
  for (const char* text : {"", "abc", "-5", "-5m", "0x10", "12:00", "2024-01-01", "5 "}) {
    const auto time = parse_clock_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(time.error().what, fmt::format("'{}' is not a time", text));
    EXPECT_EQ(time.error().hint,
              "give how long ago, as in 10m or 1h30m, or ns since boot, as ts in the records");
  }
  EXPECT_EQ(parse_clock_time("18446744073709551616").error().what,
            "'18446744073709551616' is too long a time");
}

TEST(AgeRange, HasOneEndOrBoth) {
  const auto expect_range = [](const char* text, std::uint64_t min, std::uint64_t max) {
    const auto range = parse_age_range(text);
    ASSERT_TRUE(range) << text << ": " << range.error().what;
    EXPECT_EQ(range->min_ns, min) << text;
    EXPECT_EQ(range->max_ns, max) << text;
  };
  expect_range("10m", 600 * kSecondNs, UINT64_MAX);
  expect_range("10m..", 600 * kSecondNs, UINT64_MAX);
  expect_range("..90s", 0, 90 * kSecondNs);
  expect_range("10m..1h30m", 600 * kSecondNs, 5400 * kSecondNs);
  expect_range("1.5s..2.5s", 3 * kSecondNs / 2, 5 * kSecondNs / 2);
  expect_range("5s..5s", 5 * kSecondNs, 5 * kSecondNs);
  expect_range("0s", 0, UINT64_MAX);
}

TEST(AgeRange, RefusesOthers) {
  const auto refusal = [](const char* text) {
    const auto range = parse_age_range(text);
    EXPECT_TRUE(range || range.error().kind == ErrorKind::kUsage);
    return range ? "accepted" : range.error().what;
  };
  EXPECT_EQ(refusal("10m..5m"), "the range '10m..5m' runs backwards");
  EXPECT_EQ(refusal(""), "'' is not a duration");
  EXPECT_EQ(refusal(".."), "'..' is not a duration");
  EXPECT_EQ(refusal("5"), "'5' is not a duration");
  EXPECT_EQ(refusal("1m..x"), "'x' is not a duration");
  EXPECT_EQ(refusal("x..1m"), "'x' is not a duration");
  // a fraction may not lack its first digit, or this would be half a minute
  EXPECT_EQ(refusal("1s...5m"), "'.5m' is not a duration");
  EXPECT_EQ(refusal("1s..2s..3s"), "'2s..3s' is not a duration");
  EXPECT_EQ(refusal("10m-20m"), "'10m-20m' is not a duration");
}

}  // namespace
}  // namespace pobpf
