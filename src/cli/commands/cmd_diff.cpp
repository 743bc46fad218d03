// SPDX-License-Identifier: GPL-2.0-only
// pobpf diff: what changed between snapshots, matched by what stacks are rather than by their
// numbers, so that it works across reboots and hosts.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "archive/listing.h"
#include "archive/snapshot_directory.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/counted.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "cli/terminal/progress_meter.h"
#include "cli/terminal/screen.h"
#include "snapshot/format.h"
#include "snapshot/snapshot_pair.h"
#include "sum/comparison.h"

namespace pobpf::cli {
namespace {

using Snapshots = std::vector<std::unique_ptr<SnapshotSession>>;

constexpr double kNsAnHour = 3600e9;

/// The files that --latest means.
Result<std::vector<std::string>> find_latest(const DiffOptions& options) {
  auto directory = SnapshotDirectory::open(options.directory, SnapshotDirectory::Missing::kFail);
  if (!directory) return fail(std::move(directory).error());
  auto listing = list_snapshots(*directory, is_interrupted);
  if (!listing) return fail(std::move(listing).error());
  auto latest = choose_latest(*listing, *options.nr_latest, options.directory);
  if (!latest) return fail(std::move(latest).error());
  if (latest->nr_other_filters != 0)
    spdlog::warn(counted(latest->nr_other_filters,
                         "younger snapshot with other filters is left out",
                         "younger snapshots with other filters are left out"));
  std::vector<std::string> paths;
  for (const std::string& file : latest->files) paths.push_back(directory->path() / file);
  if (!options.finds_leaks) paths.erase(paths.begin() + 1, paths.end() - 1);
  for (const std::string& path : paths) spdlog::debug("compares {}", path);
  return paths;
}

Result<Snapshots> open_all(const Options& options) {
  Snapshots snapshots;
  for (const std::string& path : options.diff.paths) {
    auto snapshot = SnapshotSession::open(path, damage_policy(options));
    if (!snapshot) return fail(std::move(snapshot).error());
    snapshots.push_back(*std::move(snapshot));
  }
  return snapshots;
}

/// When each was recorded, in hours; all by one clock, each after the one before.
Result<std::vector<double>> hours_of(const Snapshots& snapshots, const Options& options) {
  const SnapshotHeader& first = snapshots.front()->header();
  bool is_one_boot = !first.boot_id.empty();
  for (const auto& snapshot : snapshots)
    is_one_boot = is_one_boot && snapshot->header().boot_id == first.boot_id &&
                  snapshot->header().local_clock_ns.has_value();
  std::vector<double> hours;
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    const SnapshotHeader& header = snapshots[i]->header();
    const auto clock = is_one_boot ? header.local_clock_ns : header.wall_clock_ns;
    if (!clock)
      return fail(ErrorKind::kFailed,
                  fmt::format("{} does not say when it was recorded", options.diff.paths[i]),
                  "compare two at a time, without --leaks");
    hours.push_back(static_cast<double>(*clock) / kNsAnHour);
    if (i != 0 && hours[i] <= hours[i - 1])
      return fail(ErrorKind::kUsage,
                  fmt::format("{} is not younger than {}", options.diff.paths[i],
                              options.diff.paths[i - 1]),
                  "give the oldest first");
  }
  return hours;
}

/// Snapshots that were recorded with different filters differ for that alone.
void warn_of_filters(const Snapshots& snapshots, const Options& options) {
  for (std::size_t i = 1; i < snapshots.size(); ++i) {
    const std::string& a = snapshots.front()->header().filters;
    const std::string& b = snapshots[i]->header().filters;
    if (a == b) continue;
    const auto shown = [](const std::string& filters) {
      return filters.empty() ? "none" : filters;
    };
    spdlog::warn("{} was recorded with other filters ({}) than {} ({})", options.diff.paths[i],
                 shown(b), options.diff.paths.front(), shown(a));
  }
}

const std::string& key_of_row(const RowSet& set, std::uint32_t group) {
  return set.rows[group == kOtherGroup ? set.row_of_group.back() : set.row_of_group[group]].key;
}

/// Pages whose row changed have left one and come to the other.
PagesByRow stayed_in_rows(const std::vector<StayedPages>& stayed, const RowSet& before,
                          const RowSet& after) {
  PagesByRow result;
  for (const StayedPages& pages : stayed) {
    const std::string& key = key_of_row(before, pages.group_before);
    if (key == key_of_row(after, pages.group_after)) result[key] += pages.pages;
  }
  return result;
}

class Diff {
 public:
  Diff(Snapshots& snapshots, const Options& options, Output& output)
      : snapshots_(snapshots), options_(options), output_(output) {
    grouping_.fields = options.top.fields;
    // handles are numbers of one boot
    grouping_.depth = options.top.depth;
    if (grouping_.has_stack() && !grouping_.depth) grouping_.depth = kStackDepthMax;
    grouping_.stacks = &stacks_;
    grouping_.ignored_functions = options.top.ignored_functions;
    request_.group_by = grouping_.kernel_fields();
    request_.groups_max = options.groups_max;
    style_.page_bytes = snapshots.back()->page_bytes();
    style_.is_exact = options.top.is_exact;
    style_.is_full = options.top.is_full;
    style_.is_terminal = output.is_terminal();
  }

