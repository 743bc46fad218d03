// SPDX-License-Identifier: GPL-2.0-only
#include "util/utf8.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(Utf8, DecodesTheFirstCharacter) {
  EXPECT_EQ(first_character("a").code, U'a');
  EXPECT_EQ(first_character("\xc3\xa9x").code, U'\u00e9');
  EXPECT_EQ(first_character("\xc3\xa9x").length, 2U);
  EXPECT_EQ(first_character("\xf0\x9f\x90\xa7").code, U'\U0001f427');
  EXPECT_EQ(first_character(std::string_view("\0", 1)).length, 1U);
  for (const char* text : {"", "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
    EXPECT_EQ(first_character(text).length, 0U) << text;
}

TEST(Utf8, TellsWhetherAllOfATextIsUtf8) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("caf\xc3\xa9"));
  EXPECT_FALSE(is_utf8("caf\xe9"));
}

TEST(Utf8, CountsTheColumnsOfATerminal) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("\xc3\xa9"), 1U);
  EXPECT_EQ(columns_of("e\xcc\x81"), 1U);
  EXPECT_EQ(columns_of("\xe9\xa1\xb5"), 2U);
}

TEST(Utf8, CutsBetweenCharacters) {
  EXPECT_EQ(cut_to_columns("abc", 2), "ab");
  EXPECT_EQ(cut_to_columns("abc", 4), "abc");
  EXPECT_EQ(cut_to_columns("a\xe9\xa1\xb5", 2), "a");
  EXPECT_EQ(cut_to_columns("e\xcc\x81x", 1), "e\xcc\x81");
}

}  // namespace
}  // namespace pobpf
