// SPDX-License-Identifier: GPL-2.0-only
// One snapshot of a session that is open, into a directory. A session may be used again and again.
#pragma once

#include <string>

#include "archive/snapshot_directory.h"
#include "cli/commands/recording.h"
#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf::cli {

struct TakenSnapshot {
  Recording recording;
  RetentionReport retention;
};

/// Records what `view` shows into `place`, which SnapshotDirectory::begin() gave; its path() is the
/// file. Of `options` those of recording count. An error means that nothing came or went.
[[nodiscard]] Result<TakenSnapshot> take_snapshot(Session& session, const ReaderView& view,
                                                  const Options& options, NewSnapshot& place);

/// Says what was removed, each with its reason, and what was not. `is_done`: it was; else it would
/// be. kIncomplete if something could not be removed, which is said too.
[[nodiscard]] ExitStatus report_retention(const RetentionReport& report, bool is_done,
                                          const Options& options);

/// Both, with what the recording lacks and --stats.
[[nodiscard]] Result<ExitStatus> take_and_report(Session& session, const ReaderView& view,
                                                 const Options& options, NewSnapshot& place);

/// One line on stdout, for scripts; the snapshot is safe whatever becomes of it.
[[nodiscard]] Result<ExitStatus> print_path(const std::string& path);

}  // namespace pobpf::cli
