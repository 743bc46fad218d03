// SPDX-License-Identifier: GPL-2.0-only
// Whatever names a task, a file or a text gives, none of them controls a terminal: every string
// field of a snapshot, of an import and of a live session, in every view and every message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../snapshot/made_up_pages.h"
#include "../util/temp_dir.h"
#include "../util/terminal.h"
#include "cli/commands/commands.h"
#include "cli/terminal/logging.h"
#include "command_test.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using test::Arguments;
using test::OnTerminal;

/// A window title, a colour, a line cleared, DEL, CSI as one character (C1, in UTF-8 and as a
/// byte), directions turned around in each way, a line that is written over.
const std::vector<std::string> kControls = {"\x1b]0;x\x07",
                                            "\x1b[31m",
                                            "\x1b[2K",
                                            "\x7f",
                                            "\xc2\x9b"
                                            "2J",
                                            "\x9b"
                                            "2J",
                                            "\xe2\x80\xae",
                                            "\xe2\x81\xa6",
                                            "\xd8\x9c",
                                            "\xe2\x80\x8f",
                                            "\r",
                                            "\b",
                                            "\xc2\x85",
                                            "\xe2\x80\xa8",
                                            "\xef\xbb\xbf"};

std::string hostile(const std::string& name) {
  std::string text = name;
  for (const std::string& control : kControls) text += control + "a";
  return text;
}

/// Told without the code that is tested.
std::string what_controls(std::string text) {
  // the terminal's own end of a line, and that of CSV
  for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
  for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n') || byte == 0x7f)
      return testing::PrintToString(text.substr(i < 20 ? 0 : i - 20, 40));
  }
  for (const std::string& control : kControls) {
    const std::size_t at = text.find(control);
    if (at != std::string::npos)
      return testing::PrintToString(text.substr(at < 20 ? 0 : at - 20, 40));
  }
  return {};
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r'; });
}

class Terminal : public ::testing::Test {
 protected:
  Terminal() {
    for (std::uint32_t handle = 1; handle <= test::kNrStacks; ++handle)
      context.add_stack(
          handle, {hostile("f") + "+0x1/0x2", hostile("g") + "+0x1/0x2 [" + hostile("m") + "]"});
    for (std::uint64_t id = 1; id <= test::kNrCgroups; ++id)
      context.cgroups[id] = hostile("cgroup " + std::to_string(id));
    pages = test::RandomPages(31).take(kControls.size());
    for (std::size_t i = 0; i < pages.size(); ++i) {
      pobpf_page& page = pages[i];
      page.pfn = 1 + 16 * i;
      page.order = 0;
      page.flags = 0x25;
      page.gfp_mask = 0xcc0;
      page.pageblock_migratetype = static_cast<__u8>(i % 6);
      page.last_migrate_reason = static_cast<__s16>(i % 3);
      page.memcg_flags = POBPF_MEMCG_CHARGED;
      samples::set_comm(page, "c" + kControls[i]);
    }
    dir.write("a.pobpf", snapshot_of(pages));
    header.filters += "other";
    header.boot_id = hostile("another");
    for (pobpf_page& page : pages) ++page.ts_nsec;
    pages.pop_back();
    dir.write("b.pobpf", snapshot_of(pages));
    dir.write("text", imported_text());
  }

  static SnapshotHeader hostile_header() {
    SnapshotHeader made = test::made_up_header();
    for (std::string* text :
         {&made.pobpf_version, &made.kernel_release, &made.kernel_version, &made.machine,
          &made.hostname, &made.command_line, &made.boot_id, &made.filters, &made.reason})
      *text = hostile("header");
    // protobuf has it as a text
    std::erase_if(made.pobpf_version, [](char c) { return static_cast<unsigned char>(c) > 0x7e; });
    made.pobpf_version += "\xc2\x9b";
    make_hostile(*made.facts);
    for (auto& [type, name] : made.page_types.names) name = hostile(name);
    return made;
  }
  static void make_hostile(KernelFacts& facts) {
    facts.page_flag_fields = {{2, 58, 3, "node"}, {2, 56, 3, "zone"}, {2, 54, 3, hostile("field")}};
    facts.zone_names.assign(4, hostile("zone"));
    for (auto* flags : {&facts.gfp_names, &facts.page_flag_names})
      for (FlagName& flag : *flags) flag.name = hostile(flag.name);
    for (auto* names : {&facts.migratetype_names, &facts.migrate_reason_names})
      for (std::string& name : *names) name = hostile(name);
  }

  std::string snapshot_of(const std::vector<pobpf_page>& of) {
    std::string file;
    SnapshotWriter writer(context, file, kLevelMin);
    EXPECT_TRUE(writer.begin(header));
    EXPECT_TRUE(writer.append(of));
    EXPECT_TRUE(writer.end(test::account_of(of.size())));
    return file;
  }

