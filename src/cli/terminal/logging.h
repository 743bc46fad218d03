// SPDX-License-Identifier: GPL-2.0-only
// Messages on stderr are "pobpf: <message>" lines, or one JSON object a line. The journal is told
// the priority of each.
#pragma once

#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "util/error.h"

namespace pobpf::cli {

/// Sets up the default logger. Errors are always shown; warnings unless `is_quiet`; what was found
/// out about the kernel with `verbosity` 1, all of libbpf's messages with 2.
void set_up_logging(Format format, bool is_quiet, int verbosity);

/// From now on information is shown too, unless the user has said how much to show.
void show_news(const Options& options);

/// One line: what happened and what to do about it. In JSON also the kind of error and the exit
/// status that follows.
void report(const Error& error, ExitStatus status, Format format);

}  // namespace pobpf::cli
