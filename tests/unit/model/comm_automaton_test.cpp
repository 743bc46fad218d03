// SPDX-License-Identifier: GPL-2.0-only
// Compares what the automaton says of a task name with what fnmatch(3) says of it.
#include "model/comm_automaton.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>

#include "../util/memory_peak.h"
#include "util/escape.h"

namespace pobpf {
namespace {

using Patterns = std::vector<std::string>;

// Sanitizers are to see each kind of step. Most of the time goes into what the library says, and
// that the two agree is looked at without sanitizers.
constexpr int kNrRandomPatterns = test::kIsSanitized ? 500 : 5000;

std::string printable(const std::string& text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

bool oracle(const Patterns& wanted, const Patterns& rejected, const std::string& name) {
  const auto any = [&](const Patterns& patterns) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
  };
  return !any(rejected) && (wanted.empty() || any(wanted));
}

/// Names that are hard for hand-written matchers.
std::vector<std::string> hard_names() {
  std::vector<std::string> names = {"",
                                    "a",
                                    "ab",
                                    "abc",
                                    "aab",
                                    "ababab",
                                    "aaaaaaaaaaaaaaa",
                                    "aaaaaaaaaaaaaab",
                                    "abababababababa",
                                    "kworker/0:1",
                                    "kworker/u8:1-ev",
                                    "systemd-journal",
                                    "(sd-pam)",
                                    "[migration/0]",
                                    "a,b",
                                    "a*b",
                                    "a?b",
                                    "a\\b",
                                    "a\\",
                                    "\\",
                                    "*",
                                    "?",
                                    "[",
                                    "]",
                                    "[]",
                                    "[a]",
                                    "[ab]",
                                    "-",
                                    "a-z",
                                    "!",
                                    "^",
                                    ".hidden",
                                    "a b",
                                    "\t",
                                    "\n",
                                    "a\nb",
                                    "\x01\x1f\x7f",
                                    "gr\xc3\xbc\xc3\x9f",
                                    "\x80",
                                    "\xff",
                                    "\xff\xfe\x80\x81",
                                    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"};
  for (int byte = 1; byte < 256; ++byte) names.emplace_back(1, static_cast<char>(byte));
  return names;
}

void expect_agreement(const Patterns& wanted, const Patterns& rejected,
                      const std::vector<std::string>& names) {
  const auto automaton = compile_comm_patterns(wanted, rejected);
  ASSERT_TRUE(automaton) << automaton.error().what;
  for (const std::string& name : names)
    EXPECT_EQ(automaton->passes(name), oracle(wanted, rejected, name))
        << "wanted " << printable(fmt::format("{}", fmt::join(wanted, " "))) << ", rejected "
        << printable(fmt::format("{}", fmt::join(rejected, " "))) << ", name " << printable(name);
}

TEST(CommAutomaton, AgreesWithTheLibraryOnHardPatterns) {
  const Patterns patterns = {"*",
                             "**",
                             "?",
                             "??",
                             "?*",
                             "*?",
                             "*?*",
                             "a",
                             "a*",
                             "*a",
                             "*a*",
                             "a*b",
                             "a**b",
                             "*a*b*",
                             "*ab",
                             "*aab",
                             "*abab*ab*",
                             "a?c",
                             "aaaaaaaaaaaaaaa",
                             "???????????????",
                             "??????????????*",
                             "*???????????????*",
                             "*a?????????????b",
                             "kworker*",
                             "kworker/*:*",
                             "kworker/[0-9]:*",
                             "kworker/[!u]*",
                             "[a-c]",
                             "[!a-c]",
                             "[^a-c]",
                             "[a-]",
                             "[-a]",
                             "[a-c-z]",
                             "[]]",
                             "[]a]",
                             "[!]]",
                             "[!]a]",
                             "[\\]]",
                             "[\\a-\\c]",
                             "[[]",
                             "[a[]",
                             "[*]",
                             "[?]",
                             "[\\\\]",
                             "[!\\\\]",
                             "\\[a]",
                             "\\*",
                             "\\?",
                             "\\\\",
                             "a\\*b",
                             "a\\,b",
                             "[,]",
                             "a[,]b",
                             "\\a",
                             "[[:alpha:]]*",
                             "[![:alnum:]]",
                             "[[:digit:]a-c]",
                             "[[:cntrl:]]",
                             "[[:space:]]",
                             "[[:print:]]",
                             "[[:upper:][:digit:]]",
                             "[[.a.]]",
                             "[[=a=]b]",
                             "[[.-.]]",
                             "\xff*",
                             "?\xfe*",
                             "\x80",
                             "[\x80-\xff]",
                             "[!\x80-\xff]",
                             "[\x80-\xff]*",
                             "[\x01-\x1f]",
                             "gr\xc3\xbc*",
                             "gr??\xc3\x9f",
                             "\t",
                             "*\n*",
                             "[\x01-\x1f\x7f]*",
                             "(*)",
                             ".*",
                             "*.*",
                             "* *",
                             "-*",
                             "!*"};
  const auto names = hard_names();
  for (const std::string& pattern : patterns) {
    expect_agreement({pattern}, {}, names);
    expect_agreement({}, {pattern}, names);
  }
}

/// Pieces of patterns, and names made of the few characters that they use: so that many match.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::string pattern(std::size_t max_elements) {
    static const Patterns kPieces = {
        "a",     "b",    "\xc3",    "-",        "*",           "*",         "?",
        "[ab]",  "[!a]", "[^b-]",   "[a-\xff]", "[\x80-\xff]", "\\a",       "\\*",
        "\\[",   "\\\\", "[]b]",    "[!]]",     "[[:alpha:]]", "[a\\-]",    "[!\\]]",
        "\x01",  "[-a]", "[\\\\b]", "]",        "!",           "[b-a\xc3]", "[[:punct:]a]",
        "[a-a]", ","};
    std::string text;
    for (std::size_t i = below(max_elements) + 1; i > 0; --i)
      text += kPieces[below(kPieces.size())];
    return text;
  }

