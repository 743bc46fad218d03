// SPDX-License-Identifier: GPL-2.0-only
// Stacks by their frames, each kept once: rows of several moments share them, and most frames are
// those of many stacks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "format/page_formatter.h"
#include "util/hash_map.h"

namespace pobpf {

/// Symbols of a stack, innermost first. Equal ones of one index are one object.
using IndexedStack = std::vector<const std::string*>;

class StackIndex {
 public:
  /// Valid until the index dies.
  const IndexedStack& add(std::span<const Frame> frames);
  /// The memory that add() would take; 0 if the stack is there.
  [[nodiscard]] std::size_t bytes_to_add(std::span<const Frame> frames) const;

 private:
  struct Hash {
    std::size_t operator()(const IndexedStack& stack) const {
      const auto bytes = std::as_bytes(std::span(stack));
      return seeded_hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  };
  HashSet<std::string> symbols_;
  std::unordered_set<IndexedStack, Hash> stacks_;
};

/// By their symbols, so that what is equal is in one order in each run.
[[nodiscard]] bool is_before(const IndexedStack& a, const IndexedStack& b);

}  // namespace pobpf
