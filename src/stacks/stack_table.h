// SPDX-License-Identifier: GPL-2.0-only
// Stacks by handle, each read once and named once in a while.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "format/page_formatter.h"
#include "util/error.h"

namespace pobpf {

/// Where stacks come from: the running kernel, or made up in tests.
class StackSource {
 public:
  StackSource() = default;
  StackSource(const StackSource&) = delete;
  StackSource& operator=(const StackSource&) = delete;
  StackSource(StackSource&&) = delete;
  StackSource& operator=(StackSource&&) = delete;
  virtual ~StackSource() = default;
  /// Return addresses of a depot stack, innermost first.
  virtual Result<std::vector<std::uint64_t>> frames(std::uint32_t handle) = 0;
  /// "%pS" text of each address.
  virtual Result<std::vector<std::string>> symbols(std::span<const std::uint64_t> addresses) = 0;
};

/// Grows with the number of distinct stacks (thousands), not with the number of pages. Frames are
/// known for as long as the table lives: the depot keeps what it has, so that no handle is ever
/// another stack's. Names are known until they are forgotten, as modules come and go and others
/// take their addresses; they are cached by address, because stacks share most of their frames.
class StackTable {
 public:
  explicit StackTable(StackSource& source) : source_(source) {}
  /// Valid until names are forgotten.
  Result<const Stack*> get(std::uint32_t handle);
  void forget_names();

 private:
  StackSource& source_;
  std::unordered_map<std::uint32_t, std::vector<std::uint64_t>> addresses_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Stack>> stacks_;
  std::unordered_map<std::uint64_t, std::string> symbols_;
};

}  // namespace pobpf
