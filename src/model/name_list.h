// SPDX-License-Identifier: GPL-2.0-only
// Lists of names as users write them, and what they may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// The parts between any of the `separators`. kUsage if one is empty.
[[nodiscard]] Result<std::vector<std::string>> split_list(std::string_view text,
                                                          std::string_view separators);

/// Glob patterns between commas. A comma in a pattern is written \, or stands in brackets. kUsage
/// if one is empty, and for what check_glob() refuses.
[[nodiscard]] Result<std::vector<std::string>> split_patterns(std::string_view text);

/// The candidate that takes the fewest edits to become `name`, upper and lower case being alike;
/// empty if none is near.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& candidates);

/// Refuses a name of a kind `what`: names the nearest one and all that there are. kUsage.
[[nodiscard]] Error unknown_name(std::string_view what, std::string_view name,
                                 const std::vector<std::string>& candidates);

/// Cut for a message if it is long; whoever prints messages escapes them.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace pobpf
