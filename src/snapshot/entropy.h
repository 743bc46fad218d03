// SPDX-License-Identifier: GPL-2.0-only
// What bytes take at least if each is coded by itself, to compare ways to write a column.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace pobpf {

using Histogram = std::array<std::uint32_t, 256>;

/// Bits that the bytes of a histogram take, each by itself.
inline double entropy(const Histogram& histogram) {
  double total = 0;
  double bits = 0;
  for (const std::uint32_t count : histogram) {
    if (count == 0) continue;
    total += count;
    bits -= count * std::log2(count);
  }
  return total == 0 ? 0 : bits + total * std::log2(total);
}

}  // namespace pobpf
