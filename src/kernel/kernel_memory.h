// SPDX-License-Identifier: GPL-2.0-only
// Reading kernel variables by name: addresses from the kernel's symbol table, bytes through BPF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/symbol_list.h"
#include "kernel/symbol_ranges.h"
#include "model/address_range.h"
#include "util/error.h"

struct facts_bpf;

namespace pobpf {

/// Loaded programs of bpf/facts.bpf.c. Not thread-safe.
class KernelMemory {
 public:
  /// Finds `symbols`, if there are any (names that are allowed to be absent included).
  /// `is_function_wanted` is asked for the names of functions in the source, and decides on those
  /// of function_ranges().
  static Result<KernelMemory> open(const std::vector<std::string>& symbols,
                                   const SymbolSources& sources,
                                   NamePredicate is_function_wanted = {});

  /// Address of a symbol asked for in open(); no value if the kernel has none of that name.
  [[nodiscard]] std::optional<std::uint64_t> symbol(const std::string& name) const;
  /// Code of the functions that open() was told of, whatever compilers append to their names, as
  /// far as the next symbol; ascending, disjoint. Takes a pass over all symbols, unless open() took
  /// one that has their names.
  Result<std::vector<AddressRange>> function_ranges();
  /// How the symbols were found: "kallsyms", "ksym iterator" or "/proc/kallsyms".
  [[nodiscard]] const char* symbol_source() const { return symbol_source_; }

  /// `size` bytes at `address`; kFailed if any of them cannot be read.
  Result<std::vector<std::byte>> read(std::uint64_t address, std::size_t size);
  /// An unsigned number of `size` bytes (1, 2, 4 or 8) in the kernel's byte order.
  Result<std::uint64_t> read_number(std::uint64_t address, std::size_t size);
  /// A NUL-terminated string of at most 255 bytes.
  Result<std::string> read_string(std::uint64_t address);

 private:
  struct Deleter {
    void operator()(facts_bpf* skeleton) const;
  };
  KernelMemory(facts_bpf* skeleton, const SymbolSources& sources, NamePredicate is_function_wanted)
      : skeleton_(skeleton),
        sources_(sources),
        is_function_wanted_(std::move(is_function_wanted)) {}
  void add_function(const pobpf_symbol& symbol, std::string_view name);
  /// False if the kernel hides its addresses from us (kptr_restrict).
  Result<bool> look_up_symbols(const std::vector<std::string>& symbols);
  Status iterate_symbols(const std::vector<std::string>& symbols);
  Status read_symbols(const std::vector<std::string>& symbols);

  std::unique_ptr<facts_bpf, Deleter> skeleton_;
  SymbolSources sources_;
  NamePredicate is_function_wanted_;
  std::unordered_map<std::string, std::uint64_t> symbols_;
  SymbolRanges functions_;
  std::optional<std::vector<AddressRange>> function_ranges_;  // once all symbols were seen
  const char* symbol_source_ = "kallsyms";
};

}  // namespace pobpf
