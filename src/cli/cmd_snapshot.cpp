// SPDX-License-Identifier: GPL-2.0-only
// pobpf snapshot: one more recording in a directory, and older ones out of it.
#include <spdlog/spdlog.h>

#include <chrono>
#include <string>

#include "archive/snapshot_directory.h"
#include "cli/command_end.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/open_session.h"
#include "cli/recording_header.h"
#include "cli/take_snapshot.h"
#include "format/escape.h"

namespace pobpf::cli {
namespace {

/// What was removed is news of this command, not detail.
void show_removals(const Options& options) {
  if (!options.is_quiet && options.verbosity == 0) spdlog::set_level(spdlog::level::info);
}

Result<ExitStatus> plan_removals(const Options& options) {
  auto directory =
      SnapshotDirectory::open(options.archive.directory, SnapshotDirectory::Missing::kFail);
  if (!directory) return fail(std::move(directory).error());
  auto plan = directory->plan(options.archive.policy, host_name(), wall_clock_ns());
  if (!plan) return fail(std::move(plan).error());
  return report_retention(*plan, false, options);
}

/// For scripts; the snapshot is safe whatever becomes of this line.
Result<ExitStatus> print_path(const std::string& path) {
  Output output = Output::to_stdout(is_interrupted);
  if (output.is_terminal())
    append_escaped(output.buffer(), path);
  else
    output.buffer() += path;
  output.buffer() += '\n';
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  return ExitStatus::kComplete;
}

}  // namespace

Result<ExitStatus> run_snapshot(const Options& options) {
  show_removals(options);
  if (options.archive.is_dry_run) return plan_removals(options);
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  auto directory =
      SnapshotDirectory::open(options.archive.directory, SnapshotDirectory::Missing::kCreate);
  if (!directory) return fail(std::move(directory).error());
  // before programs are loaded, which take memory while this one waits
  auto place =
      directory->begin(options.archive.policy, host_name(), options.archive.wait, is_interrupted);
  if (!place) return fail(std::move(place).error());
  auto session = load_session(recording_options(options));
  if (!session) return fail(std::move(session).error());
  auto view = make_view(options, **session);
  if (!view) return fail(std::move(view).error());
  auto ended = take_and_report(**session, *view, options, *place);
  if (!ended) return ended;
  auto printed = print_path(place->path());
  return printed ? ended : printed;
}

}  // namespace pobpf::cli
