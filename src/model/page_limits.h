// SPDX-License-Identifier: GPL-2.0-only
// Sizes that no machine goes beyond. Files and texts that say more are not believed, so that no sum
// of pages, and no number of bytes made of one, ever wraps.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>

namespace pobpf {

/// More than any kernel's orders; a gigantic page's among them.
constexpr std::uint32_t kOrderMax = 30;

/// Base pages of all records of a machine: 64 PiB of the smallest ones, 2^62 bytes of the largest.
constexpr std::uint64_t kPagesMax = std::uint64_t{1} << 44;

/// Whether Linux has base pages of this size.
constexpr bool is_page_size(std::uint64_t bytes) {
  constexpr std::uint64_t kMin = 4096;
  constexpr std::uint64_t kMax = std::uint64_t{256} << 10;
  return std::has_single_bit(bytes) && bytes >= kMin && bytes <= kMax;
}

/// Base pages that a sum claims by what it says of itself, as many as its allocations at least;
/// over kPagesMax if they do not fit. `order` is that of its allocations, at most kOrderMax.
constexpr std::uint64_t claimed_pages(std::optional<std::uint64_t> nr_pages,
                                      std::optional<std::uint64_t> nr_allocations,
                                      std::uint32_t order) {
  const std::uint64_t allocations = nr_allocations.value_or(0);
  if (nr_pages) return std::max(*nr_pages, allocations);
  return allocations <= kPagesMax >> order ? allocations << order : UINT64_MAX;
}

/// Base pages so far.
class PageTotal {
 public:
  /// False, and nothing is added, if together they are more than kPagesMax.
  [[nodiscard]] bool add(std::uint64_t nr_pages) {
    if (nr_pages > kPagesMax - total_) return false;
    total_ += nr_pages;
    return true;
  }

 private:
  std::uint64_t total_ = 0;
};

}  // namespace pobpf
