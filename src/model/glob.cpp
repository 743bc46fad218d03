// SPDX-License-Identifier: GPL-2.0-only
#include "model/glob.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "model/name_list.h"

namespace pobpf {
namespace {

/// [:class:], [.symbol.] and [=equivalents=] inside of brackets.
constexpr std::string_view kInnerKinds = ":.=";

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
    } else if (pattern[at] == '[' && at + 1 < pattern.size() &&
               kInnerKinds.find(pattern[at + 1]) != std::string_view::npos) {
      const char inner_end[] = {pattern[at + 1], ']', '\0'};
      const std::size_t end = pattern.find(inner_end, at + 2);
      at = end == std::string_view::npos ? at + 1 : end + 2;
    } else {
      ++at;
    }
  }
  return at < pattern.size() ? at + 1 : 1;
}

bool matches_any_byte(const std::string& element) {
  for (unsigned byte = 1; byte < 256; ++byte)
    if (glob_matches(element, std::string(1, static_cast<char>(byte)))) return true;
  return false;
}

}  // namespace

std::size_t glob_element_length(std::string_view pattern) {
  if (pattern.empty()) return 0;
  if (pattern.front() == '\\') return std::min<std::size_t>(2, pattern.size());
  return pattern.front() == '[' ? bracket_length(pattern) : 1;
}

Status check_glob(std::string_view pattern) {
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::string element(rest.substr(0, glob_element_length(rest)));
    if (element == "[")
      return fail(ErrorKind::kUsage, fmt::format("'{}' has a [ without its ]", shown(pattern)),
                  "a backslash in front makes it an ordinary character");
    if (element == "\\")
      return fail(ErrorKind::kUsage, fmt::format("'{}' ends with a backslash", shown(pattern)),
                  "two of them stand for one");
    if (element.size() > 1 && !matches_any_byte(element))
      return fail(ErrorKind::kUsage, fmt::format("'{}' matches nothing", shown(element)),
                  "a range runs backwards, or there is no such class");
    rest.remove_prefix(element.size());
  }
  return {};
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
