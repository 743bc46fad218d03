// SPDX-License-Identifier: GPL-2.0-only
// Derives from the frames of a stack: functions, modules, and who it was that asked for memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/page_formatter.h"

namespace pobpf {

/// The function of "%pS" text: "shmem_get_folio_gfp" of "shmem_get_folio_gfp.isra.0+0x1/0x2". The
/// suffixes are the compiler's and come and go between builds.
[[nodiscard]] std::string_view frame_function(std::string_view symbol);

/// The module of "%pS" text: "brd" of "brd_insert_page+0x1/0x2 [brd]"; empty: the kernel itself.
[[nodiscard]] std::string_view frame_module(std::string_view symbol);

/// The 0x10 of "alloc+0x10/0x20 [module]"; no value where there is none.
[[nodiscard]] std::optional<std::uint64_t> frame_offset(std::string_view symbol);

/// The innermost function that is not part of an allocator; the outermost one if all are, empty
/// for an empty stack.
[[nodiscard]] std::string_view call_site(std::span<const Frame> frames);

/// The module of the innermost frame that lies in one; empty if none does.
[[nodiscard]] std::string_view module_of(std::span<const Frame> frames);

/// Whether a function of the stack matches one of these glob patterns.
[[nodiscard]] bool has_function(std::span<const Frame> frames,
                                const std::vector<std::string>& patterns);

}  // namespace pobpf