  /// Names of a record, and lines that are none.
  static std::string imported_text() {
    std::string text;
    for (const std::string& control : kControls) {
      // a carriage return ends no line
      text += "Page allocated via order 0, mask 0xcc0(GFP_" + control +
              "KERNEL), pid 1, tgid 1 (c" + control + "), ts 5 ns\n";
      text += "PFN 0x1 type Mo" + control + "vable Block 0 type Unm" + control +
              "ovable Flags 0x20(lr" + control + "u|node=0|zone=0)\n";
      text += " f" + control + "+0x1/0x2\n" + "Page has been migrated, last migrate reason: r" +
              control + "\nCharged to memcg a" + control + "b\n\n";
      text += "a line " + control + " that nobody understands\n\n";
    }
    return text;
  }

  /// As main() does, but for the kernel that there may be.
  static int run(const Arguments& arguments) {
    set_up_logging(error_format(arguments), false, 0);
    auto options = test::try_parse(arguments);
    Result<ExitStatus> ended = ExitStatus::kFailed;
    if (options) {
      set_up_logging(options->format, options->is_quiet, options->verbosity);
      const std::pair<Command, Result<ExitStatus> (*)(const Options&)> commands[] = {
          {Command::kReport, run_report},
          {Command::kDiff, run_diff},
          {Command::kImport, run_import},
          {Command::kList, run_list}};
      for (const auto& [command, function] : commands)
        if (command == options->command) ended = function(*options);
    } else {
      ended = fail(std::move(options).error());
    }
    if (!ended) report(ended.error(), exit_status(ended.error().kind), error_format(arguments));
    return ended ? static_cast<int>(*ended) : 1;
  }
  /// Returns what it writes to a terminal, stdout and stderr.
  static std::string on_terminal(const std::function<int()>& program) {
    OnTerminal terminal(500, 50, program);
    terminal.exit_status();
    return terminal.rest();
  }

  /// Expects that the text on a terminal holds something hostile, made harmless.
  static void check_terminal(const std::string& text) {
    EXPECT_EQ(what_controls(text), "");
    EXPECT_TRUE(text.find("x1b") != std::string::npos || text.find("u001b") != std::string::npos)
        << text;
  }
  void check(Arguments arguments) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const std::string shown = on_terminal([&] { return run(arguments); });
    check_terminal(shown);
    EXPECT_TRUE(error_format(arguments) != Format::kJson || is_ascii(shown)) << shown;
  }
  /// All text but the kernel's own and CSV is harmless wherever it goes.
  void check_file(Arguments arguments) {
    check(arguments);
    SCOPED_TRACE(testing::PrintToString(arguments));
    dir.remove("out");
    arguments.insert(arguments.end(), {"-o", dir / "out"});
    testing::internal::CaptureStderr();
    run(arguments);
    EXPECT_EQ(what_controls(testing::internal::GetCapturedStderr()), "");
    EXPECT_EQ(what_controls(dir.read("out")), "");
    EXPECT_NE(dir.read("out"), "");
  }

  test::TempDir dir;
  samples::MadeUpContext context;
  SnapshotHeader header = hostile_header();
  std::vector<pobpf_page> pages;
};

TEST_F(Terminal, ViewsOfASnapshot) {
  const std::string file = dir / "a.pobpf";
  for (const char* mode : {"stack", "stack_handle"}) check({"report", file, "--mode", mode});
  check({"report", file, "--format", "csv"});
  check({"report", file, "-vv"});
  check_file({"report", file, "--format", "json"});
  check({"report", "stacks", file});
  check_file({"report", "stacks", file, "--format", "json"});
  check_file({"report", "page", file, "0x1-0x101"});
  check_file({"report", "page", file, "0x1-0x101", "--format", "json"});
}

TEST_F(Terminal, SumsOfASnapshot) {
  const std::string file = dir / "a.pobpf";
  for (const char* by : {"stack", "function", "module", "comm", "gfp", "migratetype", "zone",
                         "memcg", "migrate_reason", "stack,comm,zone"}) {
    check_file({"report", "top", file, "--by", by});
    check_file({"report", "top", file, "--by", by, "--format", "json"});
    check({"report", "top", file, "--by", by, "--format", "csv"});
    check_file({"diff", file, dir / "b.pobpf", "--by", by});
    check_file({"diff", file, dir / "b.pobpf", "--by", by, "--format", "json"});
  }
}

TEST_F(Terminal, Lists) {
  dir.write("damaged\x1b[31m\xc2\x9b.pobpf", "text");
  check_file({"list", dir.path()});
  check_file({"list", dir.path(), "--format", "json"});
}

