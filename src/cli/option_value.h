// SPDX-License-Identifier: GPL-2.0-only
// Options that take one value, the same way for all commands.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace pobpf::cli {

/// `values` gets each value that is given, so that "given twice" is an error that we word.
void add_value(CLI::App& app, const std::string& names, std::vector<std::string>& values,
               const char* placeholder, const char* group, const char* description);

}  // namespace pobpf::cli
