// SPDX-License-Identifier: GPL-2.0-only
// Distinct values of a block, numbered in the order in which they are first met.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "util/hash_map.h"

namespace pobpf {

/// A hash table without removal. `Key` is plain data of whole 8-byte words, without padding.
template <typename Key>
class ValueIndex {
  static_assert(std::has_unique_object_representations_v<Key> && sizeof(Key) % 8 == 0);

 public:
  /// The number of the value; a new one gets the next.
  std::uint32_t index_of(const Key& key) {
    // neighbours mostly have the same
    if (last_ < values_.size() && std::memcmp(&values_[last_], &key, sizeof(key)) == 0)
      return last_;
    last_ = find_or_add(key);
    return last_;
  }
  [[nodiscard]] const std::vector<Key>& values() const { return values_; }
  void clear() {
    values_.clear();
    std::fill(slots_.begin(), slots_.end(), kFree);
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;

  std::uint32_t find_or_add(const Key& key) {
    if ((values_.size() + 1) * 2 > slots_.size()) grow();
    std::uint32_t& slot = find(key);
    if (slot == kFree) {
      slot = static_cast<std::uint32_t>(values_.size());
      values_.push_back(key);
    }
    return slot;
  }

  /// Where the value is, or would be.
  std::uint32_t& find(const Key& key) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = seeded_hash_of(key) & mask;
    while (slots_[at] != kFree && std::memcmp(&values_[slots_[at]], &key, sizeof(key)) != 0)
      at = (at + 1) & mask;
    return slots_[at];
  }

  void grow() {
    constexpr std::size_t kFirst = 256;
    slots_.assign(std::max(kFirst, slots_.size() * 2), kFree);
    for (std::uint32_t i = 0; i < values_.size(); ++i) find(values_[i]) = i;
  }

  std::vector<Key> values_;
  std::uint32_t last_ = 0;            // the value that was looked for last
  std::vector<std::uint32_t> slots_;  ///< numbers; a power of two, half of it free
};

}  // namespace pobpf
