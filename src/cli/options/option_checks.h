// SPDX-License-Identifier: GPL-2.0-only
// Checks that concern several options of a command, once each has been understood by itself.
#pragma once

#include "cli/options/command_line.h"
#include "cli/options/options.h"

namespace pobpf::cli {

/// kUsage for what contradicts or lacks something else. Reads the file of --ignore, last of all.
[[nodiscard]] Status check_together(const CommandLine& line, Options& options);

}  // namespace pobpf::cli
