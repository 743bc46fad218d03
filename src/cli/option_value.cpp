// SPDX-License-Identifier: GPL-2.0-only
#include "cli/option_value.h"

#include <CLI/CLI.hpp>

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

}  // namespace pobpf::cli
