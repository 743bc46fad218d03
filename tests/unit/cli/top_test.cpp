// SPDX-License-Identifier: GPL-2.0-only
// pobpf top over made-up sums: what it prints, look by look, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "../reader/made_up_session.h"
#include "../util/descriptors.h"
#include "../util/terminal.h"
#include "cli/commands/commands.h"
#include "cli/terminal/interrupt.h"
#include "command_test.h"

namespace pobpf::cli {
namespace {

using nlohmann::json;
using test::OnTerminal;
using test::Replacement;
using test::sum_of;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

/// Pages by task name.
GroupSums sums_of(const std::vector<std::pair<const char*, std::uint64_t>>& comms) {
  GroupSums sums;
  for (const auto& [comm, pages] : comms) {
    sums.groups.push_back(sum_of(0, pages, pages));
    samples::set_comm(sums.groups.back().key, comm);
  }
  return sums;
}

/// Groups of a thread each, with 1, 2, 3, ... pages.
GroupSums many(std::uint64_t nr_groups) {
  GroupSums sums;
  for (std::uint64_t i = 1; i <= nr_groups; ++i) {
    sums.groups.push_back(sum_of(0, i, 1));
    sums.groups.back().key.pid = static_cast<int>(i);
  }
  return sums;
}

class TopCommand : public test::CommandTest {
 protected:
  TopCommand() {
    session.context.add_stack(1, {"alloc_pages+0x1/0x9", "asker+0x1/0x9"});
    session.context.add_stack(2, {"alloc_pages+0x1/0x9", "other+0x2/0x9 [mod]"});
    options.command = Command::kTop;
    options.top.fields = {GroupField::kComm};
  }

  Result<ExitStatus> run() { return CommandTest::run(print_top); }
  Result<ExitStatus> run(Output& output) { return CommandTest::run(print_top, session, output); }
  ExitStatus status() {
    auto ended = run();
    if (!ended) ADD_FAILURE() << ended.error().what;
    return ended.value_or(ExitStatus::kFailed);
  }
};

std::uint64_t pages_in_all(const std::vector<json>& rows, const char* key = "pages") {
  std::uint64_t sum = 0;
  for (const json& row : rows)
    if (row.at("kind") != "total") sum += row.at(key).get<std::uint64_t>();
  return sum;
}

TEST_F(TopCommand, PrintsATableLargestFirst) {
  session.looks = {sums_of({{"a", 25}, {"b", 75}})};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            "PAGES  SIZE  ALLOCS   SHARE  COMM\n"
            "   75  300K      75   75.0%  b\n"
            "   25  100K      25   25.0%  a\n"
            "  100  400K     100  100.0%  (total)\n");
  EXPECT_EQ(said, "");
}

TEST_F(TopCommand, PrintsStacksBelowTheirRow) {
  options.top.fields = {GroupField::kStack};
  session.looks = {{{sum_of(1, 1, 1), sum_of(2, 3, 1)}, {}, {}}};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            "PAGES  SIZE  ALLOCS   SHARE\n"
            "    3   12K       1   75.0%\n"
            "        alloc_pages+0x1/0x9\n"
            "        other+0x2/0x9 [mod]\n"
            "\n"
            "    1    4K       1   25.0%\n"
            "        alloc_pages+0x1/0x9\n"
            "        asker+0x1/0x9\n"
            "\n"
            "    4   16K       2  100.0%  (total)\n");
}

TEST_F(TopCommand, AsksTheKernelForWhatTheRowsNeed) {
  options.top.fields = {GroupField::kNid, GroupField::kModule};
  options.nr_threads = 3;
  options.groups_max = 77;
  session.looks = {sums_of({})};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  ASSERT_THAT(session.requests, SizeIs(1));
  EXPECT_EQ(session.requests[0].group_by, POBPF_GROUP_NID | POBPF_GROUP_HANDLE);
  EXPECT_EQ(session.requests[0].nr_threads, 3U);
  EXPECT_EQ(session.requests[0].groups_max, 77U);
}

