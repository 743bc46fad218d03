// SPDX-License-Identifier: GPL-2.0-only
// pobpf list: the snapshots of a directory, without reading their pages.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "archive/listing.h"
#include "archive/snapshot_name.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/counted.h"
#include "cli/commands/recording_header.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "format/json_writer.h"
#include "format/text_table.h"
#include "sum/row_output.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

const char* state_name(SnapshotState state) {
  switch (state) {
    case SnapshotState::kComplete:
      return "complete";
    case SnapshotState::kIncomplete:
      return "incomplete";
    case SnapshotState::kDamaged:
      return "damaged";
    case SnapshotState::kUnreadable:
      break;
  }
  return "unreadable";
}

/// Escaped, and a hyphen for nothing.
std::string cell(std::string_view text) { return text.empty() ? "-" : escaped(text); }

std::string age_cell(const ListedSnapshot& snapshot, std::uint64_t now_ns) {
  if (!snapshot.time_ns) return "-";
  return *snapshot.time_ns > now_ns ? "future" : age_text(now_ns - *snapshot.time_ns);
}

constexpr std::ptrdiff_t kReasonColumn = 8;

std::vector<std::string> cells_of(const ListedSnapshot& snapshot, std::uint64_t now_ns) {
  constexpr std::size_t kBootDigits = 8;
  return {snapshot.time_ns ? utc_text(*snapshot.time_ns, false) : "-",
          age_cell(snapshot, now_ns),
          cell(snapshot.host),
          cell(snapshot.boot_id.substr(0, kBootDigits)),
          cell(snapshot.kernel_release),
          size_text(snapshot.bytes),
          snapshot.nr_pages ? fmt::format("{}", *snapshot.nr_pages) : "-",
          state_name(snapshot.state),
          cell(snapshot.reason),
          cell(snapshot.file)};
}

void write_members(JsonWriter& json, const ListedSnapshot& snapshot, const std::string& directory) {
  json.member("file", snapshot.file);
  json.member("directory", directory);
  if (snapshot.time_ns) {
    json.member("time", utc_text(*snapshot.time_ns, true));
    json.member("time_ns", *snapshot.time_ns);
  }
  const std::pair<const char*, const std::string&> texts[] = {
      {"host", snapshot.host},
      {"boot_id", snapshot.boot_id},
      {"kernel_release", snapshot.kernel_release}};
  for (const auto& [name, text] : texts)
    if (!text.empty()) json.member(name, text);
  json.member("filters", snapshot.filters);
  if (!snapshot.reason.empty()) json.member("reason", snapshot.reason);
  json.member("bytes", snapshot.bytes);
  if (snapshot.nr_pages) json.member("nr_records", *snapshot.nr_pages);
  json.member("state", state_name(snapshot.state));
  if (!snapshot.why.empty()) json.member("why", snapshot.why);
  json.member("is_removable", snapshot.is_removable);
}

void warn_of_others(const Listing& listing, const std::string& directory) {
  if (listing.nr_temporaries != 0)
    spdlog::warn("{} has {}, still written or left by a killed run", directory,
                 counted(listing.nr_temporaries, "unfinished snapshot", "unfinished snapshots"));
  if (listing.nr_others != 0)
    spdlog::warn("{} has {}, not shown", directory,
                 counted(listing.nr_others, "other file", "other files"));
}

}  // namespace

void append_listing(std::string& out, const Listing& listing, std::uint64_t now_ns) {
  if (listing.snapshots.empty()) return;
  std::vector<TableColumn> columns{{"TIME"},   {"AGE"},        {"HOST"},          {"BOOT"},
                                   {"KERNEL"}, {"SIZE", true}, {"RECORDS", true}, {"STATE"},
                                   {"REASON"}, {"FILE"}};
  const auto& snapshots = listing.snapshots;
  const bool has_reason =
      std::any_of(snapshots.begin(), snapshots.end(),
                  [](const ListedSnapshot& snapshot) { return !snapshot.reason.empty(); });
  if (!has_reason) columns.erase(columns.begin() + kReasonColumn);
  TextTable table(std::move(columns));
  const auto add_row = [&](std::vector<std::string> cells) {
    if (!has_reason) cells.erase(cells.begin() + kReasonColumn);
    table.add_row(std::move(cells));
  };
  std::uint64_t bytes = 0;
  for (const ListedSnapshot& snapshot : snapshots) {
    add_row(cells_of(snapshot, now_ns));
    bytes += snapshot.bytes;
  }
  add_row({"(total)", "", "", "", "", size_text(bytes), "", "", "",
           fmt::format("({})", counted(snapshots.size(), "snapshot", "snapshots"))});
  table.append(out);
}

Result<ExitStatus> run_list(const Options& options) {
  const std::string& name = options.archive.directory;
  auto directory = SnapshotDirectory::open(name, SnapshotDirectory::Missing::kFail);
  if (!directory) return fail(std::move(directory).error());
  auto listing = list_snapshots(*directory, is_interrupted);
  if (!listing) return fail(std::move(listing).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  if (options.format == Format::kJson)
    for (const ListedSnapshot& snapshot : listing->snapshots)
      append_json(output->buffer(), [&](JsonWriter& json) { write_members(json, snapshot, name); });
  else
    append_listing(output->buffer(), *listing, wall_clock_ns());
  if (auto status = output->commit(); !status) return give_up(*output, std::move(status).error());
  warn_of_others(*listing, name);
  const auto is_unreadable = [](const ListedSnapshot& snapshot) {
    return snapshot.state == SnapshotState::kUnreadable;
  };
  const auto& snapshots = listing->snapshots;
  const auto first = std::find_if(snapshots.begin(), snapshots.end(), is_unreadable);
  if (first == snapshots.end()) return ExitStatus::kComplete;
  const auto nr_unreadable = std::count_if(first, snapshots.end(), is_unreadable);
  return incomplete(
      {ErrorKind::kFailed,
       fmt::format("finished, but {} could not be read, of which the first: {}",
                   counted(static_cast<std::uint64_t>(nr_unreadable), "file", "files"), first->why),
       {},
       0},
      options);
}

}  // namespace pobpf::cli
