// SPDX-License-Identifier: GPL-2.0-only
// The text that --help prints of a command.
#pragma once

#include <string>

#include "cli/options/option_table.h"

namespace pobpf::cli {

[[nodiscard]] std::string help_text(const CommandRow& command);

/// "[OPTIONS] FILE [PFN...]": what follows the name of the command.
[[nodiscard]] std::string usage_of(const CommandRow& command);

}  // namespace pobpf::cli
