// SPDX-License-Identifier: GPL-2.0-only
#include "format/escape.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

TEST(Escape, LeavesPrintableTextAlone) {
  EXPECT_EQ(escaped("kworker/u8:1-events"), "kworker/u8:1-events");
  EXPECT_EQ(escaped("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7");
}

TEST(Escape, ShowsControlCharactersOfAllKinds) {
  EXPECT_EQ(escaped("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(escaped("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
  // C1: CSI as one character, in UTF-8
  EXPECT_EQ(escaped("\xc2\x9b"), "\\xc2\\x9b");
}

TEST(Escape, ShowsCharactersThatTurnTextAround) {
  EXPECT_EQ(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae");
  EXPECT_EQ(escaped("\xd8\x9c"), "\\xd8\\x9c");
}

TEST(Escape, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(escaped("\xff"), "\\xff");
  EXPECT_EQ(escaped("\xc3"), "\\xc3");
  EXPECT_EQ(escaped("\xc0\x80"), "\\xc0\\x80");
  EXPECT_EQ(escaped("\xc1\x81"), "\\xc1\\x81");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Escape, DoublesBackslashesSoThatEscapesAreUnambiguous) {
  EXPECT_EQ(escaped("\\x1b"), "\\\\x1b");
}

}  // namespace
}  // namespace pobpf
