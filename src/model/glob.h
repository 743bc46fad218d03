// SPDX-License-Identifier: GPL-2.0-only
// Glob patterns, as fnmatch(3) understands them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// Bytes of the element that a pattern starts with: a character, `?`, `*`, an escaped character or
/// a bracket expression. 0 if the pattern is empty.
[[nodiscard]] std::size_t glob_element_length(std::string_view pattern);

/// kUsage for a pattern that can match nothing, or whose meaning fnmatch(3) leaves open: a bracket
/// expression without an end.
[[nodiscard]] Status check_glob(std::string_view pattern);

[[nodiscard]] bool glob_matches(const std::string& pattern, const std::string& text);

[[nodiscard]] bool any_glob_matches(const std::vector<std::string>& patterns,
                                    std::string_view text);

}  // namespace pobpf