TEST_F(TopCommand, TablesShowTwentyRowsAndTheRestAsOne) {
  options.top.fields = {GroupField::kPid};
  session.looks = {many(30)};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  const auto table = lines();
  ASSERT_THAT(table, SizeIs(1 + 20 + 2));
  EXPECT_THAT(table[21], HasSubstr("(10 more)"));
  EXPECT_THAT(table[22], HasSubstr("(total)"));
  std::uint64_t pages = 0;
  for (std::size_t i = 1; i < table.size() - 1; ++i) pages += std::stoul(table[i]);
  EXPECT_EQ(pages, std::stoul(table.back()));
  EXPECT_EQ(pages, 30U * 31 / 2);
}

TEST_F(TopCommand, TheLimitIsWhatTheUserSays) {
  options.top.fields = {GroupField::kPid};
  options.top.has_limit = true;
  options.top.limit = 25;
  session.looks = {many(30)};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_THAT(lines(), SizeIs(1 + 25 + 2));
  options.top.limit = std::nullopt;
  session.looks = {many(30)};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_THAT(lines(), SizeIs(1 + 30 + 1));
}

TEST_F(TopCommand, RecordsAreOfAllGroups) {
  options.top.fields = {GroupField::kPid};
  options.format = Format::kJson;
  session.looks = {many(30)};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  const auto rows = objects();
  ASSERT_THAT(rows, SizeIs(30 + 1));
  EXPECT_EQ(rows[0].at("pid"), 30);
  EXPECT_EQ(rows[30].at("kind"), "total");
  EXPECT_EQ(pages_in_all(rows), rows[30].at("pages"));
}

TEST_F(TopCommand, RecordsBelowTheLimitAreOne) {
  options.top.fields = {GroupField::kPid};
  options.format = Format::kJson;
  options.top.has_limit = true;
  options.top.limit = 3;
  session.looks = {many(30)};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  const auto rows = objects();
  ASSERT_THAT(rows, SizeIs(3 + 2));
  EXPECT_EQ(rows[3].at("kind"), "rest");
  EXPECT_EQ(rows[3].at("groups"), 27);
  EXPECT_EQ(pages_in_all(rows), 30U * 31 / 2);
  EXPECT_EQ(pages_in_all(rows, "allocations"), 30U);
}

TEST_F(TopCommand, CsvHasOneHeader) {
  options.format = Format::kCsv;
  session.looks = {sums_of({{"a", 25}, {"b,c", 75}})};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            "kind,pages,bytes,allocations,share,comm\r\n"
            "group,75,307200,75,0.750000,\"b,c\"\r\n"
            "group,25,102400,25,0.250000,a\r\n"
            "total,100,409600,100,1.000000,\r\n");
}

TEST_F(TopCommand, IgnoredGroupsAreOneRow) {
  options.top.fields = {GroupField::kFunction};
  options.top.ignored_functions = {"ask*"};
  session.looks = {{{sum_of(1, 10, 1), sum_of(2, 30, 1)}, {}, {}}};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            "PAGES  SIZE  ALLOCS   SHARE  FUNCTION\n"
            "   30  120K       1   75.0%  other\n"
            "   10   40K       1   25.0%  (ignored: 1)\n"
            "   40  160K       2  100.0%  (total)\n");
}

TEST_F(TopCommand, WhatFoundNoRoomIsARowAndIsSaid) {
  GroupSums sums = sums_of({{"a", 70}});
  sums.other = {30, 20, {}};
  session.looks = {sums};
  EXPECT_EQ(status(), ExitStatus::kIncomplete);
  EXPECT_EQ(dir.read("out"),
            "PAGES  SIZE  ALLOCS   SHARE  COMM\n"
            "   70  280K      70   70.0%  a\n"
            "   30  120K      20   30.0%  (no room for more groups)\n"
            "  100  400K      90  100.0%  (total)\n");
  EXPECT_EQ(
      said,
      "pobpf: finished, but not complete because of 30 pages of groups that there was no room "
      "for: raise --max-groups, or narrow the view down with filters\n");
}

