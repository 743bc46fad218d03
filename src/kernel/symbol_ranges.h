// SPDX-License-Identifier: GPL-2.0-only
// From a list of symbols to the addresses that the kernel's %pS names after some of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/address_range.h"
#include "pobpf/facts.h"
#include "util/error.h"

namespace pobpf {

/// Whether a name is wanted. Called once for each symbol, some names several times.
using NamePredicate = std::function<bool(std::string_view)>;

/// Finds what kernel/kallsyms.c: get_symbol_pos() and kernel/module/kallsyms.c:
/// find_kallsyms_symbol() find for an address: the symbol with the greatest address that is not
/// above it, as far as the next greater address of any symbol, and no further than the text it lies
/// in. A return address that is the first byte behind a function belongs to the next one there, and
/// so it does here.
class SymbolRanges {
 public:
  /// Symbols of one table must come in ascending order of addresses. Symbols at the same address
  /// are aliases: the range is wanted if any of them is.
  void add(std::uint64_t address, bool is_wanted);

  /// Ranges in ascending order, disjoint, those that touch joined. Each is cut to the element of
  /// `texts` that it begins in; those that begin in none vanish.
  [[nodiscard]] std::vector<AddressRange> within(std::span<const AddressRange> texts) &&;

 private:
  void close(std::uint64_t end);

  std::vector<AddressRange> ranges_;  // as far as the next symbol
  std::uint64_t address_ = 0;
  bool is_wanted_ = false;
};

/// Sorts ranges and joins those that overlap or touch; empty ones vanish.
[[nodiscard]] std::vector<AddressRange> joined(std::vector<AddressRange> ranges);

/// Takes what bpf/symbol_list.bpf.c writes apart, in pieces of any size.
class SymbolStream {
 public:
  /// `name` lives as long as the call; it is empty for symbols without one.
  using Callback = std::function<void(const pobpf_symbol& symbol, std::string_view name)>;

  explicit SymbolStream(Callback on_symbol) : on_symbol_(std::move(on_symbol)) {}
  void feed(std::span<const std::byte> bytes);
  /// kFailed if the stream ended inside a symbol.
  [[nodiscard]] Status finish() const;

 private:
  Callback on_symbol_;
  std::vector<std::byte> partial_;
};

}  // namespace pobpf
