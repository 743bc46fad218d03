// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using test::try_parse;

TEST(PinOptions, OfAPin) {
  const auto options = try_parse({"pin", "node1", "--nid", "1", "--handles", "--chown", "0:0",
                                  "--chmod", "440", "--replace", "--dir", "/x/"});
  ASSERT_TRUE(options) << options.error().what;
  EXPECT_EQ(options->command, Command::kPin);
  EXPECT_EQ(options->pin.names, std::vector<std::string>{"node1"});
  EXPECT_EQ(options->pin.directory, "/x");
  EXPECT_EQ(options->pin.uid, 0U);
  EXPECT_EQ(options->pin.gid, 0U);
  EXPECT_EQ(options->pin.mode, 0440U);
  EXPECT_TRUE(options->pin.replaces);
  EXPECT_EQ(options->mode, POBPF_MODE_HANDLE);
  EXPECT_EQ(options->view_text, "--nid 1");
}

TEST(PinOptions, FiltersInFrontOfTheCommandArePartOfTheView) {
  const auto options = try_parse({"--nid", "0,1", "pin", "a"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->view_text, "--nid 0,1");
}

TEST(PinOptions, AllFiltersArePartOfTheView) {
  const auto options = try_parse({"--not-dead", "--not-pid", "1", "pin", "a", "--not-comm", "a*,b",
                                  "--not-comm", "it's", "--mixed", "--pfn", "0x10+2"});
  ASSERT_TRUE(options) << options.error().what;
  const std::string& text = options->view_text;
  for (const char* part : {"--not-dead", "--not-pid 1", "--not-comm 'a*,b'",
                           "--not-comm 'it'\\''s'", "--mixed", "--pfn 0x10+2"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(PinOptions, OwnersAreUsersGroupsOrBoth) {
  EXPECT_FALSE(try_parse({"pin", "a", "--chown", ":0"})->pin.uid);
  EXPECT_EQ(try_parse({"pin", "a", "--chown", ":0"})->pin.gid, 0U);
  EXPECT_EQ(try_parse({"pin", "a", "--chown", "root"})->pin.uid, 0U);
  EXPECT_FALSE(try_parse({"pin", "a", "--chown", "root:"})->pin.gid);
  EXPECT_EQ(try_parse({"pin", "a", "--chown", "4000000000"})->pin.uid, 4000000000U);
}

TEST(PinOptions, WrongOnesAreRefused) {
  const std::vector<std::vector<std::string>> wrong = {{"pin"},
                                                       {"pin", "a", "b"},
                                                       {"pin", "a", "--chmod", "888"},
                                                       {"pin", "a", "--chmod", "1777"},
                                                       {"pin", "a", "--chmod", "rw"},
                                                       {"pin", "a", "--chown", ":"},
                                                       {"pin", "a", "--chown", ""},
                                                       {"pin", "a", "--chown", "no such user"},
                                                       {"pin", "a", "--chown", ":no such group"},
                                                       {"pin", "a", "--chown", "4294967295"},
                                                       {"pin", "a", "--dir", ""},
                                                       {"pin", "a", "--dir", "/x", "--dir", "/y"},
                                                       {"pin", "a", "--stats"},
                                                       {"unpin"},
                                                       {"unpin", "a", "--all"},
                                                       {"unpin", ".."},
                                                       {"unpin", "a/b"},
                                                       {"pins", "a"},
                                                       {"pin", "a", "pins"}};
  for (const auto& arguments : wrong) {
    const auto options = try_parse(arguments);
    ASSERT_FALSE(options) << arguments.back();
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
  }
}

TEST(PinTable, HasALineAPinAndNothingThatATerminalObeys) {
  PinInfo ours;
  ours.name = "node1";
  ours.kind = PinKind::kOurs;
  ours.permissions = 0440;
  ours.mode = POBPF_MODE_HANDLE;
  ours.view_text = "--nid 1";
  PinInfo other = ours;
  other.name = "old";
  other.kind = PinKind::kOtherVersion;
  other.version = "9.9\x1b";
  PinInfo foreign;
  foreign.name = "a\nb";
  foreign.what = "map";
  foreign.permissions = 0600;
  std::string table;
  append_pin_table(table, {foreign, ours, other});
  EXPECT_EQ(table,
            "NAME    OWNER      PERM  MODE    VIEW\n"
            "a\\x0ab  root:root  600   -       no pin of pobpf but a map\n"
            "node1   root:root  440   handle  --nid 1\n"
            "old     root:root  440   -       made by another version, pobpf 9.9\\x1b\n");
}

}  // namespace
}  // namespace pobpf::cli
