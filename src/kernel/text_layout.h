// SPDX-License-Identifier: GPL-2.0-only
// How the running kernel prints records, by its own format strings: the code of mm/page_owner.c:
// print_page_owner() refers to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/address_range.h"
#include "model/kernel_facts.h"
#include "model/page_fields.h"
#include "util/error.h"

namespace pobpf {

/// The kernel as find_text_layout() sees it: KernelMemory, or that of a test.
struct CodeMemory {
  std::function<std::optional<std::uint64_t>(const std::string& name)> symbol;
  /// Code of the functions that is_text_function(), under whatever names; asked for only where the
  /// symbols alone do not lead to all strings, as it may take long.
  std::function<Result<std::vector<AddressRange>>()> functions;
  std::function<Result<std::vector<std::byte>>(std::uint64_t address, std::size_t size)> read;
};

enum class CodeArch { kX86_64, kArm64 };

#if defined(__aarch64__)
constexpr CodeArch kThisArch = CodeArch::kArm64;
#else
constexpr CodeArch kThisArch = CodeArch::kX86_64;
#endif

/// Addresses in `wanted` that instructions of `code`, whose first byte lies at `address`, may make;
/// ascending, each once. There are some that no instruction makes, as little is decoded.
[[nodiscard]] std::vector<std::uint64_t> addresses_in_code(CodeArch arch,
                                                           std::span<const std::byte> code,
                                                           std::uint64_t address,
                                                           const AddressRange& wanted);

/// Whether a function of this name in mm/page_owner.c prints a part of a record.
[[nodiscard]] bool is_text_function(std::string_view name);

/// `missing`: fields that records do not have; a first line without a task name or a thread group
/// that they have is of another kernel. An error says why the layout is not known.
[[nodiscard]] Result<TextLayout> find_text_layout(const CodeMemory& memory, PageFields missing,
                                                  CodeArch arch = kThisArch);

}  // namespace pobpf
