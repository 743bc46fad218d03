// SPDX-License-Identifier: GPL-2.0-only
#include "manual/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/hidden_options.h"
#include "manual/prose.h"
#include "manual/roff.h"

namespace pobpf::manual {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Roff, PrintsWhatIsThere) {
  EXPECT_EQ(roff("--a-b"), "\\-\\-a\\-b");
  EXPECT_EQ(roff("a\\b 'c' `d` \"e\" ^~"), "a\\eb \\(aqc\\(aq \\(gad\\(ga \\(dqe\\(dq \\(ha\\(ti");
}

TEST(Roff, NoLineIsARequest) {
  EXPECT_EQ(roff(".so /etc/passwd\n.x\n'y"), "\\&.so /etc/passwd\n\\&.x\n\\(aqy");
  EXPECT_EQ(roff("a.b"), "a.b");
}

TEST(Prose, HasSections) {
  const auto prose = parse_prose(".\\\" about\n[DESCRIPTION]\nOne.\n.PP\nTwo.\n[SEE THIS]\nx\n");
  ASSERT_TRUE(prose);
  ASSERT_EQ(prose->size(), 2U);
  EXPECT_EQ(prose->at(0).title, "DESCRIPTION");
  EXPECT_EQ(prose->at(0).text, "One.\n.PP\nTwo.\n");
  EXPECT_EQ(prose->at(1).title, "SEE THIS");
}

TEST(Prose, RefusesWhatWouldBeLost) {
  EXPECT_FALSE(parse_prose("text\n[A]\nb\n"));
  EXPECT_FALSE(parse_prose("[A]\nb\n[A]\nc\n"));
  EXPECT_FALSE(parse_prose("[A]\n\n[B]\nc\n"));
  EXPECT_TRUE(parse_prose("")->empty());
}

class ManPageTest : public testing::Test {
 protected:
  ManPageTest() {
    program_.set_help_flag();
    look_.set_help_flag();
    look_.add_option("--zone", value_, "of .these\n.zones")->type_name("NAMES")->group("Filters");
    look_.add_option("--not-zone", value_, "x")->type_name("NAMES")->group(cli::kHiddenGroup);
    look_.add_option("--secret", value_, "")->group(cli::kHiddenGroup);
    look_.add_flag("-a,--all", is_all_, "everything")->group("Other");
    look_.footer(
        "A sentence.\n\nExamples:\n  prog look --all   'a' look\n\nExit status:\n  0  fine");
  }

  [[nodiscard]] std::string page(const std::string& prose = {}) const {
    return man_page(look_, *parse_prose(prose), {"1.2", "2026-11-23"});
  }

  std::string value_;
  bool is_all_ = false;
  CLI::App program_{"does it", "prog"};
  CLI::App& look_ = *program_.add_subcommand("look", "looks at it");
};

TEST_F(ManPageTest, HasTheOptionsWithTheirOpposites) {
  EXPECT_EQ(page_name(look_), "prog-look");
  EXPECT_THAT(page(), HasSubstr(".TP\n\\fB\\-\\-zone\\fR \\fINAMES\\fR\n.TQ\n"
                                "\\fB\\-\\-not\\-zone\\fR \\fINAMES\\fR\nof .these\n\\&.zones\n"));
  EXPECT_THAT(page(), HasSubstr("\\fB\\-a\\fR, \\fB\\-\\-all\\fR\neverything\n"));
  EXPECT_THAT(page(), Not(HasSubstr("secret")));
}

TEST_F(ManPageTest, HasWhatStandsBelowTheOptions) {
  EXPECT_THAT(page(), HasSubstr(".SH \"EXAMPLES\"\n.TP\n\\fBprog look \\-\\-all\\fR\n"
                                "\\(aqa\\(aq look\n"));
  EXPECT_THAT(page(), HasSubstr(".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\nfine\n"));
}

TEST_F(ManPageTest, ProseStandsWhereItBelongs) {
  EXPECT_THAT(page(), HasSubstr(".SH \"DESCRIPTION\"\nLooks at it.\n"));
  const std::string text = page("[DESCRIPTION]\nMuch.\n\n\n[FILES]\nnone\n[OUTPUT]\nlines\n");
  EXPECT_THAT(text, HasSubstr(".SH \"DESCRIPTION\"\nMuch.\n.SH \"OPTIONS\""));
  EXPECT_LT(text.find(".SH \"OUTPUT\"\nlines\n.SH"), text.find(".SH \"EXIT STATUS\""));
  EXPECT_LT(text.find(".SH \"EXIT STATUS\""), text.find(".SH \"FILES\"\nnone\n.SH"));
}

}  // namespace
}  // namespace pobpf::manual
