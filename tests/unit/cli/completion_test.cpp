// SPDX-License-Identifier: GPL-2.0-only
#include "cli/completion/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cli/options/options.h"

namespace pobpf::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;

/// Has the names it was given, and keeps what it was asked.
class MadeUpNames final : public NameSource {
 public:
  std::map<NameKind, std::vector<std::string>> lists;
  std::vector<NameQuestion> questions;

  std::vector<Candidate> names(NameKind kind, const NameQuestion& question) override {
    questions.push_back(question);
    std::vector<Candidate> candidates;
    for (const std::string& name : lists[kind]) candidates.push_back({name, {}});
    return candidates;
  }
};

class CompletionTest : public testing::Test {
 protected:
  Completion of(const std::vector<std::string>& words) { return complete(words, source_); }

  std::vector<std::string> words(const std::vector<std::string>& line) {
    std::vector<std::string> result;
    for (const Candidate& candidate : of(line).candidates) result.push_back(candidate.word);
    return result;
  }

  MadeUpNames source_;
};

TEST_F(CompletionTest, CommandsOfTheCommandBefore) {
  EXPECT_THAT(words({"rep"}), ElementsAre("report"));
  EXPECT_THAT(words({"report", ""}), UnorderedElementsAre("stacks", "top", "blockers", "page"));
  EXPECT_THAT(words({"--nid", "0", "dif"}), ElementsAre("diff"));
  EXPECT_THAT(words({"report", "now.pobpf", ""}), IsEmpty());
  // nor is a value one
  EXPECT_THAT(words({"-o", "report", "sta"}), ElementsAre("stacks"));
  EXPECT_THAT(words({}), IsSupersetOf({"top", "pin"}));
}

TEST_F(CompletionTest, OptionsOfTheCommand) {
  EXPECT_THAT(words({"top", "--wat"}), ElementsAre("--watch"));
  EXPECT_THAT(words({"stacks", "--wat"}), IsEmpty());
  EXPECT_THAT(words({"--not-z"}), ElementsAre("--not-zone"));
  EXPECT_THAT(words({"-o"}), ElementsAre("-o"));
  // those for tests are nobody's business
  EXPECT_THAT(words({"--no-f"}), IsEmpty());
  // behind "--" no word is an option
  EXPECT_THAT(words({"report", "--", "--"}), IsEmpty());
}

TEST_F(CompletionTest, ValuesOfEveryWayToGiveThem) {
  EXPECT_THAT(words({"--mode", "st"}), ElementsAre("stack", "stack_handle"));
  EXPECT_THAT(words({"--mode=st"}), ElementsAre("--mode=stack", "--mode=stack_handle"));
  EXPECT_TRUE(of({"-qo", ""}).wants_files);
  EXPECT_FALSE(of({"-ofile", ""}).wants_files);
  EXPECT_TRUE(of({"--output="}).wants_files);
  EXPECT_TRUE(of({"pins", "--dir", ""}).wants_directories);
  // its value may be left out
  EXPECT_THAT(words({"diff", "--latest", "--lea"}), ElementsAre("--leaks"));
  EXPECT_THAT(words({"diff", "--latest", "--by", "fun"}), ElementsAre("function"));
  // it takes none
  EXPECT_THAT(words({"--handles="}), IsEmpty());
}

TEST_F(CompletionTest, FormatsOfTheCommand) {
  EXPECT_THAT(words({"check", "--format", ""}), ElementsAre("text", "json"));
  EXPECT_THAT(words({"report", "--format", "s"}), ElementsAre("sqlite"));
  EXPECT_THAT(words({"report", "top", "--format", ""}), ElementsAre("text", "json", "csv"));
}

TEST_F(CompletionTest, ValuesOfAnOppositeAreThoseOfItsOption) {
  source_.lists[NameKind::kZone] = {"DMA"};
  EXPECT_THAT(words({"--not-zone", ""}), ElementsAre("DMA"));
  EXPECT_THAT(words({"--not-zone=D"}), ElementsAre("--not-zone=DMA"));
  EXPECT_THAT(words({"--not-nid=D"}), IsEmpty());
}

