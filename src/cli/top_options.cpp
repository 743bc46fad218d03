// SPDX-License-Identifier: GPL-2.0-only
#include "cli/top_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <sstream>

#include "cli/option_value.h"
#include "cli/usage_error.h"
#include "model/duration.h"
#include "model/name_list.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

constexpr const char* kRowsGroup = "Rows";
constexpr std::size_t kIgnoreBytesMax = 1 << 20;
constexpr std::uint64_t kIntervalMinNs = 100'000'000;
// the time of a look that no clock can count to would be over at once
constexpr std::uint64_t kIntervalMaxNs = 365 * kDayNs;
constexpr std::uint32_t kNumberMax = std::numeric_limits<std::uint32_t>::max();

Status check_given_once(const RawTopOptions& raw) {
  const std::pair<const char*, const std::vector<std::string>&> single[] = {
      {"--sort", raw.sort},     {"--limit", raw.limit}, {"--depth", raw.depth},
      {"--ignore", raw.ignore}, {"--watch", raw.watch}, {"--count", raw.count}};
  for (const auto& [name, values] : single)
    if (values.size() > 1)
      return usage_error(fmt::format("{} is given more than once", name), "see pobpf top --help");
  return {};
}

Status parse_fields(const RawTopOptions& raw, TopOptions& options) {
  if (raw.by.empty()) return {};
  std::string all;
  for (const std::string& list : raw.by) all += (all.empty() ? "" : ",") + list;
  auto fields = parse_group_fields(all);
  if (!fields) return fail(std::move(fields).error().in("--by"));
  options.fields = *std::move(fields);
  return {};
}

Status parse_rows(const RawTopOptions& raw, TopOptions& options) {
  if (!raw.sort.empty()) {
    auto sort = parse_sort_key(raw.sort.front());
    if (!sort) return fail(std::move(sort).error().in("--sort"));
    options.sort = *sort;
  }
  if (!raw.limit.empty()) {
    auto limit = parse_number_between("--limit", raw.limit.front(), 0, kNumberMax);
    if (!limit) return fail(std::move(limit).error());
    options.has_limit = true;
    // none at all would say nothing
    if (*limit != 0) options.limit = *limit;
  }
  if (!raw.depth.empty()) {
    auto depth = parse_number_between("--depth", raw.depth.front(), 1, kNumberMax);
    if (!depth) return fail(std::move(depth).error());
    if (std::find(options.fields.begin(), options.fields.end(), GroupField::kStack) ==
        options.fields.end())
      return usage_error("--depth is about stacks, which --by does not name", "add stack to --by");
    options.depth = *depth;
  }
  return {};
}

Status parse_watch(const RawTopOptions& raw, TopOptions& options) {
  if (!raw.watch.empty()) {
    auto interval = parse_seconds(raw.watch.front());
    if (!interval) return fail(std::move(interval).error().in("--watch"));
    if (*interval < kIntervalMinNs)
      return usage_error("--watch: the interval is too short", "give 0.1 seconds or more");
    if (*interval > kIntervalMaxNs)
      return usage_error("--watch: the interval is too long", "give a year or less");
    options.interval =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(*interval));
  }
  if (!raw.count.empty()) {
    if (!options.interval)
      return usage_error("--count is of intervals, but there is no --watch", "add --watch SEC");
    auto count = parse_number_between("--count", raw.count.front(), 1, kNumberMax);
    if (!count) return fail(std::move(count).error());
    options.count = *count;
  }
  if (options.sort == SortKey::kGrowth && !options.interval)
    return usage_error("--sort growth needs --watch, as nothing grows in one look",
                       "add --watch SEC, or compare snapshots");
  return {};
}

}  // namespace

void add_row_options(CLI::App& command, RawTopOptions& raw) {
  add_value(
      command, "--by", raw.by, "FIELDS", kRowsGroup,
      "what makes a row: one or more of stack\n(default), function, module, allocator, tgid,\n"
      "pid, comm, order, gfp, migratetype, nid, zone,\nmemcg, migrate_reason, freed");
  add_value(command, "--limit", raw.limit, "N", kRowsGroup,
            "rows shown, the rest is one more; 0: all.\nDefault 20, all with json and csv");
  add_value(command, "--depth", raw.depth, "N", kRowsGroup, "stacks by their innermost N calls");
  add_value(
      command, "--ignore", raw.ignore, "FILE", kRowsGroup,
      "stacks with one of these functions are one row:\na glob pattern a line, # for comments");
  command.add_flag("--bytes", raw.is_exact, "exact sizes")
      ->disable_flag_override()
      ->group(kRowsGroup);
}

void add_top_options(CLI::App& top, RawTopOptions& raw) {
  add_row_options(top, raw);
  add_value(
      top, "--sort", raw.sort, "ORDER", kRowsGroup,
      "pages (default), allocs, age (the oldest\nfirst), growth (with --watch), fields (of --by)");
  add_value(
      top, "--watch", raw.watch, "SEC", kRowsGroup,
      "look again every SEC seconds and show what has\nchanged; keys: q quits, s sorts by the "
      "next\norder, f groups by the next field, space looks\nat once");
  add_value(top, "--count", raw.count, "N", kRowsGroup, "end after N looks");
}

Result<std::vector<std::string>> parse_ignored_functions(const std::string& text) {
  std::vector<std::string> patterns;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const std::size_t end = line.find_last_not_of(" \t\r");
    auto parts = split_patterns(line.substr(begin, end + 1 - begin));
    if (!parts) return fail(std::move(parts).error().in(fmt::format("line {}", number)));
    patterns.insert(patterns.end(), parts->begin(), parts->end());
  }
  return patterns;
}

Result<TopOptions> check_top_options(const RawTopOptions& raw) {
  TopOptions options;
  options.is_exact = raw.is_exact;
  if (auto status = check_given_once(raw); !status) return fail(std::move(status).error());
  for (auto step : {&parse_fields, &parse_rows, &parse_watch})
    if (auto status = step(raw, options); !status) return fail(std::move(status).error());
  if (!raw.ignore.empty()) {
    const std::string& path = raw.ignore.front();
    auto text = read_file(path, kIgnoreBytesMax);
    if (!text) return fail(std::move(text).error().in("--ignore"));
    auto patterns = parse_ignored_functions(*text);
    if (!patterns) return fail(std::move(patterns).error().in("--ignore " + path));
    options.ignored_functions = *std::move(patterns);
  }
  return options;
}

}  // namespace pobpf::cli
