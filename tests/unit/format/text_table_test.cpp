// SPDX-License-Identifier: GPL-2.0-only
#include "format/text_table.h"

#include <gtest/gtest.h>

#include <string>

namespace pobpf {
namespace {

std::string text_of(TextTable& table) {
  std::string out;
  table.append(out);
  return out;
}

TEST(TextTable, NumbersAreAtTheRightAndTextsAtTheLeft) {
  TextTable table({{"NAME"}, {"PAGES", true}, {"VIEW"}});
  table.add_row({"a", "1", "all"});
  table.add_row({"a longer one", "123456", ""});
  EXPECT_EQ(text_of(table),
            "NAME           PAGES  VIEW\n"
            "a                  1  all\n"
            "a longer one  123456\n");
}

TEST(TextTable, ANoteStandsInPlaceOfTheOtherColumnsAndWidensNone) {
  TextTable table({{"PAGES", true}, {"COMM"}, {"NID", true}});
  table.add_row({"1", "init", "0"});
  table.add_row({"2"}, "(no room for more groups)");
  EXPECT_EQ(text_of(table),
            "PAGES  COMM  NID\n"
            "    1  init    0\n"
            "    2  (no room for more groups)\n");
}

TEST(TextTable, ColumnsThatMayShrinkMakeRoomForTheOthers) {
  const std::string name(30, 'n');
  const std::string other(20, 'o');
  TextTable table({{"PAGES", true}, {"NAME", false, true}, {"OTHER", false, true}, {"NID", true}},
                  46);
  table.add_row({"1", name, other, "0"});
  EXPECT_EQ(text_of(table), "PAGES  NAME              OTHER             NID\n    1  " +
                                name.substr(0, 16) + "  " + other.substr(0, 16) + "    0\n");
}

TEST(TextTable, WhatStillHasNoRoomIsCutOff) {
  TextTable table({{"PAGES", true}, {"NAME", false, true}, {"NID", true}}, 21);
  table.add_row({"1", std::string(30, 'n'), "0"});
  EXPECT_EQ(text_of(table),
            "PAGES  NAME\n"
            "    1  nnnnnnnnnnnn\n");
}

TEST(TextTable, WithoutATerminalNothingIsCut) {
  TextTable table({{"NAME", false, true}});
  table.add_row({std::string(1000, 'n')});
  EXPECT_EQ(text_of(table), "NAME\n" + std::string(1000, 'n') + "\n");
}

}  // namespace
}  // namespace pobpf
