// SPDX-License-Identifier: GPL-2.0-only
#include "model/name_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

#include "model/glob.h"

namespace pobpf {
namespace {

constexpr const char* kEmptyPart = "an entry of the list is empty";

/// Levenshtein's distance, case ignored.
std::size_t distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 64;
  std::string result(text.substr(0, kShownMax));
  if (text.size() > kShownMax) result += "...";
  return result;
}

Result<std::vector<std::string>> split_list(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find_first_of(separators);
    if (end == 0 || text.empty()) return fail(ErrorKind::kUsage, kEmptyPart);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<std::vector<std::string>> split_patterns(std::string_view text) {
  std::vector<std::string> patterns;
  std::string pattern;
  const auto take = [&]() -> Status {
    if (pattern.empty()) return fail(ErrorKind::kUsage, kEmptyPart);
    if (auto status = check_glob(pattern); !status) return status;
    patterns.push_back(std::exchange(pattern, {}));
    return {};
  };
  while (!text.empty()) {
    const std::size_t length = glob_element_length(text);
    if (text.front() != ',')
      pattern += text.substr(0, length);
    else if (auto status = take(); !status)
      return fail(std::move(status).error());
    text.remove_prefix(length);
  }
  if (auto status = take(); !status) return fail(std::move(status).error());
  return patterns;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string nearest;
  // edits, and how much the lengths differ; more edits than half of the name is another name
  std::pair best{name.size() / 2 + 1, std::size_t{0}};
  for (const std::string& candidate : candidates) {
    // each byte that the name is longer takes an edit
    if (name.size() > candidate.size() + best.first) continue;
    // "kernel" for "GFP_KERNEL" takes many edits and yet is near
    const bool contains =
        name.size() >= 3 && std::search(candidate.begin(), candidate.end(), name.begin(),
                                        name.end(), [](char a, char b) {
                                          return std::tolower(static_cast<unsigned char>(a)) ==
                                                 std::tolower(static_cast<unsigned char>(b));
                                        }) != candidate.end();
    const std::size_t difference = name.size() > candidate.size() ? name.size() - candidate.size()
                                                                  : candidate.size() - name.size();
    const std::pair found{contains ? 1 : distance(name, candidate), difference};
    if (found < best) {
      best = found;
      nearest = candidate;
    }
  }
  return nearest;
}

Error unknown_name(std::string_view what, std::string_view name,
                   const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return {ErrorKind::kUsage, fmt::format("'{}' is not a {}", shown(name), what),
          fmt::format("{}there are {}",
                      nearest.empty() ? "" : fmt::format("did you mean '{}'? ", nearest),
                      candidates.empty() ? "none" : fmt::format("{}", fmt::join(candidates, ", "))),
          0};
}

}  // namespace pobpf
