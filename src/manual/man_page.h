// SPDX-License-Identifier: GPL-2.0-only
// A command of the table as a man page.
#pragma once

#include <string>
#include <string_view>

#include "cli/options/option_table.h"

namespace pobpf::manual {

struct Edition {
  std::string version;  ///< "0.1.0"
  std::string date;     ///< "2026-11-23"
};

/// `text` so that it is printed as it stands: no character of it is a request or an escape, no
/// hyphen or quote becomes a typographic one. Lines stay lines of the source, which man(7) fills.
[[nodiscard]] std::string roff(std::string_view text);

/// "pobpf-top" of the command top, "pobpf" of the program itself.
[[nodiscard]] std::string page_name(const cli::CommandRow& command);

/// The program itself, or one of its commands with the views below it, in man(7). `prose` is what
/// --help does not say, with the lines @OPTIONS@, @EXIT STATUS@ and @EXAMPLES@ where the table's
/// belong; kFailed if one of them is missing or there twice.
[[nodiscard]] Result<std::string> man_page(const cli::CommandRow& command, const std::string& prose,
                                           const Edition& edition);

/// The prose of a command that has none of its own.
[[nodiscard]] std::string default_prose(const cli::CommandRow& command);

}  // namespace pobpf::manual
