// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/machine_facts.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

using test::Arguments;
using test::parse;
using test::refusal;

std::string information(const Arguments& arguments) {
  auto parsed = parse_options(arguments, "/dev/null");
  const auto* text = parsed ? std::get_if<Information>(&*parsed) : nullptr;
  return text != nullptr ? text->text : "no information";
}

TEST(Options, DefaultsToAllPagesAsText) {
  const auto options = parse({});
  EXPECT_EQ(options.command, Command::kPages);
  EXPECT_EQ(options.nodelist, "");
  EXPECT_EQ(options.mode, POBPF_MODE_STACK);
  EXPECT_EQ(options.format, Format::kText);
  EXPECT_EQ(options.output_path, "");
  EXPECT_FALSE(options.wants_stats);
  EXPECT_FALSE(options.is_quiet);
  EXPECT_EQ(options.verbosity, 0);
  EXPECT_TRUE(options.session.without_features.empty());
}

TEST(Options, ReadsAllOptionsOfTheDefaultCommand) {
  const auto options = parse(
      {"--nid", "0,2-3", "--mode", "stack_handle", "--format=json", "-o", "file", "--stats", "-q"});
  EXPECT_EQ(options.nodelist, "0,2-3");
  EXPECT_EQ(options.mode, POBPF_MODE_STACK_HANDLE);
  EXPECT_EQ(options.format, Format::kJson);
  EXPECT_EQ(options.output_path, "file");
  EXPECT_TRUE(options.wants_stats);
  EXPECT_TRUE(options.is_quiet);
}

TEST(Options, ReadsModes) {
  EXPECT_EQ(parse({"--mode", "stack"}).mode, POBPF_MODE_STACK);
  EXPECT_EQ(parse({"--mode", "handle"}).mode, POBPF_MODE_HANDLE);
  EXPECT_EQ(parse({"--handles"}).mode, POBPF_MODE_HANDLE);
  EXPECT_EQ(parse({"--handles", "--mode", "handle"}).mode, POBPF_MODE_HANDLE);
}

TEST(Options, ReadsCommands) {
  EXPECT_EQ(parse({"stacks", "--nid", "0"}).command, Command::kStacks);
  EXPECT_EQ(parse({"stacks", "--nid", "0"}).nodelist, "0");
  EXPECT_EQ(parse({"check"}).command, Command::kCheck);
}

TEST(Options, TakesOptionsBeforeTheCommand) {
  const auto options = parse({"--format", "json", "--nid", "1", "stacks"});
  EXPECT_EQ(options.command, Command::kStacks);
  EXPECT_EQ(options.nodelist, "1");
  EXPECT_EQ(options.format, Format::kJson);
}

TEST(Options, RefusesOptionsThatDoNotApplyToTheCommand) {
  EXPECT_EQ(refusal({"check", "--nid", "1"}), "unknown option '--nid': see pobpf check --help");
  EXPECT_EQ(refusal({"--nid", "1", "check"}),
            "--nid is not an option of pobpf check: see pobpf check --help");
  EXPECT_EQ(refusal({"--handles", "stacks"}),
            "--handles is not an option of pobpf stacks: see pobpf stacks --help");
}

TEST(Options, RepeatedFiltersAddUp) {
  const auto filter =
      parse({"--pid",  "1,5-6",          "--pid",   "9",         "--not-pid",   "5",
             "--comm", "a\\,b,c*",       "--comm",  "d",         "--gfp",       "GFP_KERNEL",
             "--gfp",  "any:a|b,none:c", "--gfp",   "__GFP_IO",  "--zone",      "DMA,Normal",
             "--zone", "Movable",        "--memcg", "/a,b",      "--memcg",     "/c",
             "--pfn",  "5,7+2",          "--pfn",   "0x10-0x1f", "--not-mixed", "--not-mixed",
             "--dead"})
          .filter;
  EXPECT_EQ(filter.pids.wanted, (std::vector<IdRange>{{1, 1}, {5, 6}, {9, 9}}));
  EXPECT_EQ(filter.pids.rejected, (std::vector<IdRange>{{5, 5}}));
  EXPECT_EQ(filter.comms.wanted, (Arguments{"a\\,b", "c*", "d"}));
  EXPECT_EQ(filter.gfp.all, (Arguments{"GFP_KERNEL", "__GFP_IO"}));
  EXPECT_EQ(filter.gfp.any, (Arguments{"a", "b"}));
  EXPECT_EQ(filter.gfp.none, (Arguments{"c"}));
  EXPECT_EQ(filter.zones.wanted, (Arguments{"DMA", "Normal", "Movable"}));
  // a cgroup's name may hold a comma
  EXPECT_EQ(filter.memcgs.wanted, (Arguments{"/a,b", "/c"}));
  EXPECT_EQ(filter.pfns.wanted, (std::vector<PfnRange>{{5, 6}, {7, 9}, {16, 32}}));
  EXPECT_EQ(filter.is_mixed, false);
  EXPECT_EQ(filter.is_dead, true);
}

