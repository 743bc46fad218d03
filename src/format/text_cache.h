// SPDX-License-Identifier: GPL-2.0-only
// Helpers with which formatters that run once a page make texts quickly.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <string>

#include "util/hash_map.h"

namespace pobpf {

template <typename T>
void append_number(std::string& out, T value, int base = 10) {
  std::array<char, 24> digits;  // NOLINT(cppcoreguidelines-pro-type-member-init): hot path
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

/// Texts by a key that repeats. Bounded, as flag words come from memory that anyone can shape,
/// and stacks from files.
template <typename Key>
class TextCache {
 public:
  template <typename Make>
  const std::string& get(Key key, Make&& make) {
    if (is_last_valid_ && key == last_key_) return *last_;
    auto found = texts_.find(key);
    if (found == texts_.end()) {
      std::string text;
      make(text);
      bytes_ += kEntryBytes + text.size();
      if (bytes_ > kBytesMax) {
        texts_.clear();
        bytes_ = kEntryBytes + text.size();
      }
      found = texts_.emplace(key, std::move(text)).first;
    }
    last_key_ = key;
    last_ = &found->second;
    is_last_valid_ = true;
    return *last_;
  }
  void clear() {
    texts_.clear();
    bytes_ = 0;
    is_last_valid_ = false;
  }

 private:
  static constexpr std::size_t kBytesMax = std::size_t{2} << 20;
  static constexpr std::size_t kEntryBytes = 64;
  std::size_t bytes_ = 0;
  HashMap<Key, std::string> texts_;
  const std::string* last_ = nullptr;
  Key last_key_{};
  bool is_last_valid_ = false;
};

}  // namespace pobpf
