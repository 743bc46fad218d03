// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/options/options.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Result<Options> parse_pressure(const test::Arguments& arguments) {
  return test::try_parse(test::with_command("watch-pressure", arguments));
}

TEST(PressureOptions, Defaults) {
  const auto options = parse_pressure({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kWatchPressure);
  EXPECT_EQ(options->archive.directory, "/var/lib/pobpf-pressure");
  EXPECT_EQ(options->pressure.stall, (StallLimit{StallKind::kSome, 300ms, 2s}));
  ASSERT_TRUE(options->pressure.low);
  EXPECT_EQ(options->pressure.low->percent, 3);
  EXPECT_EQ(options->pressure.interval, 10min);
  EXPECT_FALSE(options->pressure.ends_after_first);
}

TEST(PressureOptions, AreRead) {
  const auto options =
      parse_pressure({"--stall", "full:1s/5s", "--low-memory", "2G", "--every", "1h30m", "--once",
                      "--dir", "d", "--keep", "3", "--nid", "1"});
  ASSERT_TRUE(options) << options.error().what;
  EXPECT_EQ(options->archive.directory, "d");
  EXPECT_EQ(options->archive.policy.limits.nr_max, 3U);
  EXPECT_EQ(options->pressure.stall, (StallLimit{StallKind::kFull, 1s, 5s}));
  EXPECT_EQ(options->pressure.low->bytes, 2ULL << 30);
  EXPECT_EQ(options->pressure.interval, 90min);
  EXPECT_TRUE(options->pressure.ends_after_first);
  EXPECT_EQ(options->view_text, "--nid 1");
}

TEST(PressureOptions, EitherCanBeLeftOut) {
  EXPECT_FALSE(parse_pressure({"--stall", "none"})->pressure.stall);
  EXPECT_FALSE(parse_pressure({"--low-memory", "none"})->pressure.low);
  const auto neither = parse_pressure({"--stall", "none", "--low-memory", "none"});
  ASSERT_FALSE(neither);
  EXPECT_EQ(neither.error().kind, ErrorKind::kUsage);
}

TEST(PressureOptions, WrongValuesAreRefusedByName) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--stall", "often"},
                                             {"--stall", "some:1s/20s"},
                                             {"--low-memory", "100%"},
                                             {"--low-memory", "little"},
                                             {"--every", "0s"},
                                             {"--every", "10"},
                                             {"--every", "1s", "--every", "2s"},
                                             {"--stall", "none", "--stall", "none"}}) {
    const auto options = parse_pressure(arguments);
    ASSERT_FALSE(options) << arguments.back();
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(options.error().what, HasSubstr(arguments.front()));
    EXPECT_FALSE(options.error().hint.empty());
  }
  EXPECT_FALSE(parse_pressure({"--dry-run"}));
}

}  // namespace
}  // namespace pobpf::cli
