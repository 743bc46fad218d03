// SPDX-License-Identifier: GPL-2.0-only
// Rules that hold for each row of the table; tests/cli tries whether rows work.
#include "cli/options/option_table.h"

#include <gtest/gtest.h>

#include <set>

#include "cli/options/command_line.h"
#include "cli/options/option_values.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

std::vector<const OptionRow*> all_rows() {
  std::vector<const OptionRow*> rows;
  for (const OptionGroup& group : option_groups())
    for (const OptionRow& row : group.rows) rows.push_back(&row);
  return rows;
}

TEST(CommandTable, BitsAndNamesAreUnique) {
  std::set<std::string> names;
  Commands bits = 0;
  for (const CommandRow& command : command_table()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_EQ(bits & command.bit, 0U) << command.name;
    bits |= command.bit;
  }
  EXPECT_STREQ(command_table().front().name, "");
}

TEST(CommandTable, ViewsBelongToTheirCommand) {
  for (const CommandRow& command : command_table())
    for (const CommandRow* below : commands_below(command)) {
      EXPECT_EQ(parent_of(*below), &command);
      if (*command.name == '\0') continue;
      EXPECT_EQ(below->command, command.command);
    }
}

TEST(OptionTable, EachRowBelongsToACommandAndEachCommandToItsGroup) {
  for (const OptionGroup& group : option_groups()) {
    Commands used = 0;
    for (const OptionRow& row : group.rows) {
      EXPECT_NE(row.commands & group.commands, 0U) << row.name;
      used |= row.commands & group.commands;
    }
    EXPECT_TRUE(group.commands == of::kAll || used == group.commands) << group.title;
  }
}

TEST(OptionTable, NamesAndLettersOfACommandAreUnique) {
  for (const CommandRow& command : command_table()) {
    std::set<std::string> names;
    for (const OptionRow* row : options_of(command)) {
      EXPECT_TRUE(names.insert(key_of(*row)).second) << row->name;
      EXPECT_TRUE(!row->has_opposite() || names.insert(key_of(*row, true)).second) << row->name;
      EXPECT_TRUE(row->letter == '\0' || names.insert({row->letter}).second) << row->name;
      EXPECT_EQ(find_option(command, row->name), row);
    }
  }
}

TEST(OptionTable, RowsSayWhatTheyHave) {
  for (const OptionRow* row : all_rows()) {
    const std::string help = row->help;
    EXPECT_EQ(help.empty(), row->is_hidden) << row->name;
    EXPECT_EQ(help.find('\n'), std::string::npos) << row->name;
    for (const std::string& word : words_of(*row))
      EXPECT_TRUE(row->is_hidden || help.find(word) != std::string::npos) << row->name << word;
    EXPECT_FALSE(row->is_needed && !row->is_positional()) << row->name;
  }
}

TEST(OptionTable, AnOptionWithChoicesTakesThemAndNothingElse) {
  for (const CommandRow& command : command_table()) {
    for (const OptionRow* row : options_of(command)) {
      if (row->choices == nullptr) continue;
      Options options;
      options.command = command.command;
      for (const std::string& word : words_of(*row))
        EXPECT_TRUE(row->take({*row, word}, options)) << word;
      for (const std::string word : {"", "tex", "text,json", "Text", "sqlite ", "nonsense"})
        EXPECT_FALSE(row->take({*row, word}, options)) << word;
    }
  }
}

TEST(OptionTable, OptionsOfOneNameAndCommandLineArePartOfIt) {
  for (const CommandRow& command : command_table()) {
    for (const OptionRow* row : options_of(command)) {
      if (row->is_positional()) continue;
      std::istringstream name(command.name);
      test::Arguments words{std::istream_iterator<std::string>(name), {}};
      words.push_back(name_of(*row));
      if (row->takes_value()) words.back() += "=x";
      const CommandLine line = read_command_line(words);
      EXPECT_EQ(line.command, &command);
      ASSERT_EQ(line.options.size(), 1U) << words.back();
      EXPECT_EQ(line.options.front().row, row);
      EXPECT_EQ(line.options.front().values, test::Arguments{row->takes_value() ? "x" : ""});
      EXPECT_TRUE(line.extras.empty());
    }
  }
}

TEST(Numbers, AreWholeAndInTheirRange) {
  EXPECT_EQ(number_between("7", 1, 7).value(), 7U);
  for (const char* text : {"0", "8", "", "+1", " 1", "1 ", "0x1", "99999999999"})
    EXPECT_FALSE(number_between(text, 1, 7)) << text;
}

TEST(CommandLines, SayWhoWouldTakeOneMoreWord) {
  const auto next = [](const test::Arguments& words) {
    const OptionRow* row = read_command_line(words).next;
    return row == nullptr ? "" : name_of(*row);
  };
  EXPECT_EQ(next({"--nid"}), "--nid");
  EXPECT_EQ(next({"--nid", "0"}), "");
  EXPECT_EQ(next({"-qo"}), "--output");
  EXPECT_EQ(next({"report"}), "FILE");
  EXPECT_EQ(next({"report", "page", "f"}), "PFN");
  EXPECT_EQ(next({"report", "f"}), "");
}

TEST(CommandLines, KeepEmptyAndOddValues) {
  EXPECT_EQ(*read_command_line({"--nid="}).value("nid"), "");
  EXPECT_EQ(*read_command_line({"--nid", ""}).value("nid"), "");
  EXPECT_EQ(*read_command_line({"--nid", "--"}).value("nid"), "--");
  EXPECT_EQ(*read_command_line({"diff", "--latest"}).value("latest"), "");
  EXPECT_EQ(*read_command_line({"-o=f"}).value("output"), "=f");
  // which is a name like any other
  EXPECT_EQ(read_command_line({"diff", "[a,b]"}).options.front().values, test::Arguments{"[a,b]"});
  EXPECT_EQ(read_command_line({"-vvq=1"}).find("quiet")->values, (test::Arguments{"", "=1"}));
}

}  // namespace
}  // namespace pobpf::cli
