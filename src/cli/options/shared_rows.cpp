// SPDX-License-Identifier: GPL-2.0-only
// Options that many commands have: what makes rows, where the output goes, and the rest.
#include <chrono>

#include "cli/options/option_values.h"
#include "model/duration.h"
#include "sum/comparison.h"

namespace pobpf::cli {
namespace {

constexpr Commands kTops = of::kTop | of::kReportTop;
constexpr Commands kRowsOfPages = kTops | of::kDiff;
constexpr Commands kModes = of::kPages | of::kReport | of::kPin;
constexpr Commands kRecording = of::kRecord | of::kArchives;
constexpr Commands kJsonOnly = of::kStacks | of::kPage | of::kCheck | of::kReportStacks |
                               of::kReportPage | of::kDiff | of::kList | of::kPins;
constexpr Commands kCsvToo = of::kPages | kTops | of::kBothBlockers;

constexpr std::uint64_t kIntervalMinNs = 100'000'000;
// the time of a look that no clock can count to would be over at once
constexpr std::uint64_t kIntervalMaxNs = 365 * kDayNs;
constexpr std::uint32_t kThreadsMax = 256;
constexpr std::uint32_t kGroupsMax = 1U << 24;

Status take_fields(const Value& value, Options& options) {
  return put(options.top.fields, parse_group_fields(value.text));
}

Status take_limit(const Value& value, Options& options) {
  auto limit = number_between(value.text, 0);
  if (!limit) return fail(std::move(limit).error());
  options.top.has_limit = true;
  // none at all would say nothing
  if (*limit != 0) options.top.limit = *limit;
  return {};
}

Status take_interval(const Value& value, Options& options) {
  auto interval = parse_seconds(value.text);
  if (interval && *interval < kIntervalMinNs)
    return usage_error("the interval is too short", "give 0.1 seconds or more");
  if (interval && *interval > kIntervalMaxNs)
    return usage_error("the interval is too long", "give a year or less");
  return put(options.top.interval, interval.map([](auto ns) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(ns));
  }));
}

Status take_mode(const Value& value, Options& options) {
  constexpr pobpf_mode kInOrder[] = {POBPF_MODE_STACK, POBPF_MODE_HANDLE, POBPF_MODE_STACK_HANDLE};
  return put(options.mode, choice_of(value).map([&](std::size_t i) { return kInOrder[i]; }));
}

Status take_format(const Value& value, Options& options) {
  constexpr Format kInOrder[] = {Format::kText, Format::kJson, Format::kCsv, Format::kSqlite};
  if (value.text == "sqlite" && options.command == Command::kPages)
    return usage_error("only snapshots become a database",
                       "first pobpf record -o FILE, then pobpf report FILE --format sqlite -o DB");
  return put(options.format, choice_of(value).map([&](std::size_t i) { return kInOrder[i]; }));
}

Status take_feature(const Value& value, Options& options) {
  if (auto index = choice_of(value); !index) return fail(std::move(index).error());
  options.session.without_features.emplace(value.text);
  return {};
}

Status take_level(const Value& value, Options& options) {
  return put(options.snapshot.level,
             number_between(value.text, kLevelMin, kLevelMax).map([](auto n) {
               return static_cast<int>(n);
             }));
}

// clang-format off
constexpr OptionRow kRowRows[] = {
    {.name = "by", .value = "FIELDS", .commands = kRowsOfPages, .times = Times::kJoined,
     .take = take_fields, .words = group_field_names,
     .help = "what pages of one row have in common, one or more of: stack (default), function, "
             "module, allocator, tgid, pid, comm, order, gfp, migratetype, nid, zone, memcg, "
             "migrate_reason, freed"},
    {.name = "by", .value = "FIELDS", .commands = of::kBothBlockers, .times = Times::kJoined,
     .take = take_fields, .words = group_field_names,
     .help = "what tells owners apart, one or more of: stack, function, module, allocator, tgid, "
             "pid, comm, order, gfp, migratetype, nid, zone, memcg, migrate_reason, freed; default "
             "function,comm"},
    {.name = "limit", .value = "N", .take = take_limit,
     .help = "show N rows, and the rest as one more; 0 means all. Default 20, all with json and "
             "csv"},
    {.name = "depth", .value = "N",
     .take = [](auto& v, auto& o) { return put(o.top.depth, number_between(v.text, 1)); },
     .help = "tell stacks apart by their innermost N calls only"},
    {.name = "ignore", .value = "FILE", .commands = kRowsOfPages, .names = NameKind::kFile,
     .help = "show stacks with one of these functions as one row: FILE has a glob pattern a "
             "line, # for comments"},
    {.name = "bytes", .commands = kRowsOfPages, .flag = [](Options& o) { return &o.top.is_exact; },
     .help = "show sizes in bytes"},
    {.name = "full", .flag = [](Options& o) { return &o.top.is_full; },
     .help = "show paths of cgroups in full, not shortened"},
    {.name = "sort", .value = "ORDER", .commands = kTops,
     .take = [](auto& v, auto& o) { return put(o.top.sort, parse_sort_key(v.text)); },
     .words = sort_key_names, .list = ListSyntax::kOneName,
     .help = "which rows come first: pages (default), allocs, age (the oldest), growth (with "
             "--watch), fields (of --by)"},
    {.name = "sort", .value = "ORDER", .commands = of::kDiff,
     .take = [](auto& v, auto& o) { return put(o.diff.sort, parse_compare_key(v.text)); },
     .words = compare_key_names, .list = ListSyntax::kOneName,
     .help = "which rows come first: change (default, the largest up or down), growth, "
             "shrinkage, pages"},
    {.name = "watch", .value = "SEC", .commands = kTops, .take = take_interval,
     .help = "look again every SEC seconds and show what has changed; keys: q quits, s sorts by "
             "the next order, f groups by the next field, space looks at once"},
    {.name = "count", .value = "N", .commands = kTops,
     .take = [](auto& v, auto& o) { return put(o.top.count, number_between(v.text, 1)); },
     .help = "end after looking N times"},
};

