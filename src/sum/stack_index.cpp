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

bool is_before(const IndexedStack& a, const IndexedStack& b) {
  return std::ranges::lexicographical_compare(
      a, b, {}, [](const std::string* symbol) -> const std::string& { return *symbol; },
      [](const std::string* symbol) -> const std::string& { return *symbol; });
}

}  // namespace pobpf
