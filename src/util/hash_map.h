// SPDX-License-Identifier: GPL-2.0-only
// Hash tables of what files and tasks say: whoever writes that cannot know which keys fall
// together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

namespace pobpf {

/// The hash of the bytes, with a secret of this run.
[[nodiscard]] std::uint64_t seeded_hash(std::string_view bytes);

/// The hash of plain data without padding.
template <typename T>
[[nodiscard]] std::uint64_t seeded_hash_of(const T& value) {
  static_assert(std::has_unique_object_representations_v<T>);
  return seeded_hash({reinterpret_cast<const char*>(&value), sizeof(value)});
}

template <typename Key>
struct SeededHash {
  std::size_t operator()(const Key& key) const {
    if constexpr (std::is_convertible_v<const Key&, std::string_view>)
      return seeded_hash(key);
    else
      return seeded_hash_of(key);
  }
};

/// In no order, and in another one in each run.
template <typename Key, typename Value, typename Equal = std::equal_to<Key>>
using HashMap = std::unordered_map<Key, Value, SeededHash<Key>, Equal>;
template <typename Key>
using HashSet = std::unordered_set<Key, SeededHash<Key>>;

}  // namespace pobpf