constexpr OptionRow kOutputRows[] = {
    {.name = "mode", .value = "MODE", .commands = kModes, .take = take_mode,
     .choices = "stack,handle,stack_handle",
     .help = "how to show the stack of a page: stack (its frames, default), handle (its number), "
             "stack_handle (both)"},
    {.name = "handles", .commands = kModes, .help = "short for --mode handle"},
    {.name = "format", .value = "FORMAT", .commands = kJsonOnly, .take = take_format,
     .choices = "text,json", .help = "text (default) or json; errors become JSON too"},
    {.name = "format", .value = "FORMAT", .commands = kCsvToo, .take = take_format,
     .choices = "text,json,csv",
     .help = "text (default), json or csv; with json, errors become JSON too"},
    {.name = "format", .value = "FORMAT", .commands = of::kReport, .take = take_format,
     .choices = "text,json,csv,sqlite",
     .help = "text (default), json, csv or sqlite (a database, needs -o FILE); with json, errors "
             "become JSON too"},
    {.name = "output", .letter = 'o', .value = "FILE",
     .commands = kJsonOnly | kCsvToo | of::kReport | of::kRecord | of::kImport,
     .take = [](auto& v, auto& o) { return set(o.output_path, v.text == "-" ? "" : v.text); },
     .names = NameKind::kFile,
     .help = "write to FILE (mode 0600), which is replaced only when the new one is complete; - "
             "is stdout"},
    {.name = "free", .commands = kRecording,
     .flag = [](Options& o) { return &o.snapshot.with_free_side; },
     .help = "record also when each page was freed before, by whom and with which stack; the "
             "file is larger"},
    {.name = "level", .value = "N", .commands = kRecording | of::kImport, .take = take_level,
     .help = "compression level of zstd, 1 to 19, instead of the one that suits best"},
    {.name = "stats",
     .commands = of::kPages | of::kStacks | of::kTop | of::kReports | of::kDiff | kRecording |
                 of::kBothBlockers,
     .flag = [](Options& o) { return &o.wants_stats; },
     .help = "report on stderr what became of every page"},
};

constexpr OptionRow kOtherRows[] = {
    {.name = "threads", .value = "N", .commands = of::kStacks | of::kTop,
     .take = [](auto& v, auto& o) {
       return put(o.nr_threads, number_between(v.text, 1, kThreadsMax)); },
     .help = "read with N threads, spread over the nodes; default 1"},
    {.name = "max-groups", .value = "N",
     .commands = of::kStacks | of::kReportStacks | kTops | of::kDiff | of::kBothBlockers,
     .take = [](auto& v, auto& o) {
       return put(o.groups_max, number_between(v.text, 1, kGroupsMax)); },
     .help = "let the kernel tell at most N groups apart, for about 200 bytes of its memory "
             "each; default 262144"},
    {.name = "dry-run", .commands = of::kSnapshot,
     .flag = [](Options& o) { return &o.archive.is_dry_run; },
     .help = "take no snapshot, but say on stderr what one would remove"},
    {.name = "help", .letter = 'h', .only_on_command_lines = true,
     .help = "print this help"},
    {.name = "quiet", .letter = 'q', .flag = [](Options& o) { return &o.is_quiet; },
     .help = "print no warnings and no progress on stderr"},
    {.name = "verbose", .letter = 'v',
     .take = [](auto&, auto& o) { return set(o.verbosity, o.verbosity + 1); },
     .help = "say what was found out about this kernel; twice: print all messages of libbpf, too"},
    {.name = "config", .value = "FILE", .only_on_command_lines = true, .names = NameKind::kFile,
     .help = "read settings (TOML) from FILE instead of /etc/pobpf/pobpf.conf; /dev/null has "
             "none"},
    {.name = "version", .commands = of::kPages, .only_on_command_lines = true,
     .help = "print the versions of pobpf and of its libraries"},
    // forces the fallback of a kernel feature, for tests
    {.name = "no-feature", .value = "FEATURE", .times = Times::kSeveral, .is_hidden = true,
     .take = take_feature,
     .choices = "rdonly-cast,may-goto,bpf-loop,kallsyms-lookup,ksym-iterator,"
                "section-enumerators,task-name,thread-group,charge-lines,free-pid,format-strings"},
};
// clang-format on

constexpr OptionGroup kSharedGroups[] = {
    {"Rows", kRowsOfPages | of::kBothBlockers, kRowRows},
    {"Output", of::kAll, kOutputRows},
    {"Other", of::kAll, kOtherRows},
};

}  // namespace

std::span<const OptionGroup> shared_option_groups() { return kSharedGroups; }

}  // namespace pobpf::cli
