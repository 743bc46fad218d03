// SPDX-License-Identifier: GPL-2.0-only
// A command line taken apart into rows of the table and their values. Nothing is refused here.
#pragma once

#include <string>
#include <vector>

#include "cli/options/option_table.h"

namespace pobpf::cli {

struct GivenOption {
  const OptionRow* row;
  bool is_not = false;              ///< --not-NAME
  std::vector<std::string> values;  ///< empty ones for an option without a value
};

struct CommandLine {
  const CommandRow* command;  ///< its options follow
  /// In the order of the table; those in front of the command and those of settings follow.
  std::vector<GivenOption> options;
  std::vector<GivenOption> in_front;  ///< options of the commands above it
  std::vector<std::string> extras;    ///< words that none of them takes
  /// The option or argument that would take one more word; nullptr if none would.
  const OptionRow* next = nullptr;
  bool next_is_not = false;

  [[nodiscard]] GivenOption* find(const OptionRow& row, bool is_not = false);
  /// By "keep", the name of the row.
  [[nodiscard]] const GivenOption* find(std::string_view name) const;
  /// The value of an option that is given once; nullptr if it is not given.
  [[nodiscard]] const std::string* value(std::string_view name) const;
};

/// `arguments` are those behind the program's name.
[[nodiscard]] CommandLine read_command_line(const std::vector<std::string>& arguments);

}  // namespace pobpf::cli
