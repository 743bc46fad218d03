// SPDX-License-Identifier: GPL-2.0-only
#include "cli/option_value.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "model/name_list.h"

namespace pobpf::cli {

void add_value(CLI::App& app, const std::string& names, std::vector<std::string>& values,
               const char* placeholder, const char* group, const char* description) {
  app.add_option(names, values, description)
      ->type_name(placeholder)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
}

Result<std::uint32_t> parse_number_between(const char* option, const std::string& text,
                                           std::uint32_t min, std::uint32_t max) {
  std::uint32_t value = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, value);
  if (error != std::errc() || end != text_end || value < min || value > max)
    return fail(ErrorKind::kUsage,
                fmt::format("{}: '{}' is no number of that kind", option, shown(text)),
                fmt::format("give a whole number from {} to {}", min, max));
  return value;
}

}  // namespace pobpf::cli
