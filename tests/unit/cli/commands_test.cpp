// SPDX-License-Identifier: GPL-2.0-only
// The commands over a made-up kernel: what they print, and how they end.
#include "cli/commands/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../reader/made_up_session.h"
#include "../util/temp_dir.h"
#include "cli/commands/open_session.h"
#include "command_test.h"

namespace pobpf::cli {
namespace {

using test::sum_of;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class Commands : public test::CommandTest {
 protected:
  Commands() {
    for (const std::uint32_t number : {1U, 2U}) {
      session.context.add_stack(number, {"alloc+0x10/0x20", "init+0x2/0x9 [mod]"});
      pobpf_page& page = session.pages.emplace_back();
      page.pfn = page.handle = number;
    }
    GroupSums sums{{sum_of(1, 1, 1), sum_of(2, 30, 20)}, {}, {}};
    sums.account.pages = sums.account.emitted = 2;
    session.looks = {sums};
    session.nodes = NodeSet(0b101);
  }
};

TEST_F(Commands, PagesPrintsARecordAPage) {
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  const std::string text = dir.read("out");
  EXPECT_THAT(text, HasSubstr("PFN 0x1 "));
  EXPECT_THAT(text, HasSubstr("PFN 0x2 "));
  EXPECT_THAT(text, HasSubstr(" alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"));
  EXPECT_EQ(said, "");
}

TEST_F(Commands, PagesPassesTheModeOn) {
  options.mode = POBPF_MODE_HANDLE;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("handle: 2\n"));
  EXPECT_THAT(dir.read("out"), ::testing::Not(HasSubstr("alloc+")));
}

TEST_F(Commands, PagesSaysWhatIsMissing) {
  session.beside.pages = 5;
  session.beside.torn = 2;
  session.beside.errors = 3;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("finished, but not complete because of 2 pages that changed while "
                              "they were read, 3 pages that could not be read: "));
  EXPECT_TRUE(has_output());
}

TEST_F(Commands, QuietDoesNotHideThatSomethingIsMissing) {
  options.is_quiet = true;
  session.beside.pages = session.beside.torn = 1;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_EQ(said,
            "pobpf: finished, but not complete because of 1 page that changed while it was read: "
            "run pobpf again if this matters\n");
}

TEST_F(Commands, ErrorsAreObjectsInJson) {
  options.format = Format::kJson;
  session.beside.pages = session.beside.torn = 1;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  const auto error = nlohmann::json::parse(said);
  EXPECT_EQ(error.at("level"), "error");
  EXPECT_EQ(error.at("exit_status"), 4);
  EXPECT_EQ(error.at("hint"), "run pobpf again if this matters");
}

TEST_F(Commands, PagesSaysWhatDoesNotAddUp) {
  session.beside.pages = 1;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("pages that nothing accounts for"));
}

TEST_F(Commands, PagesGoesOnAfterAStackThatCannotBeRead) {
  session.context.stacks.erase(1);
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("PFN 0x2 "));
  EXPECT_THAT(said, HasSubstr("1 record with a part that could not be read (no such stack)"));
}

TEST_F(Commands, PagesShowsRecordsOfWhichNoStackCanBeRead) {
  session.context.stacks.clear();
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("\nhandle: 1\n"));
  EXPECT_THAT(said, HasSubstr("2 records with a part that could not be read (no such stack)"));
}

TEST_F(Commands, StatsIsATableOfAllPages) {
  options.wants_stats = true;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  EXPECT_THAT(said, ContainsRegex("\nemitted +2 "));
}

TEST_F(Commands, StatsIsAnObjectInJson) {
  options.wants_stats = true;
  options.format = Format::kJson;
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  const auto stats = nlohmann::json::parse(said).at("stats");
  EXPECT_EQ(stats.at("emitted"), 2);
  EXPECT_EQ(stats.at("pages"), 2);
}

TEST_F(Commands, StacksPrintsFramesAndSums) {
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            " alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"
            "handle: 2\nnr_base_pages: 30\nnr_allocations: 20\n\n"
            " alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"
            "handle: 1\nnr_base_pages: 1\nnr_allocations: 1\n\n");
}

