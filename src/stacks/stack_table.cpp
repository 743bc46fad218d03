// SPDX-License-Identifier: GPL-2.0-only
#include "stacks/stack_table.h"

namespace pobpf {

Result<const Stack*> StackTable::get(std::uint32_t handle) {
  if (const auto known = stacks_.find(handle); known != stacks_.end()) return known->second.get();
  auto read = addresses_.find(handle);
  if (read == addresses_.end()) {
    auto addresses = source_.frames(handle);
    if (!addresses) return fail(std::move(addresses).error());
    read = addresses_.emplace(handle, *std::move(addresses)).first;
  }
  const auto& addresses = read->second;

  std::vector<std::uint64_t> unnamed;
  for (const std::uint64_t address : addresses)
    if (!symbols_.contains(address)) unnamed.push_back(address);
  if (!unnamed.empty()) {
    auto names = source_.symbols(unnamed);
    if (!names) return fail(std::move(names).error());
    for (std::size_t i = 0; i < unnamed.size(); ++i)
      symbols_.emplace(unnamed[i], std::move((*names)[i]));
  }

  auto stack = std::make_unique<Stack>();
  for (const std::uint64_t address : addresses) {
    const std::string& symbol = symbols_.at(address);
    stack->frames.push_back({address, symbol});
    stack->kernel_text.append(1, ' ').append(symbol).append(1, '\n');
  }
  return stacks_.emplace(handle, std::move(stack)).first->second.get();
}

void StackTable::forget_names() {
  stacks_.clear();
  symbols_.clear();
}

}  // namespace pobpf
