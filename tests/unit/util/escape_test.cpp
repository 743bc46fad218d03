// SPDX-License-Identifier: GPL-2.0-only
#include "util/escape.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

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

std::string harmless(std::string text, std::size_t begin = 0) {
  make_harmless(text, begin);
  return text;
}

TEST(Harmless, KeepsLinesAndBackslashes) {
  EXPECT_EQ(harmless("a\\x1b\n caf\xc3\xa9\r\nb\n"), "a\\x1b\n caf\xc3\xa9\r\nb\n");
  EXPECT_EQ(harmless(""), "");
}

TEST(Harmless, ShowsWhatControlsATerminal) {
  EXPECT_EQ(harmless("a\x1b[2J\nb\rc"), "a\\x1b[2J\nb\\x0dc");
  EXPECT_EQ(harmless("\x7f\t\xc2\x9b\x9b"), "\\x7f\\x09\\xc2\\x9b\\x9b");
  EXPECT_EQ(harmless("\xe2\x80\xae\xff\r"), "\\xe2\\x80\\xae\\xff\\x0d");
}

TEST(Harmless, LeavesWhatStandsBefore) { EXPECT_EQ(harmless("\x1b[H\x1b[K", 3), "\x1b[H\\x1b[K"); }

}  // namespace
}  // namespace pobpf
