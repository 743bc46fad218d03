// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "../util/temp_dir.h"
#include "cli/options/options.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using std::chrono::milliseconds;
using test::Arguments;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSeeHelp = ": see pobpf top --help";

Result<Options> parse_all(const Arguments& arguments) {
  return test::try_parse(test::with_command("top", arguments));
}

TopOptions parse_top(const Arguments& arguments) {
  return test::parse(test::with_command("top", arguments)).top;
}

std::string top_refusal(const Arguments& arguments) {
  return test::refusal(test::with_command("top", arguments));
}

TEST(TopOptions, WithoutAnyAreTheLargestStacks) {
  const auto options = parse_top({});
  EXPECT_THAT(options.fields, ElementsAre(GroupField::kStack));
  EXPECT_EQ(options.sort, SortKey::kPages);
  EXPECT_FALSE(options.has_limit);
  EXPECT_FALSE(options.limit);
  EXPECT_FALSE(options.depth);
  EXPECT_FALSE(options.interval);
  EXPECT_FALSE(options.count);
  EXPECT_FALSE(options.is_exact);
  EXPECT_THAT(options.ignored_functions, IsEmpty());
}

TEST(TopOptions, OfTheWholeCommandAreThereToo) {
  const auto options = parse_all({"--nid", "0", "--format", "csv", "--bytes", "--stats"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kTop);
  EXPECT_EQ(options->nodelist, "0");
  EXPECT_EQ(options->format, Format::kCsv);
  EXPECT_TRUE(options->wants_stats);
  EXPECT_TRUE(options->top.is_exact);
  EXPECT_EQ(top_refusal({"--bytes=1"}), std::string("--bytes takes no value") + kSeeHelp);
}

TEST(TopOptions, FormatsOfTopAreThree) {
  EXPECT_EQ(top_refusal({"--format", "xml"}),
            "unknown format 'xml': --format takes text, json or csv");
  EXPECT_FALSE(parse_options({"stacks", "--format", "csv"}, "/dev/null"));
}

// --by

TEST(TopOptions, ByNamesFieldsInTheirOrder) {
  EXPECT_THAT(parse_top({"--by", "comm,stack,tgid"}).fields,
              ElementsAre(GroupField::kComm, GroupField::kStack, GroupField::kTgid));
}

TEST(TopOptions, ByTakesEveryField) {
  for (const std::string& name : group_field_names()) {
    const auto options = parse_top({"--by", name});
    ASSERT_EQ(options.fields.size(), 1U);
    EXPECT_EQ(group_field_name(options.fields[0]), name);
  }
}

TEST(TopOptions, ByAddsUpWhenRepeated) {
  EXPECT_THAT(parse_top({"--by", "comm,tgid", "--by", "nid"}).fields,
              ElementsAre(GroupField::kComm, GroupField::kTgid, GroupField::kNid));
  EXPECT_EQ(top_refusal({"--by", "comm", "--by", "nid,comm"}),
            std::string("--by: comm is named twice") + kSeeHelp);
}

TEST(TopOptions, ByNamesTheNearestFieldAndAllThatThereAre) {
  constexpr const char* kAll =
      "there are stack, function, module, allocator, tgid, pid, comm, order, gfp, migratetype, "
      "nid, zone, memcg, migrate_reason, freed";
  EXPECT_EQ(top_refusal({"--by", "functoin"}),
            std::string("--by: 'functoin' is not a field: did you mean 'function'? ") + kAll);
  EXPECT_EQ(top_refusal({"--by", "comm,Zone"}),
            std::string("--by: 'Zone' is not a field: did you mean 'zone'? ") + kAll);
  EXPECT_EQ(top_refusal({"--by", "xyzzyxyzzy"}),
            std::string("--by: 'xyzzyxyzzy' is not a field: ") + kAll);
}

TEST(TopOptions, ByNeedsFields) {
  for (const Arguments& arguments :
       {Arguments{"--by", ""}, {"--by="}, {"--by", ","}, {"--by", "comm,"}, {"--by", ",comm"}})
    EXPECT_EQ(top_refusal(arguments),
              std::string("--by: an entry of the list is empty") + kSeeHelp);
  EXPECT_EQ(top_refusal({"--by", "comm", "--by", ""}),
            std::string("--by: an entry of the list is empty") + kSeeHelp);
  EXPECT_EQ(top_refusal({"--by"}), std::string("--by needs a value") + kSeeHelp);
}

// --sort

TEST(TopOptions, SortTakesOrders) {
  EXPECT_EQ(parse_top({"--sort", "allocs"}).sort, SortKey::kAllocations);
  EXPECT_EQ(parse_top({"--sort", "age"}).sort, SortKey::kAge);
  EXPECT_EQ(parse_top({"--sort", "pages"}).sort, SortKey::kPages);
  EXPECT_EQ(parse_top({"--sort", "fields"}).sort, SortKey::kFields);
  EXPECT_EQ(
      top_refusal({"--sort", "alocs"}),
      "--sort: 'alocs' is not a sort order: did you mean 'allocs'? there are pages, allocs, age, "
      "growth, fields");
}

TEST(TopOptions, NothingGrowsInOneLook) {
  EXPECT_EQ(
      top_refusal({"--sort", "growth"}),
      "--sort growth needs --watch, as nothing grows in one look: add --watch SEC, or compare "
      "snapshots");
  EXPECT_EQ(parse_top({"--watch", "1", "--sort", "growth"}).sort, SortKey::kGrowth);
}

// numbers

TEST(TopOptions, LimitIsANumberOfRows) {
  EXPECT_EQ(parse_top({"--limit", "5"}).limit, 5U);
  EXPECT_TRUE(parse_top({"--limit", "5"}).has_limit);
  EXPECT_EQ(parse_top({"--limit", "4294967295"}).limit, 4294967295U);
}

TEST(TopOptions, LimitZeroIsAll) {
  EXPECT_FALSE(parse_top({"--limit", "0"}).limit);
  EXPECT_TRUE(parse_top({"--limit", "0"}).has_limit) << "else it would be the default";
}

TEST(TopOptions, DepthIsAboutStacks) {
  EXPECT_EQ(parse_top({"--depth", "3"}).depth, 3U);
  EXPECT_EQ(parse_top({"--depth", "1", "--by", "comm,stack"}).depth, 1U);
  EXPECT_EQ(top_refusal({"--depth", "3", "--by", "comm"}),
            "--depth is about stacks, which --by does not name: add stack to --by");
}

TEST(TopOptions, NumbersAreWholeAndInTheirRange) {
  for (const char* text :
       {"", "-1", "1.5", "x", "5x", " 5", "+5", "0x10", "4294967296", "99999999999999999999"}) {
    const std::string is_no = std::string(": '") + text + "' is not a valid number: give a ";
    EXPECT_EQ(top_refusal({std::string("--limit=") + text}),
              "--limit" + is_no + "whole number from 0 to 4294967295");
    EXPECT_EQ(top_refusal({std::string("--depth=") + text}),
              "--depth" + is_no + "whole number from 1 to 4294967295");
    EXPECT_EQ(top_refusal({"--watch=1", std::string("--count=") + text}),
              "--count" + is_no + "whole number from 1 to 4294967295");
  }
  EXPECT_THAT(top_refusal({"--depth", "0"}), HasSubstr("--depth: '0' is not a valid number"));
  EXPECT_THAT(top_refusal({"--watch", "1", "--count", "0"}),
              HasSubstr("--count: '0' is not a valid number"));
}

// --watch

TEST(TopOptions, WatchTakesSecondsAndDurations) {
  EXPECT_EQ(parse_top({"--watch", "5"}).interval, milliseconds(5000));
  EXPECT_EQ(parse_top({"--watch", "0.5"}).interval, milliseconds(500));
  EXPECT_EQ(parse_top({"--watch", "0.1"}).interval, milliseconds(100));
  EXPECT_EQ(parse_top({"--watch", "250ms"}).interval, milliseconds(250));
  EXPECT_EQ(parse_top({"--watch", "1m30s"}).interval, milliseconds(90'000));
  EXPECT_EQ(parse_top({"--watch", "365d"}).interval, std::chrono::hours(365 * 24));
}

TEST(TopOptions, WatchHasAnIntervalThatClocksCanCount) {
  constexpr const char* kTooShort = "--watch: the interval is too short: give 0.1 seconds or more";
  for (const char* text : {"0", "0.0", "0.099", "99ms", "1ns"})
    EXPECT_EQ(top_refusal({"--watch", text}), kTooShort) << text;
  // the last is 2^63 ns, the most that a duration can be
  for (const char* text : {"366d", "9223372036", "9223372036854775808ns"})
    EXPECT_EQ(top_refusal({"--watch", text}),
              "--watch: the interval is too long: give a year or less")
        << text;
}

TEST(TopOptions, WatchRefusesWhatIsNoTime) {
  for (const char* text : {"", "abc", "5x", "-1", ".", "1.2.3", "1e3"}) {
    const std::string said = top_refusal({std::string("--watch=") + text});
    EXPECT_THAT(said, HasSubstr("--watch: '")) << text;
    EXPECT_THAT(said, HasSubstr("is not a duration: durations are such as 90s")) << text;
  }
}

TEST(TopOptions, CountIsOfLooks) {
  EXPECT_EQ(parse_top({"--watch", "1", "--count", "3"}).count, 3U);
  EXPECT_EQ(parse_top({"--count", "1", "--watch", "1"}).count, 1U);
  EXPECT_EQ(top_refusal({"--count", "3"}),
            "--count is of intervals, but there is no --watch: add --watch SEC");
}

TEST(TopOptions, ButByHaveOneValue) {
  for (const std::string name : {"--sort", "--limit", "--depth", "--ignore", "--watch", "--count",
                                 "--threads", "--max-groups", "--format"})
    EXPECT_EQ(top_refusal({name, "1", name, "1"}), name + " is given more than once" + kSeeHelp);
}

TEST(TopOptions, AreOfNoOtherCommand) {
  for (const char* name :
       {"--by", "--sort", "--limit", "--depth", "--ignore", "--watch", "--count"})
    for (const Arguments& arguments : {Arguments{name, "1"}, {"stacks", name, "1"}}) {
      const auto parsed = parse_options(arguments, "/dev/null");
      ASSERT_FALSE(parsed);
      EXPECT_EQ(parsed.error().what, std::string("unknown option '") + name + "'");
    }
}

// --ignore

TEST(IgnoredFunctions, AreALineEach) {
  EXPECT_THAT(parse_ignored_functions("one\ntwo*\nthree").value(),
              ElementsAre("one", "two*", "three"));
  EXPECT_THAT(parse_ignored_functions("").value(), IsEmpty());
}

TEST(IgnoredFunctions, MayHaveCommentsAndEmptyLines) {
  EXPECT_THAT(parse_ignored_functions("# a comment\n\n  \t\none\n  # [ too\r\n\r\n").value(),
              ElementsAre("one"));
}

TEST(IgnoredFunctions, MayHaveSpaceAroundThem) {
  EXPECT_THAT(parse_ignored_functions("  one\t\n\ttwo\r\n").value(), ElementsAre("one", "two"));
}

TEST(IgnoredFunctions, MayStandBetweenCommas) {
  EXPECT_THAT(parse_ignored_functions("one,two\n[a,b]").value(),
              ElementsAre("one", "two", "[a,b]"));
}

TEST(IgnoredFunctions, ErrorsNameTheLine) {
  const auto patterns = parse_ignored_functions("one\n# comment\n\n[a\n");
  ASSERT_FALSE(patterns);
  EXPECT_EQ(patterns.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(patterns.error().what, "line 4: '[a' has a [ without its ]");
  EXPECT_EQ(parse_ignored_functions("a,,b").error().what, "line 1: an entry of the list is empty");
}

TEST(TopOptions, IgnoreReadsAFile) {
  const test::TempDir dir;
  dir.write("good", "# of boot\nalloc_large_system_hash\n*_huge_zero_*\n");
  EXPECT_THAT(parse_top({"--ignore", (dir / "good").string()}).ignored_functions,
              ElementsAre("alloc_large_system_hash", "*_huge_zero_*"));
  dir.write("empty", "");
  EXPECT_THAT(parse_top({"--ignore", (dir / "empty").string()}).ignored_functions, IsEmpty());
}

TEST(TopOptions, IgnoreNamesTheFileThatIsWrong) {
  const test::TempDir dir;
  const std::string bad = (dir / "bad").string();
  dir.write("bad", "a\nb\\\n");
  EXPECT_EQ(top_refusal({"--ignore", bad}),
            "--ignore " + bad + ": line 2: 'b\\' ends with a backslash: two of them stand for one");
}

TEST(TopOptions, IgnoreOfAFileThatCannotBeReadIsAFailure) {
  const test::TempDir dir;
  const std::string missing = (dir / "missing").string();
  const auto options = parse_all({"--ignore", missing});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().kind, ErrorKind::kFailed);
  EXPECT_EQ(options.error().os_errno, ENOENT);
  EXPECT_EQ(options.error().hint, "") << "the help does not help";
  EXPECT_EQ(options.error().what, "--ignore: reading " + missing + ": No such file or directory");
  dir.write("large", std::string((1 << 20) + 1, '\n'));
  const auto large = parse_all({"--ignore", (dir / "large").string()});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().os_errno, EFBIG);
}

TEST(TopOptions, WhatIsWrongIsSaidBeforeFilesAreRead) {
  EXPECT_THAT(top_refusal({"--ignore", "/nonexistent", "--limit", "x"}), HasSubstr("--limit: 'x'"));
}

}  // namespace
}  // namespace pobpf::cli
