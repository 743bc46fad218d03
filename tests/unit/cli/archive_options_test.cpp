// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/options/options.h"
#include "model/duration.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using test::try_parse;
using ::testing::HasSubstr;

TEST(ArchiveOptions, DefaultsKeepAll) {
  const auto options = try_parse({"snapshot"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kSnapshot);
  EXPECT_EQ(options->archive.directory, "/var/lib/pobpf");
  EXPECT_FALSE(options->archive.policy.limits.nr_max);
  EXPECT_FALSE(options->archive.policy.limits.age_max_ns);
  EXPECT_FALSE(options->archive.policy.limits.bytes_max);
  EXPECT_TRUE(options->archive.policy.limits.tiers.empty());
  EXPECT_FALSE(options->archive.policy.min_free);
  EXPECT_EQ(options->archive.wait.count(), 0);
  EXPECT_FALSE(options->archive.is_dry_run);
}

TEST(ArchiveOptions, AreRead) {
  const auto options =
      try_parse({"snapshot", "--dir",      "d",         "--keep",     "7",    "--max-age",
                 "36h",      "--max-size", "1.5G",      "--min-free", "2.5%", "--thin",
                 "--wait",   "90",         "--dry-run", "--nid",      "0",    "--comm",
                 "a",        "--free",     "--level",   "9"});
  ASSERT_TRUE(options) << options.error().what;
  const RetentionPolicy& policy = options->archive.policy;
  EXPECT_EQ(options->archive.directory, "d");
  EXPECT_EQ(policy.limits.nr_max, 7U);
  EXPECT_EQ(policy.limits.age_max_ns, 36 * 3600 * kSecondNs);
  EXPECT_EQ(policy.limits.bytes_max, 3ULL << 29);
  EXPECT_EQ(policy.limits.tiers, default_tiers());
  ASSERT_TRUE(policy.min_free);
  EXPECT_EQ(policy.min_free->bytes, 0U);
  EXPECT_EQ(policy.min_free->percent, 2.5);
  EXPECT_EQ(options->archive.wait, std::chrono::seconds(90));
  EXPECT_TRUE(options->archive.is_dry_run);
  EXPECT_EQ(options->view_text, "--nid 0 --comm a");
  EXPECT_TRUE(options->snapshot.with_free_side);
  EXPECT_EQ(options->snapshot.level, 9);
}

TEST(ArchiveOptions, TiersMakeThinOfTheirOwn) {
  for (const std::vector<std::string>& front :
       {std::vector<std::string>{"snapshot"}, {"snapshot", "--thin"}}) {
    auto arguments = front;
    arguments.insert(arguments.end(), {"--thin-tiers", "1h:all,1d:30m"});
    const auto options = try_parse(arguments);
    ASSERT_TRUE(options);
    EXPECT_EQ(
        options->archive.policy.limits.tiers,
        (std::vector<ThinTier>{{3600 * kSecondNs, 0}, {86400 * kSecondNs, 1800 * kSecondNs}}));
  }
}

TEST(ArchiveOptions, AnAmountThatStaysFree) {
  const auto options = try_parse({"snapshot", "--min-free", "2G"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->archive.policy.min_free->bytes, 2ULL << 30);
  EXPECT_EQ(options->archive.policy.min_free->percent, 0);
}

TEST(ArchiveOptions, WrongValuesAreRefused) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--keep", "0"},
                                             {"--keep", "-1"},
                                             {"--keep", "1.5"},
                                             {"--max-age", "0s"},
                                             {"--max-age", "7"},
                                             {"--max-size", "0"},
                                             {"--max-size", "-1"},
                                             {"--min-free", "100%"},
                                             {"--min-free", "-1%"},
                                             {"--min-free", "nan%"},
                                             {"--min-free", "%"},
                                             {"--min-free", "inf%"},
                                             {"--min-free", "0x1%"},
                                             {"--min-free", ""},
                                             {"--thin-tiers", ""},
                                             {"--wait", "-1"},
                                             {"--wait", "366d"},
                                             {"--wait", ""},
                                             {"--dir", ""},
                                             {"--dir", "a", "--dir", "b"},
                                             {"--keep", "1", "--keep", "1"},
                                             {"-o", "file"},
                                             {"DIR"},
                                             {"--mode", "stack"},
                                             {"--format", "json"}}) {
    auto with_command = arguments;
    with_command.insert(with_command.begin(), "snapshot");
    const auto options = try_parse(with_command);
    ASSERT_FALSE(options) << arguments[0] << ' ' << arguments.back();
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
  }
}

TEST(ArchiveOptions, AListHasADirectory) {
  EXPECT_EQ(try_parse({"list"})->archive.directory, "/var/lib/pobpf");
  const auto options = try_parse({"list", "d", "--format", "json"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kList);
  EXPECT_EQ(options->archive.directory, "d");
  EXPECT_FALSE(try_parse({"list", "a", "b"}));
  EXPECT_FALSE(try_parse({"list", ""}));
  EXPECT_FALSE(try_parse({"list", "--nid", "0"}));
}

TEST(LatestOptions, ANumberMayBeLeftOut) {
  auto options = try_parse({"diff", "--latest", "--dir", "d"});
  ASSERT_TRUE(options) << options.error().what;
  EXPECT_EQ(options->diff.nr_latest, 2U);
  EXPECT_EQ(options->diff.directory, "d");
  options = try_parse({"diff", "--leaks", "--latest"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->diff.nr_latest, 3U);
  EXPECT_EQ(options->diff.directory, "/var/lib/pobpf");
  options = try_parse({"diff", "--latest", "25", "--by", "tgid"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->diff.nr_latest, 25U);
  EXPECT_FALSE(try_parse({"diff", "a", "b"})->diff.nr_latest);
}

TEST(LatestOptions, WrongUsesAreRefused) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--latest", "1"},
                                             {"--leaks", "--latest", "2"},
                                             {"--latest", "file"},
                                             {"a", "b", "--latest"},
                                             {"--latest", "2", "--latest", "3"},
                                             {"--dir", "d", "a", "b"},
                                             {"--latest", "--dir", ""}}) {
    auto with_command = arguments;
    with_command.insert(with_command.begin(), "diff");
    const auto options = try_parse(with_command);
    ASSERT_FALSE(options) << arguments.back();
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace pobpf::cli
