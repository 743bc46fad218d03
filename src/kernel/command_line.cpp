// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/command_line.h"

#include <algorithm>

namespace pobpf {
namespace {

constexpr std::string_view kSpaces = " \t\n\v\f\r";

/// One parameter in the quotes it was given with.
KernelParameter parse_parameter(std::string_view text) {
  // quotes around the whole or around the value are not part of them; others stay
  if (text.starts_with('"')) {
    text.remove_prefix(1);
    if (text.ends_with('"')) text.remove_suffix(1);
  }
  // a leading '=' separates nothing: next_arg() takes index 0 for "not found yet"
  const std::size_t equals = text.find('=', 1);
  if (equals == std::string_view::npos) return {std::string(text), std::nullopt};
  std::string_view value = text.substr(equals + 1);
  if (value.starts_with('"')) {
    value.remove_prefix(1);
    if (value.ends_with('"')) value.remove_suffix(1);
  }
  return {std::string(text.substr(0, equals)), std::string(value)};
}

/// kernel/params.c: parameq()
bool is_same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char left, char right) {
    return (left == '-' ? '_' : left) == (right == '-' ? '_' : right);
  });
}

}  // namespace

std::vector<KernelParameter> parse_command_line(std::string_view text) {
  std::vector<KernelParameter> parameters;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    if (text.empty()) return parameters;
    std::size_t end = 0;
    for (bool is_quoted = false; end < text.size(); ++end) {
      if (text[end] == '"') is_quoted = !is_quoted;
      if (!is_quoted && kSpaces.find(text[end]) != std::string_view::npos) break;
    }
    auto parameter = parse_parameter(text.substr(0, end));
    if (parameter.name == "--" && !parameter.value) return parameters;
    parameters.push_back(std::move(parameter));
    text.remove_prefix(end);
  }
}

std::optional<bool> parse_kernel_bool(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr std::string_view kTrue = "yYtT1";
  constexpr std::string_view kFalse = "nNfF0";
  if (kTrue.find(text[0]) != std::string_view::npos) return true;
  if (kFalse.find(text[0]) != std::string_view::npos) return false;
  if ((text[0] != 'o' && text[0] != 'O') || text.size() < 2) return std::nullopt;
  if (text[1] == 'n' || text[1] == 'N') return true;
  if (text[1] == 'f' || text[1] == 'F') return false;
  return std::nullopt;
}

KernelSwitch find_switch(const std::vector<KernelParameter>& parameters, std::string_view name) {
  KernelSwitch result;
  for (const KernelParameter& parameter : parameters) {
    if (!is_same_name(parameter.name, name)) continue;
    const auto value = parameter.value ? parse_kernel_bool(*parameter.value) : std::nullopt;
    if (!value && result.value) continue;
    result.value = value;
    result.text = parameter.name + (parameter.value ? "=" + *parameter.value : "");
  }
  return result;
}

}  // namespace pobpf