TEST(Options, FiltersMayStandInFrontOfTheCommand) {
  const auto options = parse({"--not-pid", "7", "--not-dead", "stacks", "--order", "9-"});
  EXPECT_EQ(options.filter.pids.rejected, (std::vector<IdRange>{{7, 7}}));
  EXPECT_EQ(options.filter.is_dead, false);
  EXPECT_EQ(options.filter.orders.wanted, (std::vector<IdRange>{{9, kOrderMax}}));
}

TEST(Options, SmallProgramsDoForNodesAndPfns) {
  EXPECT_EQ(parse({}).session.filters, 0U);
  // nodes are resolved later, and every program can tell them
  EXPECT_EQ(parse({"--nid", "0", "--pfn", "1-2", "--not-pfn", "2"}).session.filters, 0U);
  const std::pair<Arguments, pobpf_filter> cases[] = {
      {{"--zone", "DMA"}, POBPF_FILTER_ZONE},
      {{"--flags", "lru"}, POBPF_FILTER_FLAGS},
      {{"--order", "3"}, POBPF_FILTER_ORDER},
      {{"--not-block-migratetype", "Movable"}, POBPF_FILTER_BLOCK_MIGRATETYPE},
      {{"--handle", "1"}, POBPF_FILTER_HANDLE},
      {{"--age", "1s"}, POBPF_FILTER_TIME},
      {{"--until", "0"}, POBPF_FILTER_TIME},
      {{"--since", "0"}, POBPF_FILTER_TIME},
      {{"--gfp", "none:a"}, POBPF_FILTER_GFP},
      {{"--migratetype", "Movable"}, POBPF_FILTER_MIGRATETYPE},
      {{"--not-mixed"}, POBPF_FILTER_MIXED},
      {{"--tgid", "1"}, POBPF_FILTER_TGID},
      {{"--not-pid", "1"}, POBPF_FILTER_PID},
      {{"--comm", "a*"}, POBPF_FILTER_COMM},
      {{"--dead"}, POBPF_FILTER_DEAD},
      {{"--memcg", "/"}, POBPF_FILTER_MEMCG},
      {{"--symbol", "a"}, POBPF_FILTER_STACK},
      {{"--not-module", "a"}, POBPF_FILTER_STACK}};
  for (const auto& [arguments, filter] : cases)
    EXPECT_EQ(parse(arguments).session.filters, 1U << filter) << arguments.front();
}

TEST(Options, EmptyNodelistFiltersNothing) {
  for (const Arguments& arguments : {Arguments{"--nid", ""}, {"--nid="}, {"--nid", " , "}})
    EXPECT_EQ(parse_wanted_nodes(parse(arguments).nodelist, 64).value(), std::nullopt);
}

TEST(Options, ReadsNodesOfThisKernel) {
  EXPECT_EQ(parse_wanted_nodes("0-1", 4).value(), NodeSet(3));
  // N is the last possible node, which depends on the kernel
  EXPECT_EQ(parse_wanted_nodes("N", 4).value(), NodeSet(8));
  EXPECT_FALSE(parse_wanted_nodes("4", 4));
}

TEST(Options, RefusesWrongNodelists) {
  for (const char* list :
       {"0-", "abc", "1-0", "-1", "0 - 1", "1024", "0x1", "99999999999999999999"})
    EXPECT_EQ(refusal({"--nid", list}).find("--nid: "), 0U) << refusal({"--nid", list});
}