TEST_F(TopCommand, AFileThatGivesNoRoomIsNotHelpedByMoreGroups) {
  GroupSums sums = sums_of({{"a", 70}});
  sums.other = {30, 20, {}};
  sums.is_file_too_small = true;
  session.looks = {sums};
  EXPECT_EQ(status(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("for: no more of them are made of a file of this size: narrow the "
                              "view down with filters\n"));
  EXPECT_THAT(said, Not(HasSubstr("--max-groups")));
}

TEST_F(TopCommand, ARowWhoseStackCannotBeReadSaysSo) {
  options.top.fields = {GroupField::kStack};
  session.looks = {{{sum_of(1, 1, 1), sum_of(9, 3, 1)}, {}, {}}};
  EXPECT_EQ(status(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("    3   12K       1   75.0%\n"
                                         "        (unreadable stack)\n"));
  EXPECT_EQ(
      said,
      "pobpf: finished, but not complete because of 1 record with a part that could not be read "
      "(no such stack): run pobpf again if this matters\n");
}

TEST_F(TopCommand, StacksThatAreNotShownAreNotRead) {
  options.top.fields = {GroupField::kStack};
  options.top.has_limit = true;
  options.top.limit = 1;
  session.looks = {{{sum_of(1, 4, 1), sum_of(9, 3, 1)}, {}, {}}};
  EXPECT_EQ(status(), ExitStatus::kComplete);
}

TEST_F(TopCommand, SaysWhatTheReaderLost) {
  GroupSums sums = sums_of({{"a", 1}});
  sums.account.pages = sums.account.errors = 2;
  session.looks = {sums};
  EXPECT_EQ(status(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("because of 2 pages that could not be read: "));
}

TEST_F(TopCommand, LeavesNoFileWithoutSums) {
  const auto ended = run();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().what, "no sums");
  EXPECT_FALSE(has_output());
}

TEST_F(TopCommand, EndsQuietlyWhenTheReaderLeaves) {
  static_cast<void>(::signal(SIGPIPE, SIG_IGN));
  test::Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  pipe.reader.reset();
  auto output = Output::to_stdout();
  GroupSums sums = sums_of({{"a", 1}});
  sums.other = {1, 1, {}};
  session.looks = {sums};
  EXPECT_EQ(run(output).value(), ExitStatus::kComplete);
  EXPECT_EQ(said, "");
}

TEST_F(TopCommand, FailsOnAFullDisk) {
  auto output = Output::to_file("/dev/full");
  ASSERT_TRUE(output);
  session.looks = {sums_of({{"a", 1}})};
  const auto ended = run(*output);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().os_errno, ENOSPC);
}

// --watch

class Watch : public TopCommand {
 protected:
  void SetUp() override {
    options.top.interval = std::chrono::milliseconds(1);
    options.top.count = 3;
    session.looks = {sums_of({{"a", 100}, {"b", 50}}), sums_of({{"a", 130}, {"c", 5}}),
                     sums_of({{"a", 120}})};
  }
};

/// Change and growth by name.
using Changes = std::map<std::string, std::pair<int, int>>;

TEST_F(Watch, ShowsWhatHasChangedSinceTheLastLookAndSinceTheFirst) {
  options.format = Format::kJson;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  std::vector<Changes> looks(1);
  std::vector<double> times;
  for (const json& row : objects()) {
    const bool is_total = row.at("kind") == "total";
    looks.back()[is_total ? "total" : row.at("comm")] = {row.at("change_pages"),
                                                         row.at("growth_pages")};
    if (times.size() < looks.size()) times.push_back(row.at("time"));
    EXPECT_EQ(row.at("time"), times.back()) << "a look has one time";
    if (is_total) looks.emplace_back();
  }
  EXPECT_THAT(
      looks,
      ElementsAre(Changes{{"a", {0, 0}}, {"b", {0, 0}}, {"total", {0, 0}}},
                  Changes{{"a", {30, 30}}, {"b", {-50, -50}}, {"c", {5, 5}}, {"total", {-15, -15}}},
                  Changes{{"a", {-10, 20}}, {"c", {-5, 0}}, {"total", {-15, -30}}}, Changes{}));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_GT(times.at(0), 1.5e9);
}

TEST_F(Watch, AGroupThatIsGoneShowsOnceMoreWithNothing) {
  options.format = Format::kJson;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  std::vector<std::uint64_t> pages;
  for (const json& row : objects())
    if (row.value("comm", "") == "b") pages.push_back(row.at("pages"));
  EXPECT_THAT(pages, ElementsAre(50, 0));
}

TEST_F(Watch, WritesATableALookWithALineOfTime) {
  options.top.count = 2;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  const auto text = lines();
  ASSERT_THAT(text, SizeIs(5 + 1 + 6 + 1));
  for (const unsigned head : {0U, 6U})
    EXPECT_THAT(text[head],
                MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}  every 0.001 s "
                             " by comm  sorted by pages"));
  EXPECT_EQ(text[1], "PAGES  SIZE  ALLOCS   SHARE  AGE  CHANGE  GROWTH  COMM");
  EXPECT_EQ(text[2], "  100  400K     100   66.7%    -       0       0  a");
  EXPECT_EQ(text[4], "  150  600K     150  100.0%    -       0       0  (total)");
}