TEST_F(Commands, StacksPrintsAnObjectAStack) {
  options.format = Format::kJson;
  session.context.stacks.erase(1);
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kIncomplete);
  const auto stacks = objects();
  ASSERT_EQ(stacks.size(), 2U);
  const auto& first = stacks[0];
  EXPECT_EQ(first.at("handle"), 2);
  EXPECT_EQ(first.at("nr_base_pages"), 30);
  EXPECT_EQ(first.at("nr_allocations"), 20);
  EXPECT_EQ(first.at("stack").at(1).at("symbol"), "init+0x2/0x9 [mod]");
  EXPECT_EQ(first.at("stack").at(0).at("address"), "0xffffffff81000000");
  EXPECT_TRUE(stacks[1].at("stack").is_null());
}

TEST_F(Commands, StacksAsksForWhatTheOptionsSay) {
  options.nr_threads = 3;
  options.groups_max = 1000;
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  ASSERT_EQ(session.requests.size(), 1U);
  EXPECT_EQ(session.requests[0].group_by, POBPF_GROUP_HANDLE);
  EXPECT_EQ(session.requests[0].nr_threads, 3U);
  EXPECT_EQ(session.requests[0].groups_max, 1000U);
}

TEST_F(Commands, StacksSaysHowMuchFoundNoRoom) {
  session.looks[0].other = {1, 1, {}};
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kIncomplete);
  EXPECT_EQ(said,
            "pobpf: finished, but not complete because of 1 page of a group that there was no room "
            "for: raise --max-groups, or narrow the view down with filters\n");
}

// what has no memory is refused where the view is compiled: tests/vm
TEST_F(Commands, ViewNamesTheNodesThatExist) {
  for (const char* list : {"64", "1023"}) {
    options.nodelist = list;
    const auto view = make_view(options, session);
    ASSERT_FALSE(view) << list;
    EXPECT_EQ(view.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(view.error().hint, "nodes with memory are 0,2");
  }
}

TEST_F(Commands, ViewTakesNodesThatExist) {
  options.nodelist = "0,2";
  EXPECT_EQ(make_view(options, session).value().filter.nodes, NodeSet(0b101));
  options.nodelist = "";
  EXPECT_EQ(make_view(options, session).value().filter.nodes, std::nullopt);
}

class CheckCommand : public ::testing::Test {
 protected:
  [[nodiscard]] std::pair<ExitStatus, std::string> run(const std::vector<Check>& checks,
                                                       Format format) const {
    Options options;
    options.format = format;
    auto output = Output::to_file(dir / "out");
    const auto status = print_checks(checks, options, output.value());
    return {status.value(), dir.read("out")};
  }
  const std::vector<Check> good{{"first", CheckState::kOk, "fine", ""},
                                {"second", CheckState::kUnknown, "not known", "look"}};
  const std::vector<Check> bad{{"first", CheckState::kMissing, "not there", "get it"},
                               {"second", CheckState::kOk, "given \x1b[31m", ""}};
  test::TempDir dir;
};

TEST_F(CheckCommand, PrintsALineACheck) {
  EXPECT_EQ(run(good, Format::kText),
            std::pair(ExitStatus::kComplete,
                      std::string("OK    first: fine\n?     second: not known; look\n")));
}

TEST_F(CheckCommand, EndsWithUnsupportedIfAnythingIsMissing) {
  const auto [status, text] = run(bad, Format::kText);
  EXPECT_EQ(status, ExitStatus::kUnsupported);
  EXPECT_THAT(text, HasSubstr("FAIL  first: not there; get it\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("\x1b")));
}

TEST_F(CheckCommand, EndsWellIfOnlySomeCommandsWillNotWork) {
  auto checks = good;
  checks.push_back({"pins", CheckState::kMissing, "pobpf pin will not work", "mount it", false});
  const auto [status, text] = run(checks, Format::kText);
  EXPECT_EQ(status, ExitStatus::kComplete);
  EXPECT_THAT(text, HasSubstr("FAIL  pins: pobpf pin will not work; mount it\n"));
  EXPECT_EQ(nlohmann::json::parse(run(checks, Format::kJson).second).at("can_run"), true);
}

TEST_F(CheckCommand, PrintsAnObject) {
  const auto object = nlohmann::json::parse(run(bad, Format::kJson).second);
  EXPECT_EQ(object.at("can_run"), false);
  EXPECT_EQ(object.at("checks").at(0).at("name"), "first");
  EXPECT_EQ(object.at("checks").at(0).at("state"), "missing");
  EXPECT_EQ(object.at("checks").at(0).at("hint"), "get it");
  EXPECT_EQ(object.at("checks").at(1).at("state"), "ok");
}

}  // namespace
}  // namespace pobpf::cli
