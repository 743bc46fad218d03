// SPDX-License-Identifier: GPL-2.0-only
// Options that take one value, and numbers among them, the same way for all commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pobpf/error.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// `values` gets each value that is given, so that "given twice" is an error that we word.
void add_value(CLI::App& app, const std::string& names, std::vector<std::string>& values,
               const char* placeholder, const char* group, const char* description);

/// A whole number from `min` to `max`; kUsage for all else.
[[nodiscard]] Result<std::uint32_t> parse_number_between(const char* option,
                                                         const std::string& text, std::uint32_t min,
                                                         std::uint32_t max);

}  // namespace pobpf::cli
