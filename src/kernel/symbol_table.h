// SPDX-License-Identifier: GPL-2.0-only
// Where the functions of the running kernel and of its modules are, by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/kernel_memory.h"
#include "kernel/symbol_list.h"
#include "kernel/symbol_ranges.h"
#include "model/address_range.h"
#include "util/error.h"

namespace pobpf {

/// Where the kernel keeps its code.
struct CodePlaces {
  std::vector<AddressRange> kernel_texts;
  std::optional<std::uint64_t> modules;  ///< the list of them; no value: there are none
};

/// Names of the symbols that find_code() asks for.
[[nodiscard]] std::vector<std::string> code_symbols();
[[nodiscard]] Result<CodePlaces> find_code(const KernelMemory& memory);

/// A loaded module and its code.
struct KernelModule {
  std::string name;
  std::vector<AddressRange> texts;
};

/// Not thread-safe. Needs CAP_BPF and CAP_PERFMON, whatever kptr_restrict says; where
/// /proc/kallsyms is all there is, also CAP_SYSLOG and a kptr_restrict below 2. BPF programs and
/// trampolines are not in it: they come and go, and handles outlive them.
class SymbolTable {
 public:
  /// Lists the modules that are loaded now. `places` spares a search for them.
  static Result<SymbolTable> open(const SymbolSources& sources,
                                  std::optional<CodePlaces> places = std::nullopt);

  /// Code that the kernel's %pS names after a function that `is_wanted`; ascending, disjoint. Empty
  /// if there is no such function. One pass over all symbols, of which only matches are kept. Names
  /// are as /proc/kallsyms spells them, with suffixes such as .isra.0, and for ".llvm.<hash>",
  /// which some kernels do not print, without it as well.
  Result<std::vector<AddressRange>> symbol_ranges(const NamePredicate& is_wanted);

  /// Code of the modules whose name `is_wanted`, as symbol_ranges().
  [[nodiscard]] std::vector<AddressRange> module_ranges(const NamePredicate& is_wanted) const;

  /// Those loaded when the table was opened, by name.
  [[nodiscard]] const std::vector<KernelModule>& modules() const { return modules_; }

 private:
  explicit SymbolTable(const SymbolSources& sources) : sources_(sources) {}

  SymbolSources sources_;
  std::vector<AddressRange> kernel_texts_;
  std::vector<KernelModule> modules_;
};

}  // namespace pobpf
