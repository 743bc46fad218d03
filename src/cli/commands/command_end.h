// SPDX-License-Identifier: GPL-2.0-only
// How commands begin and end their output, whatever it is.
#pragma once

#include "cli/commands/account_report.h"
#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "util/error.h"
#include "util/output.h"

namespace pobpf::cli {

/// Where the data goes; a blocked write to it ends when a signal comes.
[[nodiscard]] Result<Output> open_output(const Options& options);

/// After a failed write: an error, unless the reader of our standard output has had enough.
[[nodiscard]] Result<ExitStatus> give_up(const Output& output, Error error);

/// Commits the output of a command that has no more to say.
[[nodiscard]] Result<ExitStatus> commit(Output& output);

/// Says what is missing.
[[nodiscard]] ExitStatus incomplete(const Error& missing, const Options& options);

/// Instead of a snapshot to a terminal.
[[nodiscard]] tl::unexpected<Error> refuse_terminal();

/// For loops that a signal has ended. Never shown: the process ends by that signal.
[[nodiscard]] Error interrupted();

/// Commits the output, prints --stats and the sentence about what is missing.
[[nodiscard]] Result<ExitStatus> finish(Output& output, const Account& account,
                                        const Losses& losses, const Options& options);

/// The rest of finish(), once the output is committed.
[[nodiscard]] ExitStatus conclude(const Account& account, const Losses& losses,
                                  const Options& options);

}  // namespace pobpf::cli
