// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/option_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cli/options/option_values.h"
#include "model/compile_filter.h"
#include "model/name_list.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

constexpr std::size_t kIgnoreBytesMax = 1 << 20;
constexpr std::uint32_t kLatestMax = 10000;

/// The filters as on a command line.
std::string filters_of(const CommandLine& line) {
  std::string text;
  const auto append = [&](const std::string& word) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_of(" \t\n'\"\\*?[]") == std::string::npos) {
      text += word;
      return;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  };
  for (const GivenOption& given : line.options) {
    if (!is_filter(*given.row)) continue;
    for (const std::string& value : given.values) {
      append(name_of(*given.row, given.is_not));
      if (given.row->takes_value()) append(value);
    }
  }
  return text;
}

Status check_output(const CommandLine& line, Options& options) {
  if (options.is_quiet && options.verbosity != 0)
    return usage_error("--quiet and --verbose contradict each other");
  const std::string* const mode = line.value("mode");
  const bool wants_handles = line.find("handles") != nullptr;
  if (wants_handles && mode != nullptr && options.mode != POBPF_MODE_HANDLE)
    return usage_error(fmt::format("--handles and --mode {} contradict each other", *mode),
                       "--handles is short for --mode handle");
  if (wants_handles) options.mode = POBPF_MODE_HANDLE;
  if (options.format != Format::kSqlite) return {};
  if (options.output_path.empty())
    return usage_error("--format sqlite needs a file", "name it with -o FILE");
  if (wants_handles || mode != nullptr)
    return usage_error("a database has stacks and their numbers: leave out --mode");
  return {};
}

Status check_filters(const CommandLine& line, Options& options) {
  const FilterSpec& filter = options.filter;
  for (const GivenOption& given : line.options)
    if (given.is_not && !given.row->takes_value() && line.find(given.row->name) != nullptr)
      return usage_error(fmt::format("{} and {} contradict each other", name_of(*given.row),
                                     name_of(*given.row, true)));
  if (filter.since && filter.until && filter.since->is_ago == filter.until->is_ago &&
      (filter.since->is_ago ? filter.since->ns < filter.until->ns
                            : filter.since->ns > filter.until->ns))
    return usage_error("--since is after --until", "nothing lies between them");
  if (auto status = check_filter(filter); !status) return status;
  if (auto nodes = parse_wanted_nodes(options.nodelist, POBPF_MAX_NODES); !nodes)
    return fail(std::move(nodes).error());
  options.session.filters = filter.active();
  options.view_text = filters_of(line);
  return {};
}

Status check_pages(const CommandLine& line, Options& options) {
  const bool is_kernel = options.command == Command::kPage;
  const PageRequest& page = options.page;
  // ranges end below 2^64, but their sum need not
  std::uint64_t nr_pages = page.addresses.size();
  for (const PfnRange& range : page.pfns) nr_pages += std::min(range.size(), kAskedPagesMax + 1);
  if (nr_pages > kAskedPagesMax)
    return usage_error(
        fmt::format("more than {} pages are asked for", kAskedPagesMax),
        is_kernel ? "pobpf without a command lists all pages" : "pobpf report lists all pages");
  if (page.pid.has_value() == page.addresses.empty())
    return usage_error(page.pid ? "--pid needs --addr" : "--addr needs --pid",
                       "together they name the page behind an address of a process");
  if (line.find("PFN") == nullptr && page.physical.empty() && page.addresses.empty())
    return usage_error("no page is named",
                       is_kernel ? "give a PFN, --phys ADDR, or --pid PID --addr VADDR"
                                 : "give a PFN, or --phys ADDR");
  return {};
}

Status check_blocks(const CommandLine& /*line*/, Options& options) {
  const BlockOptions& blocks = options.blocks;
  const bool has_memory_blocks = !blocks.memory_blocks.empty();
  if (has_memory_blocks && blocks.is_of_cma)
    return usage_error("--cma and --memory-block contradict each other", "give one of them");
  if (has_memory_blocks && blocks.order)
    return usage_error("--order and --memory-block contradict each other",
                       "blocks of memory have a size of their own");
  if ((has_memory_blocks || blocks.is_of_cma) && !options.filter.pfns.is_empty())
    return usage_error(fmt::format("--pfn and {} contradict each other",
                                   blocks.is_of_cma ? "--cma" : "--memory-block"),
                       "give one of them");
  return {};
}

