// SPDX-License-Identifier: GPL-2.0-only
// From options to the running kernel: preflight, session, and a view that this machine has.
#pragma once

#include <memory>

#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "reader/session.h"
#include "util/error.h"
#include "util/output.h"

namespace pobpf::cli {

/// The preflight, and what a process does that reads the kernel's type information.
[[nodiscard]] Status check_machine();

/// The session, behind check_machine().
[[nodiscard]] Result<std::unique_ptr<Session>> load_session(const Options& options);

/// The view that the options ask for; kUsage if they name a node that has no memory here.
[[nodiscard]] Result<ReaderView> make_view(const Options& options, const Session& session);

/// Reads a session, and commits the output unless it fails.
using ReadSession = Result<ExitStatus>(Session& session, const ReaderView& view,
                                       const Options& options, Output& output);

/// Opens the session that `needed` asks for, once the preflight says that it can work, then the
/// output, and lets `read` do the rest.
[[nodiscard]] Result<ExitStatus> run_on_session(const Options& needed, ReadSession* read);

}  // namespace pobpf::cli
