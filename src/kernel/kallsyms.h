// SPDX-License-Identifier: GPL-2.0-only
// The kernel's symbols as /proc/kallsyms tells them, where no program can list them.
#pragma once

#include <filesystem>

#include "kernel/symbol_ranges.h"
#include "util/error.h"

namespace pobpf {

/// Calls `on_symbol` for each line, in the order of the file, which is that of list_symbols in
/// bpf/symbol_list.bpf.c; here all symbols have names. kUnsupported if the file hides addresses
/// from this process, whose privileges at this moment count.
[[nodiscard]] Status read_kallsyms(const std::filesystem::path& path,
                                   const SymbolStream::Callback& on_symbol);

constexpr const char* kKallsyms = "/proc/kallsyms";

}  // namespace pobpf