Status check_unpin(const CommandLine& /*line*/, Options& options) {
  if (options.pin.wants_all && !options.pin.names.empty())
    return usage_error("--all takes no NAME");
  if (options.pin.names.empty() && !options.pin.wants_all)
    return usage_error("unpin needs a NAME or --all");
  return {};
}

Status read_ignored_functions(const std::string& path, Options& options) {
  auto text = read_file(path, kIgnoreBytesMax);
  if (!text) return fail(std::move(text).error().in("--ignore"));
  auto patterns = parse_ignored_functions(*text);
  if (!patterns) return fail(std::move(patterns).error().in("--ignore " + path));
  return set(options.top.ignored_functions, *std::move(patterns));
}

/// Every command that makes rows has these options.
Status check_rows(const CommandLine& line, Options& options) {
  const auto& fields = options.top.fields;
  if (options.top.depth &&
      std::find(fields.begin(), fields.end(), GroupField::kStack) == fields.end())
    return usage_error("--depth is about stacks, which --by does not name", "add stack to --by");
  if (options.top.count && !options.top.interval)
    return usage_error("--count is of intervals, but there is no --watch", "add --watch SEC");
  if (options.top.sort == SortKey::kGrowth && !options.top.interval)
    return usage_error("--sort growth needs --watch, as nothing grows in one look",
                       "add --watch SEC, or compare snapshots");
  if (const std::string* path = line.value("ignore"))
    if (auto status = read_ignored_functions(*path, options); !status) return status;
  if (options.command == Command::kReport && options.top.interval)
    return usage_error("a snapshot does not change: there is nothing to --watch");
  return {};
}

/// Files are named, or --latest chooses them.
Status check_diff(const CommandLine& line, Options& options) {
  DiffOptions& diff = options.diff;
  const std::uint32_t nr_min = diff.finds_leaks ? 3 : 2;
  if (const std::string* latest = line.value("latest")) {
    if (!diff.paths.empty())
      return usage_error("--latest chooses the snapshots: no files are named");
    diff.nr_latest = nr_min;
    if (!latest->empty())
      if (auto status = put(diff.nr_latest, number_between(*latest, nr_min, kLatestMax)); !status)
        return fail(std::move(status).error().in("--latest"));
    if (diff.directory.empty()) diff.directory = kDefaultDirectory;
  } else if (!diff.directory.empty()) {
    return usage_error("--dir is for --latest, which is not given", "add --latest");
  } else if (diff.finds_leaks && diff.paths.size() < 3) {
    return usage_error("--leaks needs three snapshots or more");
  } else if (!diff.finds_leaks && diff.paths.size() != 2) {
    return usage_error("diff needs two snapshots: OLD NEW",
                       diff.paths.size() > 2 ? "with --leaks it takes more" : "");
  }
  if (!diff.finds_leaks) return {};
  if (line.find("sort") != nullptr)
    return usage_error("--leaks sorts by how fast groups grow", "leave --sort out");
  return set(diff.sort, CompareKey::kSlope);
}

Status check_pressure(const CommandLine& /*line*/, Options& options) {
  if (!options.pressure.stall && !options.pressure.low)
    return usage_error("--stall none and --low-memory none leave nothing to watch for");
  return {};
}

Status check_has_output(const CommandLine& line, Options& /*options*/) {
  if (line.find("output") == nullptr)
    return usage_error(fmt::format("{} needs a file: -o FILE", line.command->name));
  return {};
}

struct CheckRow {
  Commands commands;
  Status (*check)(const CommandLine& line, Options& options);
};

constexpr CheckRow kChecks[] = {
    {of::kAll, check_output},
    {of::kAll, check_filters},
    {of::kPage | of::kReportPage, check_pages},
    {of::kUnpin, check_unpin},
    {of::kRecord | of::kImport, check_has_output},
    {of::kWatchPressure, check_pressure},
    {of::kDiff, check_diff},
    {of::kTop | of::kReportTop | of::kDiff | of::kBothBlockers, check_rows},
    {of::kBlockers, check_blocks},
};

}  // namespace

Status check_together(const CommandLine& line, Options& options) {
  for (const auto& [commands, check] : kChecks)
    if ((commands & line.command->bit) != 0)
      if (auto status = check(line, options); !status) return status;
  return {};
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

}  // namespace pobpf::cli
