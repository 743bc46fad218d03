// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/settings.h"

#include <gtest/gtest.h>

#include "../util/temp_dir.h"
#include "cli/options/options.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using test::Arguments;

class SettingsFile : public ::testing::Test {
 protected:
  void write(const std::string& text) { directory_.write("settings", text); }

  Result<std::variant<Options, Information>> try_parse(const Arguments& arguments) {
    return parse_options(arguments, path_);
  }

  Options parse(const Arguments& arguments) {
    auto parsed = try_parse(arguments);
    if (!parsed) {
      ADD_FAILURE() << parsed.error().what;
      return {};
    }
    const auto* options = std::get_if<Options>(&*parsed);
    if (options == nullptr) ADD_FAILURE() << "no command";
    return options != nullptr ? *options : Options();
  }

  /// The sentence behind the file's name.
  std::string refusal(const Arguments& arguments) {
    auto parsed = try_parse(arguments);
    if (parsed) return "accepted";
    EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
    std::string what = parsed.error().what + ": " + parsed.error().hint;
    if (what.starts_with(path_)) what.erase(0, path_.size());
    return what;
  }

  std::string refusal_of(const std::string& text, const Arguments& arguments = {"check"}) {
    write(text);
    return refusal(arguments);
  }

  test::TempDir directory_;
  const std::string path_ = directory_ / "settings";
};

TEST_F(SettingsFile, NeedNotExistUnlessItIsAskedFor) {
  EXPECT_EQ(parse({"check"}).command, Command::kCheck);
  auto parsed = try_parse({"check", "--config", path_});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::kFailed);
  EXPECT_EQ(parsed.error().os_errno, ENOENT);
}

TEST_F(SettingsFile, GivesEachCommandItsOwn) {
  write(
      "nid = 1\n[snapshot]\nkeep = 48\nthin = true\nmin-free = \"10%\"\n[report.top]\nlimit = 3\n");
  EXPECT_EQ(parse({}).nodelist, "1");
  const auto snapshot = parse({"snapshot"});
  EXPECT_EQ(snapshot.nodelist, "");
  EXPECT_EQ(snapshot.archive.policy.limits.nr_max, 48U);
  EXPECT_FALSE(snapshot.archive.policy.limits.tiers.empty());
  EXPECT_EQ(snapshot.archive.policy.min_free.value_or(ByteShare()).percent, 10);
  EXPECT_EQ(parse({"report", "top", "x"}).top.limit, 3U);
  EXPECT_NE(parse({"top"}).top.limit, 3U);
  EXPECT_EQ(parse({"report", "x"}).command, Command::kReport);
}

TEST_F(SettingsFile, TheCommandLineWins) {
  write("nid = 1\nhandles = true\n[stacks]\nnid = 1\n[top]\nby = \"bogus\"\n");
  EXPECT_EQ(parse({"--nid", "0"}).nodelist, "0");
  EXPECT_EQ(parse({"--nid", "0"}).mode, POBPF_MODE_HANDLE);
  EXPECT_EQ(parse({"stacks", "--nid=0"}).nodelist, "0");
  EXPECT_EQ(parse({"--nid", "0", "stacks"}).nodelist, "0");
  EXPECT_EQ(parse({"stacks"}).nodelist, "1");
  EXPECT_EQ(parse({"top", "--by", "tgid"}).top.fields.size(), 1U);
  EXPECT_EQ(parse({"--config", "/dev/null", "stacks"}).nodelist, "");
  EXPECT_EQ(parse({"stacks", "--config=/dev/null"}).nodelist, "");
}

TEST_F(SettingsFile, FlagsAndOptionalValuesAreTrueOrFalse) {
  write("quiet = false\nstats = true\n[diff]\nlatest = true\n[check]\nverbose = [true, true]\n");
  EXPECT_FALSE(parse({}).is_quiet);
  EXPECT_TRUE(parse({}).wants_stats);
  EXPECT_EQ(parse({"diff"}).diff.nr_latest, parse({"diff", "--latest"}).diff.nr_latest);
  EXPECT_EQ(parse({"check"}).verbosity, 2);
  write("[diff]\nlatest = 3\n");
  EXPECT_EQ(parse({"diff", "--leaks"}).diff.nr_latest, 3U);
}

TEST_F(SettingsFile, ArraysAreLists) {
  write("nid = [0, \"2-3\"]\n[top]\nby = [\"tgid\", \"comm\"]\n");
  EXPECT_EQ(parse({}).nodelist, "0,2-3");
  EXPECT_EQ(parse({"top"}).top.fields, parse({"top", "--by", "tgid,comm"}).top.fields);
  write("nid = []\n");
  EXPECT_EQ(parse({}).nodelist, "");
}

TEST_F(SettingsFile, FiltersCountAsGiven) {
  write("[record]\nnid = \"0-1\"\n");
  EXPECT_EQ(parse({"record", "-o", "x"}).view_text, "--nid 0-1");
}