TEST(Options, SumsHaveThreadsAndRoomForGroups) {
  for (const char* command : {"stacks", "top"}) {
    EXPECT_EQ(parse({command}).nr_threads, 1U);
    EXPECT_EQ(parse({command}).groups_max, SumRequest().groups_max);
    EXPECT_EQ(parse({command}).groups_max, 262'144U) << "the help and docs/top.md say so";
    EXPECT_EQ(parse({command, "--threads", "256"}).nr_threads, 256U);
    EXPECT_EQ(parse({command, "--max-groups", "1"}).groups_max, 1U);
    EXPECT_EQ(parse({command, "--max-groups", "16777216"}).groups_max, 16'777'216U);
  }
  for (const char* text : {"0", "16777217", "", "x", "1k", "-1", " 5", "99999999999"})
    EXPECT_EQ(refusal({"top", std::string("--max-groups=") + text}),
              std::string("--max-groups: '") + text +
                  "' is not a valid number: give a whole number from 1 to 16777216");
  for (const char* text : {"0", "257", "two"})
    EXPECT_EQ(refusal({"stacks", "--threads", text}),
              std::string("--threads: '") + text +
                  "' is not a valid number: give a whole number from 1 to 256");
  EXPECT_EQ(refusal({"stacks", "--max-groups", "5", "--max-groups", "6"}),
            "--max-groups is given more than once: see pobpf stacks --help");
  EXPECT_EQ(refusal({"--max-groups", "5"}), "unknown option '--max-groups': see pobpf --help");
}

TEST(Options, RefusesUnknownOptions) {
  EXPECT_EQ(refusal({"--foo"}), "unknown option '--foo': see pobpf --help");
  EXPECT_EQ(refusal({"-x"}), "unknown option '-x': see pobpf --help");
  EXPECT_EQ(refusal({"-qx"}), "unknown option '-x': see pobpf --help");
  EXPECT_EQ(refusal({"stacks", "--foo"}), "unknown option '--foo': see pobpf stacks --help");
}

TEST(Options, KnowsExactNamesOnly) {
  EXPECT_EQ(refusal({"--handl"}), "unknown option '--handl': see pobpf --help");
  EXPECT_EQ(refusal({"--vers"}), "unknown option '--vers': see pobpf --help");
  EXPECT_EQ(refusal({"stack"}), "unknown command 'stack': see pobpf --help");
  EXPECT_EQ(refusal({"Check"}), "unknown command 'Check': see pobpf --help");
}

TEST(Options, RefusesStrayArguments) {
  EXPECT_EQ(refusal({""}), "unexpected argument '': see pobpf --help");
  EXPECT_EQ(refusal({"--nid", "0", "1"}), "unexpected argument '1': see pobpf --help");
  EXPECT_EQ(refusal({"stacks", "foo"}), "unexpected argument 'foo': see pobpf stacks --help");
  EXPECT_EQ(refusal({"stacks", "check"}), "unexpected argument 'check': see pobpf stacks --help");
  EXPECT_EQ(refusal({"--", "foo"}), "unknown command 'foo': see pobpf --help");
}

TEST(Options, RefusesWrongValues) {
  EXPECT_EQ(refusal({"--mode", "foo"}),
            "unknown mode 'foo': --mode takes stack, handle or stack_handle");
  EXPECT_EQ(refusal({"--mode", "Stack"}),
            "unknown mode 'Stack': --mode takes stack, handle or stack_handle");
  EXPECT_EQ(refusal({"--mode="}), "unknown mode '': --mode takes stack, handle or stack_handle");
  EXPECT_EQ(refusal({"--format", "xml"}), "unknown format 'xml': --format takes text, json or csv");
  EXPECT_EQ(refusal({"-o", ""}), "--output needs the name of a file: see pobpf --help");
}

TEST(Options, EachCommandHasItsFormats) {
  EXPECT_EQ(parse({"--format", "csv"}).format, Format::kCsv);
  EXPECT_EQ(parse({"report", "f", "--format", "csv"}).format, Format::kCsv);
  EXPECT_EQ(parse({"report", "f", "--format", "sqlite", "-o", "db"}).format, Format::kSqlite);
  EXPECT_EQ(refusal({"report", "f", "--format", "sqlite"}),
            "--format sqlite needs a file: name it with -o FILE");
  EXPECT_EQ(refusal({"report", "f", "--format", "sqlite", "-o", "db", "--mode", "stack"}),
            "a database has stacks and their numbers: leave out --mode: see pobpf report --help");
  EXPECT_EQ(refusal({"--format", "sqlite", "-o", "db"}),
            "only snapshots become a database: first pobpf record -o FILE, then pobpf report FILE "
            "--format sqlite -o DB");
  EXPECT_EQ(refusal({"report", "stacks", "f", "--format", "csv"}),
            "unknown format 'csv': --format takes text or json");
}

TEST(Options, RefusesMissingAndSuperfluousValues) {
  EXPECT_EQ(refusal({"--nid"}), "--nid needs a value: see pobpf --help");
  EXPECT_EQ(refusal({"-o"}), "--output needs a value: see pobpf --help");
  EXPECT_EQ(refusal({"stacks", "--format"}), "--format needs a value: see pobpf stacks --help");
  EXPECT_EQ(refusal({"--quiet=no"}), "--quiet takes no value: see pobpf --help");
}

TEST(Options, RefusesRepeatedValues) {
  EXPECT_EQ(refusal({"--nid", "0", "--nid", "1"}),
            "--nid is given more than once: see pobpf --help");
  EXPECT_EQ(refusal({"--nid", "0", "stacks", "--nid", "1"}),
            "--nid is given more than once: see pobpf stacks --help");
}

TEST(Options, RefusesContradictions) {
  EXPECT_EQ(
      refusal({"--handles", "--mode", "stack"}),
      "--handles and --mode stack contradict each other: --handles is short for --mode handle");
  EXPECT_EQ(refusal({"-q", "-v"}), "--quiet and --verbose contradict each other: see pobpf --help");
}

TEST(Options, DashIsTheStandardOutput) { EXPECT_EQ(parse({"-o", "-"}).output_path, ""); }

TEST(Options, CountsVerbosity) { EXPECT_EQ(parse({"-vv"}).verbosity, 2); }

TEST(Options, SwitchesKernelFeaturesOff) {
  const auto options = parse({"--no-feature", "rdonly-cast", "--no-feature", "kallsyms-lookup"});
  EXPECT_THAT(options.session.without_features,
              testing::UnorderedElementsAre("rdonly-cast", "kallsyms-lookup"));
  for (const char* feature : {"rdonly-cast", "may-goto", "bpf-loop", "kallsyms-lookup",
                              "ksym-iterator", "section-enumerators", "task-name", "thread-group",
                              "charge-lines", "free-pid", "format-strings"}) {
    EXPECT_TRUE(parse({"--no-feature", feature}).session.without_features.contains(feature));
    EXPECT_FALSE(signs_of_feature(feature).empty()) << feature;
  }
  EXPECT_EQ(refusal({"--no-feature", "rdonly_cast"}),
            "unknown feature 'rdonly_cast': --no-feature takes rdonly-cast, may-goto, bpf-loop, "
            "kallsyms-lookup, ksym-iterator, section-enumerators, task-name, thread-group, "
            "charge-lines, free-pid or format-strings");
}

TEST(Options, HelpIsPerCommandAndFitsATerminal) {
  constexpr std::size_t kColumns = 80;
  for (const Arguments& arguments : {Arguments{"--help"},
                                     {"-h"},
                                     {"stacks", "-h"},
                                     {"top", "-h"},
                                     {"page", "-h"},
                                     {"check", "-h"},
                                     {"pin", "-h"},
                                     {"pins", "-h"},
                                     {"unpin", "-h"}}) {
    const std::string help = information(arguments);
    EXPECT_NE(help.find("Examples:\n"), std::string::npos) << help;
    EXPECT_NE(help.find("Exit status:\n"), std::string::npos) << help;
    EXPECT_EQ(help.find("--no-feature"), std::string::npos) << help;
    for (std::size_t at = 0; at < help.size();) {
      const std::size_t end = help.find('\n', at);
      EXPECT_LE(end - at, kColumns) << help.substr(at, end - at);
      at = end == std::string::npos ? end : end + 1;
    }
  }
  EXPECT_EQ(information({"check", "-h"}).find("--nid"), std::string::npos);
}

TEST(Options, HelpWinsOverErrors) { EXPECT_NE(information({"--foo", "--help"}), "no information"); }

TEST(Options, VersionIsTextOrJson) {
  EXPECT_EQ(information({"--version"}).find("pobpf "), 0U);
  EXPECT_EQ(information({"--version", "--format", "json"}).find("{\"pobpf\":\""), 0U);
  EXPECT_EQ(refusal({"--version", "--foo"}), "unknown option '--foo': see pobpf --help");
}

TEST(Options, ErrorsAreJsonWhereJsonIsAskedFor) {
  EXPECT_EQ(error_format({"--foo"}), Format::kText);
  EXPECT_EQ(error_format({"--foo", "--format", "json"}), Format::kJson);
  EXPECT_EQ(error_format({"--format=json", "--foo"}), Format::kJson);
  EXPECT_EQ(error_format({"--format"}), Format::kText);
}

}  // namespace
}  // namespace pobpf::cli