TEST_F(Watch, LooksInAPipeAreApartByAnEmptyLine) {
  options.top.count = 2;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("(total)\n\n2"));
  EXPECT_THAT(dir.read("out"), Not(HasSubstr("\x1b")));
}

TEST_F(Watch, CsvHasOneHeaderForAllLooks) {
  options.format = Format::kCsv;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  const auto text = lines();
  ASSERT_THAT(text, SizeIs(1 + 3 + 4 + 3));
  EXPECT_EQ(text[0],
            "time,kind,pages,bytes,allocations,share,mean_age_ns,change_pages,growth_pages,comm\r");
  EXPECT_THAT(text[4], HasSubstr(",group,130,"));
}

TEST_F(Watch, SortsByGrowth) {
  options.format = Format::kJson;
  options.top.sort = SortKey::kGrowth;
  options.top.count = 2;
  session.looks = {sums_of({{"a", 100}, {"b", 1}}), sums_of({{"a", 110}, {"b", 21}, {"c", 15}})};
  EXPECT_EQ(status(), ExitStatus::kComplete);
  std::vector<std::string> names;
  for (const json& row : objects()) names.push_back(row.value("comm", "total"));
  EXPECT_THAT(names, ElementsAre("a", "b", "total", "b", "c", "a", "total"));
}

TEST_F(Watch, ChangesOfAllRowsAreThatOfTheTotal) {
  options.format = Format::kJson;
  options.top.has_limit = true;
  options.top.limit = 1;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  std::int64_t change = 0;
  std::uint64_t pages = 0;
  int nr_totals = 0;
  for (const json& row : objects()) {
    if (row.at("kind") != "total") {
      change += row.at("change_pages").get<std::int64_t>();
      pages += row.at("pages").get<std::uint64_t>();
      continue;
    }
    EXPECT_EQ(row.at("change_pages"), change);
    EXPECT_EQ(row.at("pages"), pages);
    change = 0;
    pages = 0;
    ++nr_totals;
  }
  EXPECT_EQ(nr_totals, 3);
}

TEST_F(Watch, WhatAnEarlierLookLacksIsSaidAtTheEnd) {
  session.looks[0].other = {7, 7, {}};
  session.looks[1].account.pages = session.looks[1].account.errors = 2;
  EXPECT_EQ(status(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("2 pages that could not be read, 7 pages of groups that there was no "
                              "room for: "));
}

TEST_F(Watch, StatsAreOfAllLooks) {
  options.wants_stats = true;
  options.format = Format::kJson;
  for (GroupSums& sums : session.looks) sums.account.pages = sums.account.emitted = 100;
  EXPECT_EQ(status(), ExitStatus::kComplete);
  EXPECT_EQ(json::parse(said).at("stats").at("emitted"), 300);
}

TEST_F(Watch, EndsWithTheFirstLookThatFails) {
  options.top.count = 10;
  const auto ended = run();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().what, "no sums");
  EXPECT_THAT(session.requests, SizeIs(4));
  EXPECT_FALSE(has_output());
}

TEST_F(Watch, LooksNoMoreWhenTheReaderHasLeft) {
  static_cast<void>(::signal(SIGPIPE, SIG_IGN));
  test::Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  pipe.reader.reset();
  auto output = Output::to_stdout();
  EXPECT_EQ(run(output).value(), ExitStatus::kComplete);
  EXPECT_THAT(session.requests, SizeIs(1));
}

TEST_F(Watch, FailsOnADiskThatFillsUp) {
  auto output = Output::to_file("/dev/full");
  ASSERT_TRUE(output);
  const auto ended = run(*output);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().os_errno, ENOSPC);
  EXPECT_THAT(session.requests, SizeIs(1));
}

