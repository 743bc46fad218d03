// SPDX-License-Identifier: GPL-2.0-only
// Half-open ranges of page frame numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pobpf {

struct PfnRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< one past the last

  [[nodiscard]] bool is_empty() const { return begin >= end; }
  [[nodiscard]] std::uint64_t size() const { return is_empty() ? 0 : end - begin; }
  friend bool operator==(const PfnRange&, const PfnRange&) = default;
};

/// Sorts ranges and joins those that overlap or touch; empty ones vanish.
[[nodiscard]] inline std::vector<PfnRange> joined(std::vector<PfnRange> ranges) {
  std::erase_if(ranges, [](const PfnRange& range) { return range.is_empty(); });
  std::sort(ranges.begin(), ranges.end(),
            [](const PfnRange& a, const PfnRange& b) { return a.begin < b.begin; });
  std::vector<PfnRange> result;
  for (const PfnRange& range : ranges) {
    if (!result.empty() && range.begin <= result.back().end)
      result.back().end = std::max(result.back().end, range.end);
    else
      result.push_back(range);
  }
  return result;
}

/// The PFNs that are in both; both must be joined(), the result is.
[[nodiscard]] inline std::vector<PfnRange> intersection(const std::vector<PfnRange>& a,
                                                        const std::vector<PfnRange>& b) {
  std::vector<PfnRange> result;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() && right != b.end()) {
    const PfnRange both{std::max(left->begin, right->begin), std::min(left->end, right->end)};
    if (!both.is_empty()) result.push_back(both);
    if (left->end < right->end)
      ++left;
    else
      ++right;
  }
  return result;
}

/// The PFNs that are in none of the ranges, which must be joined(); the result is.
[[nodiscard]] inline std::vector<PfnRange> complement(const std::vector<PfnRange>& ranges) {
  std::vector<PfnRange> result;
  std::uint64_t begin = 0;
  for (const PfnRange& range : ranges) {
    if (range.begin > begin) result.push_back({begin, range.begin});
    begin = range.end;
  }
  if (begin != UINT64_MAX) result.push_back({begin, UINT64_MAX});
  return result;
}

}  // namespace pobpf
