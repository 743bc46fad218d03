// SPDX-License-Identifier: GPL-2.0-only
// The oracle is fnmatch(3): whatever it takes an element for, glob_element_length() must too.
#include "model/glob.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

std::vector<std::string> elements(std::string_view pattern) {
  std::vector<std::string> result;
  while (!pattern.empty()) {
    const std::size_t length = glob_element_length(pattern);
    if (length == 0 || length > pattern.size()) {
      ADD_FAILURE() << "an element of " << length << " bytes in " << pattern;
      return result;
    }
    result.emplace_back(pattern.substr(0, length));
    pattern.remove_prefix(length);
  }
  return result;
}

using Parts = std::vector<std::string>;

TEST(Glob, TakesPatternsApart) {
  EXPECT_EQ(glob_element_length(""), 0U);
  EXPECT_EQ(elements("ab"), (Parts{"a", "b"}));
  EXPECT_EQ(elements("a?*"), (Parts{"a", "?", "*"}));
  EXPECT_EQ(elements("\\*\\\\x"), (Parts{"\\*", "\\\\", "x"}));
  EXPECT_EQ(elements("[a-z]x[!0-9]"), (Parts{"[a-z]", "x", "[!0-9]"}));
  EXPECT_EQ(elements("[^a]b"), (Parts{"[^a]", "b"}));
}

TEST(Glob, BracketsHoldWhatEndsThemElsewhere) {
  EXPECT_EQ(elements("[]a]b"), (Parts{"[]a]", "b"}));
  EXPECT_EQ(elements("[!]a]b"), (Parts{"[!]a]", "b"}));
  EXPECT_EQ(elements("[\\]a]b"), (Parts{"[\\]a]", "b"}));
  EXPECT_EQ(elements("[[:alpha:]_]b"), (Parts{"[[:alpha:]_]", "b"}));
  EXPECT_EQ(elements("[[.].]]b"), (Parts{"[[.].]]", "b"}));
  EXPECT_EQ(elements("[[=]=]]b"), (Parts{"[[=]=]]", "b"}));
  EXPECT_EQ(elements("[a,b]"), (Parts{"[a,b]"}));
  EXPECT_EQ(elements("[*?]"), (Parts{"[*?]"}));
}

TEST(Glob, BracketWithoutAnEndStandsForItself) {
  EXPECT_EQ(elements("[ab"), (Parts{"[", "a", "b"}));
  EXPECT_EQ(elements("["), (Parts{"["}));
  EXPECT_EQ(elements("[]"), (Parts{"[", "]"}));
  EXPECT_EQ(elements("[!]"), (Parts{"[", "!", "]"}));
  EXPECT_EQ(elements("[a\\"), (Parts{"[", "a", "\\"}));
}

TEST(Glob, PatternsThatMatchNothingAreRefused) {
  const auto refusal = [](std::string_view pattern) {
    const auto status = check_glob(pattern);
    EXPECT_TRUE(status || status.error().kind == ErrorKind::kUsage);
    return status ? "accepted" : status.error().what + ": " + status.error().hint;
  };
  for (const char* pattern : {"", "a*?", "[!a-c]", "\\\\", "\\[a", "[]]", "[[:alpha:]]", "[[.-.]]"})
    EXPECT_EQ(refusal(pattern), "accepted") << pattern;
  EXPECT_EQ(refusal("a[b"),
            "'a[b' has a [ without its ]: "
            "a backslash in front makes it an ordinary character");
  EXPECT_EQ(refusal("[]"),
            "'[]' has a [ without its ]: "
            "a backslash in front makes it an ordinary character");
  EXPECT_EQ(refusal("a\\"), "'a\\' ends with a backslash: two of them stand for one");
  EXPECT_EQ(refusal("a[z-b]*"),
            "'[z-b]' matches nothing: a range runs backwards, or there is no such class");
  EXPECT_EQ(refusal("[[:alhpa:]]"),
            "'[[:alhpa:]]' matches nothing: a range runs backwards, or there is no such class");
}

TEST(Glob, MatchesWholeNames) {
  EXPECT_TRUE(glob_matches("kmalloc*", "kmalloc_noprof"));
  EXPECT_FALSE(glob_matches("kmalloc", "kmalloc_noprof"));
  EXPECT_FALSE(glob_matches("malloc*", "kmalloc"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_FALSE(glob_matches("?", ""));
  // neither paths nor hidden files: '/' and a leading '.' are ordinary
  EXPECT_TRUE(glob_matches("kworker*", "kworker/0:1"));
  EXPECT_TRUE(glob_matches("*x", ".x"));
  EXPECT_FALSE(glob_matches("A", "a"));
}

TEST(Glob, OneOfManyIsEnough) {
  EXPECT_TRUE(any_glob_matches({"a*", "b*"}, "bc"));
  EXPECT_FALSE(any_glob_matches({"a*", "b*"}, "cb"));
  EXPECT_FALSE(any_glob_matches({}, "a"));
}

}  // namespace
}  // namespace pobpf
