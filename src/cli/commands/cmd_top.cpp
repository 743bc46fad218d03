// SPDX-License-Identifier: GPL-2.0-only
// pobpf top: who has the memory, and who grows, summed up in the kernel.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/commands/account_report.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/progress_meter.h"
#include "cli/terminal/screen.h"
#include "sum/growth.h"
#include "sum/ranking.h"
#include "sum/row_output.h"
#include "sum/rows.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

using std::chrono::system_clock;

/// Key `f` goes through these.
constexpr GroupField kFieldCycle[] = {
    GroupField::kStack,  GroupField::kFunction, GroupField::kAllocator,
    GroupField::kModule, GroupField::kComm,     GroupField::kTgid,
    GroupField::kMemcg,  GroupField::kOrder,    GroupField::kNid};

class Top {
 public:
  Top(Session& session, const ReaderView& view, const Options& options, Output& output)
      : session_(session),
        view_(view),
        options_(options),
        output_(output),
        is_watching_(options.top.interval.has_value()),
        sort_(options.top.sort) {
    grouping_.fields = options.top.fields;
    grouping_.depth = options.top.depth;
    grouping_.ignored_functions = options.top.ignored_functions;
    // the order can become age while it runs
    grouping_.wants_age = sort_ == SortKey::kAge || is_watching_;
    style_.page_bytes = session.page_bytes();
    style_.is_exact = options.top.is_exact;
    style_.is_full = options.top.is_full;
    style_.with_age = grouping_.wants_age;
    style_.with_growth = is_watching_;
    style_.is_terminal = output.is_terminal();
  }

  Result<ExitStatus> run() {
    if (!is_watching_) {
      if (auto status = look(); !status) return give_up(output_, std::move(status).error());
      return end();
    }
    const Keyboard keyboard;
    for (std::size_t nr_looks = 1;; ++nr_looks) {
      next_ = std::chrono::steady_clock::now() + *options_.top.interval;
      if (auto status = look(); !status) return give_up(output_, std::move(status).error());
      if (auto status = output_.flush(); !status)
        return give_up(output_, std::move(status).error());
      if (options_.top.count && nr_looks >= *options_.top.count) break;
      if (!wait(keyboard)) break;
    }
    if (is_interrupted()) return fail(interrupted());
    return end();
  }

