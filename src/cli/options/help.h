// SPDX-License-Identifier: GPL-2.0-only
// The text that --help prints of a command.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/options/option_table.h"

namespace pobpf::cli {

[[nodiscard]] std::string help_text(const CommandRow& command);

/// Breaks between words, so that no line has more columns; `next_line` stands in place of a break.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns,
                                  std::string_view next_line);

/// "[OPTIONS] FILE [PFN...]": what follows the name of the command.
[[nodiscard]] std::string usage_of(const CommandRow& command);

}  // namespace pobpf::cli
