// SPDX-License-Identifier: GPL-2.0-only
#include "model/glob.h"

#include <fnmatch.h>

#include <algorithm>

namespace pobpf {
namespace {

/// Length of the bracket expression that `pattern` starts with; 1 if it has no end: then '[' stands
/// for itself.
std::size_t bracket_length(std::string_view pattern) {
  std::size_t at = 1;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  // a ']' in front is one of the characters
  if (at < pattern.size() && pattern[at] == ']') ++at;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\') {
      at += 2;
    } else if (pattern[at] == '[' && at + 1 < pattern.size() && pattern[at + 1] == ':') {
      const std::size_t end = pattern.find(":]", at + 2);
      at = end == std::string_view::npos ? at + 1 : end + 2;
    } else {
      ++at;
    }
  }
  return at < pattern.size() ? at + 1 : 1;
}

}  // namespace

std::size_t glob_element_length(std::string_view pattern) {
  if (pattern.empty()) return 0;
  if (pattern.front() == '\\') return std::min<std::size_t>(2, pattern.size());
  return pattern.front() == '[' ? bracket_length(pattern) : 1;
}

bool glob_matches(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool any_glob_matches(const std::vector<std::string>& patterns, std::string_view text) {
  const std::string whole(text);
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return glob_matches(pattern, whole); });
}

}  // namespace pobpf