TEST_F(Terminal, AnImportAndWhatItDoesNotUnderstand) {
  check({"import", dir / "text", "-o", dir / "imported"});
  const std::string file = dir / "imported";
  for (const char* format : {"text", "json"}) {
    check({"report", file, "--format", format});
    check({"report", "stacks", file, "--format", format});
    check_file({"report", "page", file, "0x1", "--format", format});
    for (const char* by : {"stack", "comm", "gfp", "memcg"})
      check_file({"report", "top", file, "--by", by, "--format", format});
  }
}

TEST_F(Terminal, Messages) {
  const std::string file = hostile("none");
  dir.write("settings", "\"" +
                            std::string("k\xc2\x9b"
                                        "31m") +
                            "\" = 1\n");
  dir.write("names.toml", "[report]\nmode = \"\\u001b[31m\\u009b\"\n");
  check({"import", file, "-o", dir / "imported"});
  for (const char* format : {"text", "json"}) {
    check({"report", file, "--format", format});
    check({"report", "top", file, "--by", file, "--format", format});
    check({"report", dir / "a.pobpf", "--" + file, "--format", format});
    check({"report", dir / "a.pobpf", "--zone", file, "--format", format});
    check({file, "--format", format});
    check({"list", file, "--format", format});
    check({"report", dir / "a.pobpf", "--format", format, "-o", "/" + file + "/x"});
    check({"report", dir / "a.pobpf", "--config", dir / "names.toml", "--format", format});
    const std::string shown = on_terminal([&] {
      return run({"list", dir.path(), "--config", dir / "settings", "--format", format});
    });
    EXPECT_EQ(what_controls(shown), "");
  }
}

TEST_F(Terminal, ViewsOfALiveSession) {
  test::MadeUpSession session;
  session.context.stacks = context.stacks;
  session.context.cgroups = context.cgroups;
  session.pages = pages;
  session.kernel = samples::android_6_12();
  make_hostile(session.kernel);
  for (const pobpf_page& page : pages) {
    GroupSum sum = test::sum_of(page.handle, 1, 1);
    std::memcpy(sum.key.comm, page.comm, sizeof(page.comm));
    sum.key.gfp_mask = page.gfp_mask;
    session.looks.resize(1);
    session.looks.front().groups.push_back(sum);
  }
  // one that cannot be shown, for the message
  session.pages.back().handle = 4000;
  Options options;
  using Print = Result<ExitStatus>(Session&, const ReaderView&, const Options&, Output&);
  const auto check_print = [&](Print& print, const char* name, bool is_watching) {
    for (const Format format : {Format::kText, Format::kJson, Format::kCsv}) {
      if (format == Format::kCsv && &print == &print_stacks) continue;
      SCOPED_TRACE(name);
      const std::string shown = on_terminal([&] {
        options.format = format;
        set_up_logging(format, false, 0);
        Output output = Output::to_stdout();
        const auto ended = print(session, ReaderView{}, options, output);
        if (!ended) report(ended.error(), ExitStatus::kFailed, format);
        return 0;
      });
      if (!is_watching || format != Format::kText) {
        check_terminal(shown);
        continue;
      }
      std::string without = shown;
      for (const std::string_view own : {"\x1b[H", "\x1b[K", "\x1b[J"})
        for (std::size_t at = 0; (at = without.find(own, at)) != std::string::npos;)
          without.erase(at, own.size());
      check_terminal(without);
    }
  };
  check_print(print_pages, "pages", false);
  check_print(print_stacks, "stacks", false);
  for (const char* by : {"stack", "comm", "gfp", "function"}) {
    options.top.fields = parse_group_fields(by).value();
    check_print(print_top, by, false);
  }
  options.top.interval = std::chrono::milliseconds(1);
  options.top.count = 1;
  check_print(print_top, "watched", true);
}

TEST_F(Terminal, PinsAndChecks) {
  PinInfo pin;
  for (std::string* text : {&pin.name, &pin.what, &pin.version, &pin.view_text})
    *text = hostile("pin");
  std::string table;
  for (const PinKind kind : {PinKind::kOurs, PinKind::kOtherVersion}) {
    pin.kind = kind;
    append_pin_table(table, {pin});
  }
  EXPECT_EQ(what_controls(table), "");
  const std::vector<Check> checks{
      {hostile("check"), CheckState::kUnknown, hostile("detail"), hostile("hint")}};
  Options options;
  for (const Format format : {Format::kText, Format::kJson}) {
    options.format = format;
    dir.remove("out");
    auto output = Output::to_file(dir / "out");
    ASSERT_TRUE(output);
    EXPECT_TRUE(print_checks(checks, options, *output));
    EXPECT_EQ(what_controls(dir.read("out")), "");
    EXPECT_NE(dir.read("out"), "");
  }
}

}  // namespace
}  // namespace pobpf::cli
