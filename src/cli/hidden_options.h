// SPDX-License-Identifier: GPL-2.0-only
// Options that --help does not list one by one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace pobpf::cli {

/// Their group. Not CLI11's "" for hidden ones: to it they have no name, in messages neither.
constexpr const char* kHiddenGroup = "Hidden";

class HelpFormatter final : public CLI::Formatter {
 public:
  [[nodiscard]] std::string make_group(std::string group, bool is_positional,
                                       std::vector<const CLI::Option*> options) const override {
    if (group == kHiddenGroup) return {};
    return CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
  }
};

}  // namespace pobpf::cli
