// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/command_line.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

KernelSwitch page_owner(std::string_view command_line) {
  return find_switch(parse_command_line(command_line), "page_owner");
}

bool is_on(std::string_view command_line) { return page_owner(command_line).value.value_or(false); }

TEST(CommandLine, FindsASwitchAmongOthers) {
  EXPECT_TRUE(is_on("root=/dev/vda1 ro page_owner=on quiet\n"));
  EXPECT_FALSE(is_on("root=/dev/vda1 ro quiet\n"));
  EXPECT_FALSE(is_on("not_page_owner=on page_owner_too=on\n"));
  EXPECT_FALSE(is_on(""));
}

TEST(CommandLine, LastValidValueWins) {
  EXPECT_FALSE(is_on("page_owner=on page_owner=off"));
  EXPECT_TRUE(is_on("page_owner=off page_owner=on"));
  EXPECT_TRUE(is_on("page_owner=on page_owner=maybe page_owner"));
  EXPECT_EQ(page_owner("page_owner=on page_owner=0").text, "page_owner=0");
}

TEST(CommandLine, NamesAValueThatTheKernelIgnores) {
  const auto found = page_owner("page_owner=enable");
  EXPECT_FALSE(found.value.has_value());
  EXPECT_EQ(found.text, "page_owner=enable");
  EXPECT_EQ(page_owner("page_owner").text, "page_owner");
}

TEST(CommandLine, StopsAtTwoDashes) { EXPECT_FALSE(is_on("quiet -- page_owner=on")); }

TEST(CommandLine, DashesAndUnderscoresAreTheSame) { EXPECT_TRUE(is_on("page-owner=on")); }

TEST(CommandLine, QuotesProtectSpaces) {
  EXPECT_FALSE(is_on("dyndbg=\"file x page_owner=on\" quiet"));
  EXPECT_TRUE(is_on("dyndbg=\"file x\" page_owner=on"));
  const auto parameters = parse_command_line(R"(a="b c" "d e=f g" "h")");
  ASSERT_EQ(parameters.size(), 3U);
  EXPECT_EQ(parameters[0].value, "b c");
  EXPECT_EQ(parameters[1].name, "d e");
  EXPECT_EQ(parameters[1].value, "f g");
  EXPECT_EQ(parameters[2].name, "h");
}

TEST(CommandLine, QuotesAroundASwitchAreNotPartOfIt) {
  EXPECT_TRUE(is_on("\"page_owner=on\""));
  EXPECT_TRUE(is_on("page_owner=\"on\""));
}

TEST(KernelBool, DecidesByTheFirstCharacters) {
  for (const char* text : {"y", "Y", "yes", "t", "T", "true", "1", "on", "ON", "one"})
    EXPECT_EQ(parse_kernel_bool(text), true) << text;
  for (const char* text : {"n", "N", "no", "f", "F", "false", "0", "off", "OFF", "of"})
    EXPECT_EQ(parse_kernel_bool(text), false) << text;
  for (const char* text : {"", "o", "ok", "2", "enable", " on"})
    EXPECT_EQ(parse_kernel_bool(text), std::nullopt) << text;
}

}  // namespace
}  // namespace pobpf
