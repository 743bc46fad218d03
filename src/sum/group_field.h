// SPDX-License-Identifier: GPL-2.0-only
// What pobpf top can group by.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

enum class GroupField {
  kStack,
  kFunction,   ///< the call site: the innermost function that is no allocator
  kModule,     ///< of the innermost frame that lies in one
  kAllocator,  ///< what the page is used for: sum/allocator.h
  kTgid,
  kPid,
  kComm,
  kOrder,
  kGfp,
  kMigratetype,
  kNid,
  kZone,
  kMemcg,
  kMigrateReason,  ///< why it was migrated last
  kFreed,          ///< whether it was freed before this allocation
};

/// As options, columns and JSON keys have it: "stack", "tgid", ...
[[nodiscard]] const char* group_field_name(GroupField field);
[[nodiscard]] std::vector<std::string> group_field_names();

/// Names between commas. kUsage for an unknown name (with the nearest one), one that is given
/// twice, and none at all.
[[nodiscard]] Result<std::vector<GroupField>> parse_group_fields(std::string_view text);

/// Bits of enum pobpf_group_field: what the kernel has to tell apart so that rows can be made.
[[nodiscard]] std::uint32_t kernel_group_fields(std::span<const GroupField> fields);

/// A field that is told from the functions of a stack.
[[nodiscard]] bool needs_stack(GroupField field);

}  // namespace pobpf
