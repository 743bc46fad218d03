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

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "pobpf/error.h"

namespace pobpf::cli {

class CommandLine;

class Settings {
 public:
  /// `line` says which keys there are; it must live longer. kUsage, with file and line, for a file
  /// that is no TOML, and for keys and kinds of values that no command has; kFailed with os_errno
  /// if the file cannot be read.
  [[nodiscard]] static Result<Settings> read(const std::string& path, CommandLine& line);

  /// Gives each option of `command` (nullptr: of `app`) that was given neither behind it nor in
  /// front of it. kUsage, with file and line, for what the option refuses.
  [[nodiscard]] Status apply(const CLI::App* command);

  /// Puts file and line in front of an error about an option that apply() has given.
  [[nodiscard]] Error blame(Error error) const;

  /// What apply() has given, for a log.
  [[nodiscard]] std::vector<std::string> applied() const;

 private:
  struct Setting {
    const CLI::App* command;
    CLI::Option* option;
    std::string key;
    std::vector<std::string> values;  ///< as CLI11 wants them
    unsigned line;
    bool is_applied = false;
  };
  class Collector;

  [[nodiscard]] std::string place(unsigned line) const;

  std::string path_;
  std::vector<Setting> settings_;
};

}  // namespace pobpf::cli