TEST_F(SettingsFile, ErrorsNameTheLine) {
  EXPECT_EQ(refusal_of("[snapshot]\nkeep = 5\nkepp = 3\n"),
            ":3: unknown setting 'kepp' of [snapshot]: did you mean 'keep'?");
  EXPECT_TRUE(
      refusal_of("[report]\nby = \"tgid\"\n").starts_with(":2: unknown setting 'by' of [report]"));
  EXPECT_EQ(refusal_of("[snapshott]\n"),
            ":1: there is no command 'snapshott': did you mean [snapshot]?");
  EXPECT_TRUE(refusal_of("[nid]\nx = 1\n").starts_with(":1: there is no command 'nid'"));
  EXPECT_TRUE(refusal_of("\nsnapshot = 1\n").starts_with(":2: 'snapshot' is a command"));
  EXPECT_TRUE(refusal_of("[[snapshot]]\n").starts_with(":1: "));
  EXPECT_TRUE(refusal_of("nid = 1\nnid = 2\n").starts_with(":2: "));
  EXPECT_TRUE(refusal_of("nid\n").starts_with(":"));
  EXPECT_TRUE(refusal_of("nid = \"\xff\"\n").starts_with(":1: "));
}

TEST_F(SettingsFile, ErrorsOfValuesNameTheLine) {
  const Arguments snapshot = {"snapshot"};
  EXPECT_TRUE(refusal_of("[snapshot]\n\nkeep = \"x\"\n", snapshot).starts_with(":3: --keep: 'x'"));
  EXPECT_TRUE(refusal_of("mode = \"handel\"\n", {}).starts_with(":1: unknown mode 'handel'"));
  EXPECT_TRUE(
      refusal_of("mode = \"stack\"\n", {"--handles"}).starts_with(":1: --handles and --mode"));
  // --keep-... is another option than --keep
  EXPECT_TRUE(refusal_of("[snapshot]\nmax-age = \"1d\"\nmax-size = \"no\"\n", snapshot)
                  .starts_with(":3: --max-size"));
  // nothing that was set is to blame, but it may be part of it
  EXPECT_TRUE(
      refusal_of("stats = true\n", {"--order", "x"}).ends_with("settings of " + path_ + " apply"));
  EXPECT_EQ(refusal_of("[snapshot]\nkeep = 1\n", {"--order", "x"}).find("settings of"),
            std::string::npos);
}

TEST_F(SettingsFile, ValuesOfTheWrongKindAreRefused) {
  for (const char* value : {"1.5", "1979-05-27", "{}", "[[1]]", "true", "[true]"})
    EXPECT_NE(refusal_of(std::string("[snapshot]\nkeep = ") + value + "\n"), "accepted") << value;
  EXPECT_EQ(refusal_of("quiet = 1\n"), ":1: 'quiet' is of the wrong kind: give true or false");
  EXPECT_EQ(refusal_of("quiet = \"yes\"\n"),
            ":1: 'quiet' is of the wrong kind: give true or false");
}

TEST_F(SettingsFile, WhatIsAboutTheCommandLineIsNoSetting) {
  for (const char* key : {"help", "version", "config", "h", "\"\"", "\"--nid\"", "nid.x"})
    EXPECT_NE(refusal_of(std::string(key) + " = true\n"), "accepted") << key;
  // positional
  EXPECT_NE(refusal_of("[report]\nFILE = \"x\"\n"), "accepted");
}

std::string all_settings(const CommandRow& command) {
  std::string table = command.name;
  std::replace(table.begin(), table.end(), ' ', '.');
  std::string text = table.empty() ? "" : "[" + table + "]\n";
  for (const OptionRow* row : options_of(command)) {
    if (row->only_on_command_lines || row->is_positional()) continue;
    const std::string value = row->needs_value() ? " = \"0\"\n" : " = true\n";
    text += key_of(*row) + value;
    if (row->has_opposite()) text += key_of(*row, true) + value;
  }
  for (const CommandRow* below : commands_below(command)) text += all_settings(*below);
  return text;
}

TEST_F(SettingsFile, EveryOptionOfEveryCommandIsASetting) {
  write(all_settings(command_table().front()));
  const auto settings = Settings::read(path_);
  ASSERT_TRUE(settings) << settings.error().what;
}

TEST_F(SettingsFile, HelpAndVersionWorkWithAnyFile) {
  write("]");
  EXPECT_TRUE(try_parse({"--version"}));
  EXPECT_TRUE(try_parse({"snapshot", "--help"}));
  EXPECT_FALSE(try_parse({"check"}));
}

TEST_F(SettingsFile, LargeAndDeepFilesAreRefused) {
  write(std::string((1U << 20) + 1, '\n'));
  auto parsed = try_parse({"check"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().os_errno, EFBIG);
  EXPECT_NE(refusal_of("nid = " + std::string(100'000, '[')), "accepted");
}

TEST_F(SettingsFile, SayWhatTheyGave) {
  write("stats = true\n[top]\nby = \"tgid\"\nlimit = 3\n");
  EXPECT_EQ(parse({"top", "--limit", "4"}).settings,
            std::vector<std::string>{path_ + ":3: --by tgid"});
}

}  // namespace
}  // namespace pobpf::cli
