// SPDX-License-Identifier: GPL-2.0-only
// Pages of a session into a snapshot, wherever that goes.
#pragma once

#include <cstdint>
#include <functional>

#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "model/account.h"
#include "reader/session.h"
#include "snapshot/snapshot_header.h"
#include "util/error.h"
#include "util/output.h"

namespace pobpf::cli {

/// Tells what is in a snapshot, and what it lacks though all pages are in it.
struct Recording {
  Account account;
  std::uint64_t nr_unreadable = 0;  ///< stacks and cgroups
  Error first_unreadable;           ///< valid if `nr_unreadable` is not 0
};

/// Writes a whole snapshot, which the caller commits. `check`, if there is one, is asked after each
/// part; an error of it ends the recording.
[[nodiscard]] Result<Recording> write_recording(Session& session, const ReaderView& view,
                                                const SnapshotHeader& header,
                                                const Options& options, Output& output,
                                                const std::function<Status()>& check = {});

/// Prints --stats and what is missing, once the snapshot is committed.
[[nodiscard]] ExitStatus end_recording(const Recording& recording, const Options& options);

/// `options` with what recording needs of a session.
[[nodiscard]] Options recording_options(const Options& options);

}  // namespace pobpf::cli