  Result<ExitStatus> run() {
    auto rows = options_.diff.finds_leaks ? compare_series() : compare_pair();
    if (!rows) return fail(std::move(rows).error());
    rank(*rows, options_.diff.sort, row_limit(options_));
    if (options_.format == Format::kJson) {
      // as they come, as there may be many
      for (ComparedRow& row : *rows) {
        row.row.frames = frames_of(row.row);
        append_comparison_json(output_.buffer(), {std::move(row)}, grouping_, style_,
                               options_.diff.finds_leaks);
        if (auto status = output_.flush_if_full(); !status)
          return give_up(output_, std::move(status).error());
      }
    } else {
      if (output_.is_terminal())
        if (const auto size = screen_size()) style_.width = size->columns;
      const RowSource source{[](const Row& row) { return frames_of(row); },
                             [&] { return output_.flush_if_full(); }};
      if (auto status = append_comparison(output_.buffer(), *rows, grouping_, style_,
                                          options_.diff.finds_leaks, source);
          !status)
        return give_up(output_, std::move(status).error());
    }
    auto ended = finish(output_, account_, losses_, options_);
    if (!ended || *ended != ExitStatus::kComplete) return ended;
    return end_of_salvage();
  }

 private:
  /// Rows of sums, whose account is added to all.
  RowSet rows_of(const GroupSums& sums, SnapshotSession& session) {
    account_.add(sums.account);
    auto rows =
        make_rows(sums, grouping_, session, [&](Error error) { losses_.add(std::move(error)); });
    losses_.ungrouped_pages += ungrouped_pages(rows.rows);
    losses_.is_file_too_small |= sums.is_file_too_small || rows.is_full;
    return rows;
  }

  Result<std::vector<ComparedRow>> compare_pair() {
    SnapshotSession& before = *snapshots_.front();
    SnapshotSession& after = *snapshots_.back();
    auto view = make_view(options_, after);
    if (!view) return fail(std::move(view).error());
    auto pair = [&] {
      ProgressMeter meter(options_, false);
      return sum_pair(before, after, *view, request_, meter.callback());
    }();
    if (!pair) return fail(std::move(pair).error());
    RowSet rows_before = rows_of(pair->before, before);
    RowSet rows_after = rows_of(pair->after, after);
    // there may be a million of each
    pair->before = pair->after = {};
    std::optional<PagesByRow> stayed;
    if (pair->stayed)
      stayed = stayed_in_rows(*pair->stayed, rows_before, rows_after);
    else
      spdlog::warn("which pages were born, which are gone and which stayed cannot be told: {}",
                   pair->why_not_stayed);
    std::vector<std::vector<Row>> moments;
    moments.push_back(std::move(rows_before.rows));
    moments.push_back(std::move(rows_after.rows));
    return compare_rows(std::move(moments), stayed);
  }

  Result<std::vector<ComparedRow>> compare_series() {
    auto hours = hours_of(snapshots_, options_);
    if (!hours) return fail(std::move(hours).error());
    std::vector<std::vector<Row>> moments;
    for (auto& snapshot : snapshots_) {
      auto view = make_view(options_, *snapshot);
      if (!view) return fail(std::move(view).error());
      ProgressMeter meter(options_, false);
      auto sums = snapshot->sum_groups(*view, request_, meter.callback());
      if (!sums) return fail(std::move(sums).error());
      moments.push_back(rows_of(*sums, *snapshot).rows);
    }
    auto rows = compare_rows(std::move(moments), std::nullopt);
    const std::uint64_t nr_others = keep_growing(rows);
    spdlog::info("{} of {} groups grew and never shrank", rows.size(), rows.size() + nr_others);
    for (ComparedRow& row : rows) row.pages.resize(hours->size());
    set_slopes(rows, *hours);
    return rows;
  }

  Result<ExitStatus> end_of_salvage() {
    for (const auto& snapshot : snapshots_) {
      if (snapshot->losses().is_empty()) continue;
      return incomplete(describe_losses(snapshot->losses()), options_);
    }
    return ExitStatus::kComplete;
  }

  Snapshots& snapshots_;
  const Options& options_;
  Output& output_;
  StackIndex stacks_;
  Grouping grouping_;
  SumRequest request_;
  RowStyle style_;
  Account account_;
  Losses losses_;
};

}  // namespace

Result<ExitStatus> print_diff(std::vector<std::unique_ptr<SnapshotSession>>& snapshots,
                              const Options& options, Output& output) {
  return Diff(snapshots, options, output).run();
}

Result<ExitStatus> run_diff(const Options& options) {
  Options chosen = options;
  if (options.diff.nr_latest) {
    auto paths = find_latest(options.diff);
    if (!paths) return fail(std::move(paths).error());
    chosen.diff.paths = *std::move(paths);
  }
  auto snapshots = open_all(chosen);
  if (!snapshots) return fail(std::move(snapshots).error());
  warn_of_filters(*snapshots, chosen);
  auto output = open_output(chosen);
  if (!output) return fail(std::move(output).error());
  return print_diff(*snapshots, chosen, *output);
}

}  // namespace pobpf::cli