TEST_F(CompletionTest, ListsGrowByNamesThatAreNotThere) {
  source_.lists[NameKind::kMigratetype] = {"Movable", "Unmovable", "CMA"};
  EXPECT_THAT(words({"--migratetype", "Mov"}), ElementsAre("Movable"));
  EXPECT_THAT(words({"--not-migratetype", "CMA,"}), ElementsAre("CMA,Movable", "CMA,Unmovable"));
  EXPECT_THAT(words({"--migratetype=CMA,M"}), ElementsAre("--migratetype=CMA,Movable"));
  // "Mov" is not "Movable"
  EXPECT_THAT(words({"--migratetype", "Mov,M"}), ElementsAre("Mov,Movable"));
  EXPECT_EQ(source_.questions.back().typed, "M");
}

TEST_F(CompletionTest, GroupsOfFlags) {
  source_.lists[NameKind::kGfp] = {"GFP_KERNEL", "__GFP_ZERO"};
  EXPECT_THAT(words({"--gfp", ""}),
              ElementsAre("GFP_KERNEL", "__GFP_ZERO", "all:", "any:", "none:"));
  EXPECT_THAT(words({"--gfp", "none:"}), ElementsAre("none:GFP_KERNEL", "none:__GFP_ZERO"));
  EXPECT_THAT(words({"--gfp", "any:GFP_KERNEL,_"}), ElementsAre("any:GFP_KERNEL,__GFP_ZERO"));
  // what a shell would take for a pipe is not put on its line
  EXPECT_THAT(words({"--gfp", "any:GFP_KERNEL|_"}), IsEmpty());
  EXPECT_THAT(words({"--gfp", "GFP_KERNEL,n"}), ElementsAre("GFP_KERNEL,none:"));
  EXPECT_TRUE(of({"--gfp", "n"}).candidates.at(0).is_unfinished);
  EXPECT_FALSE(of({"--gfp", "G"}).candidates.at(0).is_unfinished);
}

TEST_F(CompletionTest, ReportsAskTheirFiles) {
  source_.lists[NameKind::kPageFlags] = {"lru"};
  EXPECT_THAT(words({"report", "a.pobpf", "--flags", "l"}), ElementsAre("lru"));
  EXPECT_THAT(source_.questions.back().files, ElementsAre("a.pobpf"));
  EXPECT_THAT(words({"stacks", "--flags", "l"}), ElementsAre("lru"));
  EXPECT_THAT(source_.questions.back().files, IsEmpty());
}

TEST_F(CompletionTest, PinsOfTheDirectory) {
  source_.lists[NameKind::kPin] = {"node1", "node2"};
  EXPECT_THAT(words({"unpin", "--dir", "/x", "node1", "n"}), ElementsAre("node1", "node2"));
  EXPECT_EQ(source_.questions.back().directory, "/x");
  EXPECT_THAT(words({"unpin", "--dir=/y", "n"}), ElementsAre("node1", "node2"));
  EXPECT_EQ(source_.questions.back().directory, "/y");
}

TEST_F(CompletionTest, PositionalArgumentsInTheirOrder) {
  EXPECT_TRUE(of({"report", "page", ""}).wants_files);
  EXPECT_FALSE(of({"report", "page", "a.pobpf", ""}).wants_files);
  EXPECT_TRUE(of({"diff", "a.pobpf", ""}).wants_files);
}

// A shell inserts what it is offered as it stands, and tasks choose their names.
TEST_F(CompletionTest, NamesThatAShellWouldTakeForMoreAreNotOffered) {
  source_.lists[NameKind::kComm] = {"good",  "$(id)",
                                    "a b",   "a;b",
                                    "`id`",  "a\nb",
                                    "a\tb",  "*",
                                    "-o",    "~",
                                    "\x1b[", "a'b",
                                    "a\"b",  "a|b",
                                    "a&b",   "<a",
                                    "#a",    "{a,b}",
                                    "!!",    "",
                                    "ü",     "kworker/0:1-events_x"};
  EXPECT_THAT(words({"--comm", ""}), ElementsAre("good", "kworker/0:1-events_x"));
}

}  // namespace
}  // namespace pobpf::cli
