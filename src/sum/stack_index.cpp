// SPDX-License-Identifier: GPL-2.0-only
#include "sum/stack_index.h"

#include <algorithm>
#include <utility>

namespace pobpf {

const IndexedStack& StackIndex::add(std::span<const Frame> frames) {
  IndexedStack stack;
  stack.reserve(frames.size());
  for (const Frame& frame : frames) stack.push_back(&*symbols_.insert(frame.symbol).first);
  return *stacks_.insert(std::move(stack)).first;
}

std::size_t StackIndex::bytes_to_add(std::span<const Frame> frames) const {
  // of a node of a table, beside what is in it
  constexpr std::size_t kNodeBytes = 32;
  constexpr std::size_t kSymbolBytes = sizeof(void*);
  std::size_t bytes = 0;
  IndexedStack stack;
  stack.reserve(frames.size());
  for (const Frame& frame : frames) {
    const auto known = symbols_.find(frame.symbol);
    if (known == symbols_.end())
      bytes += kNodeBytes + sizeof(std::string) + frame.symbol.size();
    else
      stack.push_back(&*known);
  }
  if (bytes == 0 && stacks_.contains(stack)) return 0;
  return bytes + kNodeBytes + sizeof(IndexedStack) + frames.size() * kSymbolBytes;
}

bool is_before(const IndexedStack& a, const IndexedStack& b) {
  return std::ranges::lexicographical_compare(
      a, b, {}, [](const std::string* symbol) -> const std::string& { return *symbol; },
      [](const std::string* symbol) -> const std::string& { return *symbol; });
}

}  // namespace pobpf
