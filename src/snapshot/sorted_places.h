// SPDX-License-Identifier: GPL-2.0-only
// A column whose values stand by a key that is known of each: a stable counting sort.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace pobpf {

/// Where the first value of each key stands; the next one of the same key stands behind it. Fewer
/// than 2^32 values.
template <std::size_t kKeys, typename KeyAt>
std::array<std::uint32_t, kKeys> sorted_places(std::size_t nr_values, KeyAt&& key_at) {
  std::array<std::uint32_t, kKeys> places{};
  for (std::size_t at = 0; at < nr_values; ++at) ++places[key_at(at)];
  std::exclusive_scan(places.begin(), places.end(), places.begin(), std::uint32_t{0});
  return places;
}

}  // namespace pobpf
