// SPDX-License-Identifier: GPL-2.0-only
// From options to the running kernel: preflight, session, and a view that this machine has.
#pragma once

#include <memory>

#include "cli/options/options.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf::cli {

/// The preflight, and what a process does that reads the kernel's type information.
[[nodiscard]] Status check_machine();

/// The session, once the preflight says that it can work.
[[nodiscard]] Result<std::unique_ptr<Session>> open_session(const Options& options);

/// The session alone, behind check_machine().
[[nodiscard]] Result<std::unique_ptr<Session>> load_session(const Options& options);

/// The view that the options ask for; kUsage if they name a node that has no memory here.
[[nodiscard]] Result<ReaderView> make_view(const Options& options, const Session& session);

}  // namespace pobpf::cli