// on a terminal

constexpr const char* kScreenEnd = "\x1b[J";
constexpr int kEndedByError = 100;

class WatchOnTerminal : public Watch {
 protected:
  void SetUp() override {
    Watch::SetUp();
    options.top.count = std::nullopt;
    // only keys make it look again
    options.top.interval = std::chrono::hours(1);
    session.looks.assign(6, sums_of({{"short", 100}, {"a\x1b[31mb\x9b", 50}}));
  }
  /// Does the child's work, and returns its exit status.
  int watch() {
    catch_signals();
    auto output = Output::to_stdout(is_interrupted);
    const auto ended = print_top(session, ReaderView(), options, output);
    return ended ? static_cast<int>(*ended) : kEndedByError + ended.error().os_errno;
  }
};

TEST_F(WatchOnTerminal, ObeysKeys) {
  OnTerminal terminal(120, 24, [&] { return watch(); });
  EXPECT_THAT(terminal.read_until(kScreenEnd),
              HasSubstr("by comm  sorted by pages  (q s f space)"));
  terminal.type(" ");
  EXPECT_THAT(terminal.read_until(kScreenEnd), HasSubstr("by comm  sorted by pages"));
  terminal.type("s");
  EXPECT_THAT(terminal.read_until(kScreenEnd), HasSubstr("by comm  sorted by allocs"));
  terminal.type("f");
  EXPECT_THAT(terminal.read_until(kScreenEnd), HasSubstr("by tgid  sorted by allocs"));
  terminal.type("xq");
  EXPECT_EQ(terminal.exit_status(), 0);
  EXPECT_EQ(terminal.rest(), "") << "unknown keys do nothing";
}

TEST_F(WatchOnTerminal, WritesNothingRawAndNothingThatScrolls) {
  constexpr std::size_t kColumns = 30;
  constexpr std::size_t kLines = 5;
  OnTerminal terminal(kColumns, kLines, [&] { return watch(); });
  std::string screen = terminal.read_until(kScreenEnd);
  terminal.type("q");
  EXPECT_EQ(terminal.exit_status(), 0);
  EXPECT_THAT(screen, Not(HasSubstr("\x1b[31m")));
  EXPECT_THAT(screen, Not(HasSubstr("\x9b")));
  ASSERT_TRUE(screen.starts_with("\x1b[H"));
  std::istringstream text(screen.substr(3));
  std::vector<std::string> shown;
  for (std::string line; std::getline(text, line) && line != kScreenEnd;) {
    ASSERT_TRUE(line.ends_with("\x1b[K\r"));
    shown.push_back(line.substr(0, line.size() - 4));
  }
  EXPECT_THAT(shown, SizeIs(kLines - 1));
  EXPECT_THAT(shown, Each(SizeIs(::testing::Le(kColumns))));
  EXPECT_THAT(shown[0], MatchesRegex("[-0-9]+ [:0-9]+  every 360")) << "cut, not wrapped";
}

TEST_F(WatchOnTerminal, NamesAreEscapedInCsvToo) {
  options.format = Format::kCsv;
  OnTerminal terminal(120, 24, [&] { return watch(); });
  const std::string text = terminal.read_until("total");
  EXPECT_THAT(text, HasSubstr("a\\x1b[31mb\\x9b"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  terminal.type("q");
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST_F(WatchOnTerminal, KeysDoNotChangeTheColumnsOfRecords) {
  options.format = Format::kCsv;
  OnTerminal terminal(120, 24, [&] { return watch(); });
  terminal.read_until("total");
  terminal.type("fs ");
  EXPECT_THAT(terminal.read_until("total"), HasSubstr(",short\r"));
  terminal.type("q");
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST_F(WatchOnTerminal, CtrlCEndsItAndPutsTheTerminalBack) {
  OnTerminal terminal(120, 24, [&] {
    const int status = watch();
    termios now{};
    ::tcgetattr(STDIN_FILENO, &now);
    return (now.c_lflag & ICANON) != 0 ? status : 1;
  });
  terminal.read_until(kScreenEnd);
  terminal.type("\x03");
  EXPECT_EQ(terminal.exit_status(), kEndedByError + EINTR);
}

}  // namespace
}  // namespace pobpf::cli