  std::string name() {
    static const std::string kCharacters = "aaabbb\xc3-]\\*[!,\x01\xff";
    std::string text;
    for (std::size_t i = below(POBPF_COMM_BYTES); i > 0; --i)
      text += kCharacters[below(kCharacters.size())];
    return text;
  }

  std::size_t below(std::size_t end) { return random_() % end; }

 private:
  std::mt19937 random_;
};

TEST(CommAutomaton, AgreesWithTheLibraryOnRandomPatterns) {
  constexpr unsigned kSeed = 20240229;
  Maker maker(kSeed);
  std::vector<std::string> names = hard_names();
  for (int i = 0; i < 500; ++i) names.push_back(maker.name());
  std::size_t nr_matches = 0;
  for (int i = 0; i < kNrRandomPatterns; ++i) {
    const std::string pattern = maker.pattern(8);
    expect_agreement({pattern}, {}, names);
    if (HasFailure()) return;
    nr_matches += static_cast<std::size_t>(std::count_if(
        names.begin(), names.end(), [&](const auto& name) { return oracle({pattern}, {}, name); }));
  }
  // else the names had nothing to do with the patterns
  EXPECT_GT(nr_matches, kNrRandomPatterns * 5U);
}

/// Characters in any order, brackets and escapes without an end among them.
TEST(CommAutomaton, AgreesWithTheLibraryOnRandomCharacters) {
  constexpr unsigned kSeed = 7;
  Maker maker(kSeed);
  std::vector<std::string> names = hard_names();
  for (int i = 0; i < 200; ++i) names.push_back(maker.name());
  const std::string characters = "ab[]!^-\\*?:.=\xc3";
  std::size_t nr_compiled = 0;
  for (int i = 0; i < kNrRandomPatterns; ++i) {
    std::string pattern;
    for (std::size_t left = maker.below(9) + 1; left > 0; --left)
      pattern += characters[maker.below(characters.size())];
    const auto automaton = compile_comm_patterns({pattern}, {});
    // what the library makes of it depends on the name
    if (!automaton && automaton.error().what.ends_with("has a [ without its ]")) continue;
    for (const std::string& name : names)
      ASSERT_EQ(automaton && automaton->passes(name), oracle({pattern}, {}, name))
          << printable(pattern) << " and " << printable(name);
    if (automaton) ++nr_compiled;
  }
  EXPECT_GT(nr_compiled, kNrRandomPatterns / 5U * 3);
}

TEST(CommAutomaton, AgreesWithTheLibraryOnManyPatternsAtOnce) {
  constexpr unsigned kSeed = 1;
  Maker maker(kSeed);
  std::vector<std::string> names = hard_names();
  for (int i = 0; i < 300; ++i) names.push_back(maker.name());
  for (int i = 0; i < 300; ++i) {
    Patterns wanted(maker.below(8));
    Patterns rejected(maker.below(8));
    for (Patterns* patterns : {&wanted, &rejected})
      for (std::string& pattern : *patterns) pattern = maker.pattern(8);
    if (wanted.empty() && rejected.empty()) continue;
    expect_agreement(wanted, rejected, names);
    if (HasFailure()) return;
  }
}

TEST(CommAutomaton, NamesEndAtANulAndAfterSixteenBytes) {
  const auto automaton = compile_comm_patterns({"abc"}, {});
  ASSERT_TRUE(automaton);
  EXPECT_TRUE(automaton->passes({"abc\0garbage", 11}));
  EXPECT_FALSE(automaton->passes({"\0abc", 4}));
  // mm/page_owner.c copies 16 bytes without ending them
  const auto stars = compile_comm_patterns({"*b"}, {});
  ASSERT_TRUE(stars);
  EXPECT_TRUE(stars->passes("aaaaaaaaaaaaaaab"));
  EXPECT_TRUE(stars->passes("aaaaaaaaaaaaaaabc"));
}

TEST(CommAutomaton, RejectedOutweighsWanted) {
  const auto automaton = compile_comm_patterns({"kworker*", "bash"}, {"kworker/u*"});
  ASSERT_TRUE(automaton);
  EXPECT_TRUE(automaton->passes("kworker/0:1"));
  EXPECT_TRUE(automaton->passes("bash"));
  EXPECT_FALSE(automaton->passes("kworker/u8:0"));
  EXPECT_FALSE(automaton->passes("sh"));
}

TEST(CommAutomaton, WithoutPatternsAllPass) {
  const auto automaton = compile_comm_patterns({}, {});
  ASSERT_TRUE(automaton);
  EXPECT_TRUE(automaton->passes("bash"));
  EXPECT_TRUE(automaton->passes(""));
}

TEST(CommAutomaton, PatternsLongerThanNamesAreRefused) {
  const auto name = compile_comm_patterns({"systemd-journald"}, {});
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(name.error().what,
            "'systemd-journald' matches no task, as the kernel cuts their names to 15 bytes");
  EXPECT_EQ(name.error().hint, "try 'systemd-journal'");
  // stars take no byte, brackets and escapes take one
  EXPECT_TRUE(compile_comm_patterns({"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*"}, {}));
  EXPECT_FALSE(compile_comm_patterns({"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a"}, {}));
  EXPECT_TRUE(compile_comm_patterns({"[abc]\\*[[:alpha:]]aaaaaaaaaaaa"}, {}));
  const auto bracket = compile_comm_patterns({"aaaaaaaaaaaaa[xyz][xyz][xyz]*"}, {});
  ASSERT_FALSE(bracket);
  EXPECT_EQ(bracket.error().hint, "try 'aaaaaaaaaaaaa[xyz][xyz]'");
  EXPECT_FALSE(compile_comm_patterns({}, {std::string(100000, '?')}));
}

TEST(CommAutomaton, PatternsThatMatchNothingAreRefused) {
  for (const char* pattern : {"[z-a]", "a[z-a]*", "a\\", "[[:nosuch:]]", "[!\x01-\xff]", "[a"}) {
    const auto automaton = compile_comm_patterns({pattern}, {});
    ASSERT_FALSE(automaton) << pattern;
    EXPECT_EQ(automaton.error().kind, ErrorKind::kUsage);
    EXPECT_FALSE(compile_comm_patterns({}, {pattern})) << pattern;
  }
}

TEST(CommAutomaton, SixteenPatternsOfFifteenCharactersFit) {
  Patterns wanted;
  for (char c = 'a'; c < 'a' + 16; ++c) wanted.emplace_back(15, c);
  const auto full = compile_comm_patterns(wanted, {});
  ASSERT_TRUE(full) << full.error().what;
  for (const std::string& name : wanted) EXPECT_TRUE(full->passes(name));
  EXPECT_FALSE(full->passes("aaaaaaaaaaaaaab"));

  const auto too_many = compile_comm_patterns(wanted, {"x"});
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(too_many.error().what, "there are too many patterns of task names");
  EXPECT_EQ(too_many.error().hint,
            "there is room for 16 of 15 characters, or for more that are shorter");
}

TEST(CommAutomaton, ManyShortPatternsFit) {
  Patterns wanted;
  for (int i = 0; i < 128; ++i) wanted.emplace_back(1, static_cast<char>(128 + i));
  const auto full = compile_comm_patterns(wanted, {});
  ASSERT_TRUE(full) << full.error().what;
  for (int byte = 1; byte < 256; ++byte)
    EXPECT_EQ(full->passes(std::string(1, static_cast<char>(byte))), byte >= 128) << byte;
  wanted.emplace_back("*");
  EXPECT_FALSE(compile_comm_patterns(wanted, {}));
}

TEST(CommAutomaton, TenThousandPatternsAreRefusedNotCut) {
  EXPECT_FALSE(compile_comm_patterns(Patterns(10000, "a"), {}));
}

}  // namespace
}  // namespace pobpf
