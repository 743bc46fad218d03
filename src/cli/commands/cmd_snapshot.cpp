// SPDX-License-Identifier: GPL-2.0-only
// pobpf snapshot: one more recording in a directory, and older ones out of it.
#include <string>

#include "archive/snapshot_directory.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/commands/recording_header.h"
#include "cli/commands/take_snapshot.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "reader/removed_cgroups.h"

namespace pobpf::cli {
namespace {

Result<ExitStatus> plan_removals(const Options& options) {
  auto directory =
      SnapshotDirectory::open(options.archive.directory, SnapshotDirectory::Missing::kFail);
  if (!directory) return fail(std::move(directory).error());
  auto plan = directory->plan(options.archive.policy, host_name(), wall_clock_ns());
  if (!plan) return fail(std::move(plan).error());
  return report_retention(*plan, false, options);
}

}  // namespace

Result<ExitStatus> run_snapshot(const Options& options) {
  // what is removed is news of this command, not detail
  show_news(options);
  if (options.archive.is_dry_run) return plan_removals(options);
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  auto directory =
      SnapshotDirectory::open(options.archive.directory, SnapshotDirectory::Missing::kCreate);
  if (!directory) return fail(std::move(directory).error());
  // before programs are loaded, which take memory while this one waits
  auto place =
      directory->begin(options.archive.policy, host_name(), options.archive.wait, is_interrupted);
  if (!place) return fail(std::move(place).error());
  Options needed = recording_options(options);
  if (auto status = find_removed_cgroups(needed.filter, needed.session); !status)
    return fail(std::move(status).error());
  auto session = load_session(needed);
  if (!session) return fail(std::move(session).error());
  auto view = make_view(needed, **session);
  if (!view) return fail(std::move(view).error());
  auto ended = take_and_report(**session, *view, options, *place);
  if (!ended) return ended;
  auto printed = print_path(place->path());
  return printed ? ended : printed;
}

}  // namespace pobpf::cli
