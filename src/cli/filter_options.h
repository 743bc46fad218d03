// SPDX-License-Identifier: GPL-2.0-only
// The options that say which pages are wanted, the same for all commands that have them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/filter.h"
#include "pobpf/error.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// What the option parser fills in, by the option's name.
struct RawFilters {
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> flags;
};

/// All filters except for --nid, whose syntax is the kernel's.
void add_filter_options(CLI::App& app, RawFilters& raw);

/// Ends of --help where there are filters: which have an opposite. With an empty line behind it.
[[nodiscard]] std::string filter_footer();

/// As far as they can be understood without asking a kernel; nodes are left out. Errors are kUsage.
[[nodiscard]] Result<FilterSpec> parse_filters(const RawFilters& raw);

/// Whether this is the name of a filter's option ("--pid", "--not-pid", "--nid").
[[nodiscard]] bool is_filter_option(std::string_view name);

}  // namespace pobpf::cli