 private:
  /// Until the next look; false if it is over.
  bool wait(const Keyboard& keyboard) {
    while (!is_interrupted()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          next_ - std::chrono::steady_clock::now());
      if (left.count() <= 0) return true;
      const auto key = keyboard.wait(left);
      if (!key) continue;
      if (*key == 'q') return false;
      if (*key == ' ') return true;
      // records keep their order and their columns
      if (options_.format != Format::kText) continue;
      if (*key == 's') {
        constexpr SortKey kCycle[] = {SortKey::kPages, SortKey::kAllocations, SortKey::kGrowth,
                                      SortKey::kAge};
        sort_ = following(kCycle, sort_);
        return true;
      }
      if (*key == 'f') {
        grouping_.fields = {following(kFieldCycle, grouping_.fields.front())};
        growth_.reset();
        first_pages_.reset();
        return true;
      }
    }
    return false;
  }

  template <typename T, std::size_t kSize>
  static T following(const T (&cycle)[kSize], T current) {
    const auto* const found = std::find(std::begin(cycle), std::end(cycle), current);
    return found == std::end(cycle) || found + 1 == std::end(cycle) ? cycle[0] : found[1];
  }

  Status look() {
    SumRequest request;
    request.group_by = grouping_.kernel_fields();
    request.nr_threads = options_.nr_threads;
    request.groups_max = options_.groups_max;
    auto sums = [&] {
      ProgressMeter meter(options_, is_watching_ && output_.is_terminal());
      return session_.sum_groups(view_, request, meter.callback());
    }();
    if (!sums) return fail(std::move(sums).error());
    // what an earlier look lacks is missing from what was printed, too
    account_.add(sums->account);
    losses_.sums_without_allocations += sums->nr_without_allocations;
    const auto on_error = [&](Error error) { losses_.add(std::move(error)); };
    RowSet row_set = make_rows(*sums, grouping_, session_, on_error);
    std::vector<Row> rows = std::move(row_set.rows);
    losses_.ungrouped_pages += ungrouped_pages(rows);
    losses_.is_file_too_small |= sums->is_file_too_small || row_set.is_full;
    // there may be many of them
    *sums = {};
    Row total = total_of(rows);
    style_.total_pages = total.pages;
    if (is_watching_) {
      growth_.update(rows);
      if (!first_pages_) first_pages_ = last_pages_ = total.pages;
      total.change = static_cast<std::int64_t>(total.pages - last_pages_);
      total.growth = static_cast<std::int64_t>(total.pages - *first_pages_);
      last_pages_ = total.pages;
    }
    if (style_.with_age) {
      auto now = session_.now_ns();
      if (!now) return fail(std::move(now).error());
      style_.now_ns = *now;
    }
    // otherwise only those that are shown need names
    StackIndex stacks;
    if (sort_ == SortKey::kFields) index_stacks(rows, session_, stacks);
    rank(rows, sort_, row_limit(options_));
    rows.push_back(std::move(total));
    return append(rows, on_error);
  }

  /// With the names of one row at a time, as all together may be far larger than the sums.
  Status append(std::vector<Row>& rows, const RowErrorCallback& on_error) {
    const auto now = system_clock::now();
    if (is_watching_)
      style_.time = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                            now.time_since_epoch())
                                            .count()) /
                    1000;
    if (options_.format == Format::kText) return append_text(rows, now, on_error);
    const bool is_csv = options_.format == Format::kCsv;
    if (is_csv && !std::exchange(has_csv_header_, true))
      append_csv_header(output_.buffer(), grouping_, style_);
    for (Row& row : rows) {
      if (is_interrupted()) return fail(interrupted());
      row.frames = frames_of(row, session_, on_error);
      (is_csv ? append_csv_rows : append_json_rows)(output_.buffer(), {std::move(row)}, grouping_,
                                                    style_);
      if (auto status = output_.flush_if_full(); !status) return status;
    }
    return {};
  }

  Status append_text(const std::vector<Row>& rows, system_clock::time_point now,
                     const RowErrorCallback& on_error) {
    const RowSource source{[&](const Row& row) { return frames_of(row, session_, on_error); },
                           [&]() -> Status {
                             if (is_interrupted()) return fail(interrupted());
                             return output_.flush_if_full();
                           }};
    const auto size = output_.is_terminal() ? screen_size() : std::nullopt;
    if (size) style_.width = size->columns;
    if (!is_watching_) return append_table(output_.buffer(), rows, grouping_, style_, source);
    std::string text;
    std::vector<std::string> names;
    for (const GroupField field : grouping_.fields) names.emplace_back(group_field_name(field));
    fmt::format_to(std::back_inserter(text), "{:%F %T}  every {:g} s  by {}  sorted by {}{}\n",
                   fmt::localtime(system_clock::to_time_t(now)),
                   static_cast<double>(options_.top.interval->count()) / 1000,
                   fmt::join(names, ","), sort_key_name(sort_), size ? "  (q s f space)" : "");
    // a line that the terminal wraps would scroll the first one away
    if (size && text.size() > size->columns + 1)
      text.replace(size->columns, std::string::npos, "\n");
    if (auto status = append_table(text, rows, grouping_, style_, source); !status) return status;
    if (size) {
      make_harmless(text);
      output_.append_controls(screenful(text, *size));
    } else {
      output_.buffer() += text + '\n';
    }
    return {};
  }

  Result<ExitStatus> end() { return finish(output_, account_, losses_, options_); }

  Session& session_;
  const ReaderView& view_;
  const Options& options_;
  Output& output_;
  Grouping grouping_;
  RowStyle style_;
  bool is_watching_;
  SortKey sort_;
  GrowthTracker growth_;
  std::optional<std::uint64_t> first_pages_;
  std::uint64_t last_pages_ = 0;
  std::chrono::steady_clock::time_point next_;
  bool has_csv_header_ = false;
  Account account_;
  Losses losses_;  // of all looks, as account_ is
};

}  // namespace

Result<ExitStatus> print_top(Session& session, const ReaderView& view, const Options& options,
                             Output& output) {
  return Top(session, view, options, output).run();
}

Result<ExitStatus> run_top(const Options& options) {
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_pages = false;
  needed.session.with_text = false;
  needed.reads_again = options.top.interval.has_value();
  return run_on_session(needed, print_top);
}

}  // namespace pobpf::cli
