// SPDX-License-Identifier: GPL-2.0-only
// All symbols of the running kernel, in one pass.
#pragma once

#include <string_view>

#include "kernel/symbol_ranges.h"
#include "util/error.h"

namespace pobpf {

/// The kernel's ways to tell addresses of symbols that there are and that may be used; the first
/// one that works is taken.
struct SymbolSources {
  bool has_lookup = true;    ///< bpf_kallsyms_lookup_name(), which kptr_restrict can forbid
  bool has_iterator = true;  ///< iter/ksym; else there is /proc/kallsyms
};

/// Calls `on_symbol` for each symbol, by the kernel's own iterator where there is one: those of the
/// kernel in ascending order of addresses, and those of its modules. Symbols that are data may come
/// without a name.
Status list_symbols(const SymbolSources& sources, const SymbolStream::Callback& on_symbol);

[[nodiscard]] bool is_function(const pobpf_symbol& symbol);

/// Without what compilers append to names of functions of which they make others: ".isra.0",
/// ".constprop.0", ".part.0", ".cold".
[[nodiscard]] std::string_view name_in_source(std::string_view symbol);

}  // namespace pobpf
