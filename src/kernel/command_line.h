// SPDX-License-Identifier: GPL-2.0-only
// The kernel's command line, read as the kernel reads it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pobpf {

struct KernelParameter {
  std::string name;
  std::optional<std::string> value;  ///< no value: no '=' was given
};

/// Splits like lib/cmdline.c: next_arg(): double quotes protect spaces, and `--` ends the
/// parameters that are the kernel's own.
[[nodiscard]] std::vector<KernelParameter> parse_command_line(std::string_view text);

/// lib/kstrtox.c: kstrtobool(): the first one or two characters decide.
[[nodiscard]] std::optional<bool> parse_kernel_bool(std::string_view text);

/// The result of a switch like page_owner=, when its handler uses kstrtobool().
struct KernelSwitch {
  /// No value: never given in a form that the kernel understands.
  std::optional<bool> value;
  /// The parameter as it was given, for messages: the one that decided, else the last one.
  std::string text;
};

/// The last occurrence with a valid value wins; '-' and '_' are the same in names.
[[nodiscard]] KernelSwitch find_switch(const std::vector<KernelParameter>& parameters,
                                       std::string_view name);

}  // namespace pobpf
