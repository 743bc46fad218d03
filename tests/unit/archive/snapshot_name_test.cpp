// SPDX-License-Identifier: GPL-2.0-only
#include "archive/snapshot_name.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <random>

namespace pobpf {
namespace {

constexpr const char* kBoot = "2f1c3c1e-6d34-4b0a-9f7e-0123456789ab";

TEST(SnapshotName, SaysHostTimeAndBoot) {
  const SnapshotName name{"db-1.example", 1'795'464'528'123'456'789, kBoot};
  EXPECT_EQ(format_snapshot_name(name),
            "db-1.example_20261123T200848.123456789Z_2f1c3c1e-6d34-4b0a-9f7e-0123456789ab.pobpf");
  EXPECT_EQ(parse_snapshot_name(format_snapshot_name(name)), name);
}

TEST(SnapshotName, TimesAreThoseOfTheCLibrary) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto second = static_cast<std::time_t>(random() % 18'000'000'000);
    const std::uint64_t ns = random() % 1'000'000'000;
    const std::uint64_t time_ns = static_cast<std::uint64_t>(second) * 1'000'000'000 + ns;
    std::tm parts{};
    ASSERT_NE(::gmtime_r(&second, &parts), nullptr);
    char expected[64];
    ASSERT_NE(std::strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &parts), 0U);
    ASSERT_EQ(utc_text(time_ns, false), expected);
    const auto parsed = parse_snapshot_name(format_snapshot_name({"h", time_ns, "b"}));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->time_ns, time_ns);
  }
}

TEST(SnapshotName, HostileTextsMakeHarmlessNames) {
  const char* const kTexts[] = {
      "",  ".",     "..",        "-rf",      "a/../../etc", "a b\n\x1b[2J",
      "_", "a_b_c", "\xff\xfe%", "(none)",   "%41",         ".hidden",
      "*", "$(id)", "a.pobpf",   "\xc3\xbc", "a\\b"};
  for (const char* host : kTexts) {
    for (const char* boot : kTexts) {
      const SnapshotName name{host, 5, boot};
      const std::string file = format_snapshot_name(name);
      EXPECT_EQ(parse_snapshot_name(file), name) << file;
      EXPECT_LE(file.size(), 255U);
      EXPECT_NE(file.front(), '.');
      EXPECT_NE(file.front(), '-');
      EXPECT_TRUE(std::all_of(file.begin(), file.end(), [](unsigned char c) {
        return c < 0x80 && (std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '%');
      })) << file;
    }
  }
}

TEST(SnapshotName, ZeroBytesAndLongTextsFit) {
  const std::string zeros(300, '\0');
  const std::string file = format_snapshot_name({zeros, 5, zeros});
  EXPECT_LE(file.size(), 255U);
  ASSERT_TRUE(parse_snapshot_name(file));
  EXPECT_EQ(parse_snapshot_name(file)->host, zeros.substr(0, 60));
  const std::string host(64, 'h');
  EXPECT_EQ(parse_snapshot_name(format_snapshot_name({host, 5, kBoot})),
            (SnapshotName{host, 5, kBoot}));
}

TEST(SnapshotName, NamesOfAHostSortByTime) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t a = random() % 18'000'000'000'000'000'000U;
    const std::uint64_t b = random() % 18'000'000'000'000'000'000U;
    EXPECT_EQ(format_snapshot_name({"h", a, "z"}) < format_snapshot_name({"h", b, "a"}), a < b);
  }
}

TEST(SnapshotName, OthersAreNone) {
  const std::string good = format_snapshot_name({"h", 1'795'464'528'123'456'789, "b"});
  ASSERT_EQ(good, "h_20261123T200848.123456789Z_b.pobpf");
  for (const char* file : {
           "",
           ".pobpf",
           "now.pobpf",
           "_.pobpf",
           "__.pobpf",
           "h_20261123T202848.123456789Z_b",
           "h_20261123T202848.123456789Z_b.pobpf~",
           "h_20261123T202848.123456789Z_b_c.pobpf",
           "h_20261123T202848.12345678Z_b.pobpf",
           "h_20261123T202848.1234567890Z_b.pobpf",
           "h_20261123t202848.123456789Z_b.pobpf",
           "h_20261123T202848.123456789z_b.pobpf",
           "h_20261323T202848.123456789Z_b.pobpf",
           "h_20260229T202848.123456789Z_b.pobpf",
           "h_20261123T242848.123456789Z_b.pobpf",
           "h_20261123T206048.123456789Z_b.pobpf",
           "h_20261123T202860.123456789Z_b.pobpf",
           "h_19691231T235959.999999999Z_b.pobpf",
           "h_99991231T235959.999999999Z_b.pobpf",
           "h_-0261123T202848.123456789Z_b.pobpf",
           "h_2026112 T202848.123456789Z_b.pobpf",
           "%61_20261123T202848.123456789Z_b.pobpf",
           "a%2f_20261123T202848.123456789Z_b.pobpf",
           "a%2_20261123T202848.123456789Z_b.pobpf",
           "a%_20261123T202848.123456789Z_b.pobpf",
           "a%+1_20261123T202848.123456789Z_b.pobpf",
           ".h_20261123T202848.123456789Z_b.pobpf",
           "-h_20261123T202848.123456789Z_b.pobpf",
           "h h_20261123T202848.123456789Z_b.pobpf",
       })
    EXPECT_FALSE(parse_snapshot_name(file)) << file;
}

TEST(SnapshotName, AnyOtherTextMakesNoName) {
  const std::string good = format_snapshot_name({"h", 1'795'464'528'123'456'789, "b"});
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string file = good;
    for (std::uint64_t n = 1 + random() % 3; n != 0; --n)
      file[random() % file.size()] = static_cast<char>(random());
    const auto name = parse_snapshot_name(file);
    EXPECT_TRUE(!name || format_snapshot_name(*name) == file) << file;
  }
}

}  // namespace
}  // namespace pobpf
