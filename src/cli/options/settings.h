// SPDX-License-Identifier: GPL-2.0-only
// Settings files (TOML): values of options that the command line leaves open.
//
//   quiet = true         an option of pobpf without a command
//   [snapshot]           of pobpf snapshot
//   keep = 48
//   [report.top]         of pobpf report top
//   by = "tgid,comm"
//
// Keys are the long names of options. true gives an option that takes no value, false does not; an
// array is a list: by = ["tgid", "comm"] is the same as above.
#pragma once

#include <string>
#include <vector>

#include "cli/options/command_line.h"

namespace pobpf::cli {

/// A value that a file has for one option of one command.
struct Setting {
  const CommandRow* command;
  GivenOption given;
  unsigned line;
  bool is_applied = false;
};

class Settings {
 public:
  /// kUsage, with file and line, for a file that is not TOML, and for keys and kinds of values that
  /// no command has; kFailed with os_errno if the file cannot be read.
  [[nodiscard]] static Result<Settings> read(const std::string& path);

  /// Gives each option of the command that is not given.
  void apply(CommandLine& line);

  /// Puts file and line in front of an error about an option that apply() has given.
  [[nodiscard]] Error blame(Error error) const;

  /// The options that apply() has given, for a log.
  [[nodiscard]] std::vector<std::string> applied() const;

 private:
  std::string path_;
  std::vector<Setting> settings_;
};

}  // namespace pobpf::cli
