// SPDX-License-Identifier: GPL-2.0-only
// The fields that pobpf top can group by.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pobpf/sums.h"
#include "util/error.h"

namespace pobpf {

enum class GroupField {
  kStack,
  kFunction,   ///< the call site: the innermost function that does not allocate for others
  kModule,     ///< of the innermost frame that lies in one
  kAllocator,  ///< what the page is used for: sum/allocator.h
#define POBPF_GROUP_KEY(ID, Name, name, fields) k##Name,
  POBPF_GROUP_KEY_LIST(POBPF_GROUP_KEY)
#undef POBPF_GROUP_KEY
};

/// As options, columns and JSON keys have it: "stack", "tgid", ...
[[nodiscard]] const char* group_field_name(GroupField field);
[[nodiscard]] std::vector<std::string> group_field_names();

/// Names between commas. kUsage for an unknown name (with the nearest one), one that is given
/// twice, and none at all.
[[nodiscard]] Result<std::vector<GroupField>> parse_group_fields(std::string_view text);

/// Bits of enum pobpf_group_field: what the kernel has to tell apart so that rows can be made.
[[nodiscard]] std::uint32_t kernel_group_fields(std::span<const GroupField> fields);

/// The name under which records have the state of what a field names; null: it has none.
[[nodiscard]] const char* state_field(GroupField field);

/// A field that is told from the functions of a stack.
[[nodiscard]] bool needs_stack(GroupField field);

}  // namespace pobpf
