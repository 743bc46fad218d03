// SPDX-License-Identifier: GPL-2.0-only
// --format: which commands have which formats.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "pobpf/error.h"

namespace pobpf::cli {

/// Formats that a command has.
enum class Formats {
  kTextJson,
  kRows,      ///< of sums: csv as well
  kPages,     ///< of pages of the running kernel: csv as well
  kSnapshot,  ///< of pages of a snapshot: csv and sqlite as well
};

[[nodiscard]] Formats formats_of(Command command, ReportView view);

/// What --help says of the option.
[[nodiscard]] const char* format_description(Formats formats);

/// The values it takes.
[[nodiscard]] std::vector<std::string> format_names(Formats formats);

/// `has_file`: -o names a file. kUsage for a name that is none of `formats`.
[[nodiscard]] Result<Format> parse_format_name(const std::string& name, Formats formats,
                                               bool has_file);

}  // namespace pobpf::cli
