// SPDX-License-Identifier: GPL-2.0-only
#include "manual/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pobpf::manual {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(Roff, PrintsWhatIsThere) {
  EXPECT_EQ(roff("--a-b"), "\\-\\-a\\-b");
  EXPECT_EQ(roff("a\\b 'c' `d` \"e\" ^~"), "a\\eb \\(aqc\\(aq \\(gad\\(ga \\(dqe\\(dq \\(ha\\(ti");
}

TEST(Roff, NoLineIsARequest) {
  EXPECT_EQ(roff(".so /etc/passwd\n.x\n'y"), "\\&.so /etc/passwd\n\\&.x\n\\(aqy");
  EXPECT_EQ(roff("a.b"), "a.b");
}

class ManPageTest : public testing::Test {
 protected:
  static const cli::CommandRow& command(std::string_view name) {
    const auto rows = cli::command_table();
    return *std::find_if(rows.begin(), rows.end(),
                         [&](const cli::CommandRow& row) { return row.name == name; });
  }

  [[nodiscard]] static std::string page(std::string_view name) {
    return page(name, default_prose(command(name)));
  }
  [[nodiscard]] static std::string page(std::string_view name, const std::string& prose) {
    return man_page(command(name), prose, {"1.2", "2026-11-23"}).value_or("refused");
  }
};

TEST_F(ManPageTest, HasTheOptionsWithTheirOpposites) {
  EXPECT_EQ(page_name(command("")), "pobpf");
  EXPECT_EQ(page_name(command("watch-pressure")), "pobpf-watch-pressure");
  EXPECT_THAT(page("top"),
              HasSubstr(".TP\n\\fB\\-\\-zone\\fR \\fINAMES\\fR\n.TQ\n"
                        "\\fB\\-\\-not\\-zone\\fR \\fINAMES\\fR\npages in these zones"));
  EXPECT_THAT(page("top"), HasSubstr("\\fB\\-q\\fR, \\fB\\-\\-quiet\\fR\nprint no warnings"));
  EXPECT_THAT(page("top"), Not(HasSubstr("feature")));
  EXPECT_THAT(page("check"), Not(HasSubstr("zone")));
}

TEST_F(ManPageTest, HasWhatStandsBelowTheOptions) {
  EXPECT_THAT(page("unpin"), HasSubstr(".SH \"EXAMPLES\"\n.TP\n\\fBpobpf unpin node1\\fR\n"
                                       "one pin\n"));
  EXPECT_THAT(page("unpin"), HasSubstr(".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ncomplete"));
}

TEST_F(ManPageTest, OfACommandHasItsViews) {
  EXPECT_THAT(page("report"), HasSubstr("\n.SH \"POBPF REPORT TOP\"\n"));
  EXPECT_THAT(page(""), HasSubstr(".TP\n.BR pobpf\\-report (1)\nshow what a file of record"));
  EXPECT_THAT(page(""), Not(HasSubstr("pobpf\\-report\\-top")));
}

TEST_F(ManPageTest, ProseStandsWhereItBelongs) {
  EXPECT_THAT(page("unpin"), HasSubstr(".SH \"DESCRIPTION\"\nRemove pins.\n.SH \"OPTIONS\"\n"));
  EXPECT_THAT(page("unpin", ".SH A\n@OPTIONS@\n.SH B\n@EXIT STATUS@\n@EXAMPLES@\n.SH C\n"),
              MatchesRegex(".*\n.SH A\n.SH \"OPTIONS\"\n.*\n.SH B\n.SH \"EXIT STATUS\"\n.*"
                           "\n.SH \"EXAMPLES\"\n.*\n.SH C\n.SH \"SEE ALSO\"\n.*"));
}

TEST_F(ManPageTest, RefusesProseThatLosesSomething) {
  EXPECT_EQ(page("unpin", "@OPTIONS@\n@EXIT STATUS@\n"), "refused");
  EXPECT_EQ(page("unpin", "@OPTIONS@\n@OPTIONS@\n@EXIT STATUS@\n@EXAMPLES@\n"), "refused");
  EXPECT_EQ(page("unpin", "x@OPTIONS@\n@EXIT STATUS@\n@EXAMPLES@\n"), "refused");
  EXPECT_EQ(page("unpin", ""), "refused");
}

}  // namespace
}  // namespace pobpf::manual
