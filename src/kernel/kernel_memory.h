// SPDX-License-Identifier: GPL-2.0-only
// Reading kernel variables by name: addresses from the kernel's symbol table, bytes through BPF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "util/error.h"

struct facts_bpf;

namespace pobpf {

/// The kernel's ways to tell addresses of symbols that there are and that may be used; the first
/// one that works is taken.
struct SymbolSources {
  bool has_lookup = true;    ///< bpf_kallsyms_lookup_name(), which kptr_restrict can forbid
  bool has_iterator = true;  ///< iter/ksym; else there is /proc/kallsyms
};

/// Loaded programs of bpf/facts.bpf.c. Not thread-safe.
class KernelMemory {
 public:
  /// Finds `symbols` (names that are allowed to be absent included).
  static Result<KernelMemory> open(const std::vector<std::string>& symbols,
                                   const SymbolSources& sources);

  /// Address of a symbol asked for in open(); no value if the kernel has none of that name.
  [[nodiscard]] std::optional<std::uint64_t> symbol(const std::string& name) const;
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
  explicit KernelMemory(facts_bpf* skeleton) : skeleton_(skeleton) {}
  /// False if the kernel hides its addresses from us (kptr_restrict).
  Result<bool> look_up_symbols(const std::vector<std::string>& symbols);
  Status iterate_symbols(const std::vector<std::string>& symbols);
  Status read_symbols(const std::vector<std::string>& symbols);

  std::unique_ptr<facts_bpf, Deleter> skeleton_;
  std::unordered_map<std::string, std::uint64_t> symbols_;
  const char* symbol_source_ = "kallsyms";
};

}  // namespace pobpf
