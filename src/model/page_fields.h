// SPDX-License-Identifier: GPL-2.0-only
// Which fields of a record are known. The running kernel tells all of them; a file may not.
#pragma once

#include <cstdint>
#include <string>

#include "pobpf/parameters.h"
#include "pobpf/stream.h"

namespace pobpf {

/// Whether the page of a record is free, and the record of its last owner: no memory in use.
constexpr bool is_freed(const pobpf_page& page) { return page.kind == POBPF_ITEM_FREED_PAGE; }

/// Whether a page is charged to a cgroup of which nothing is known (enum pobpf_memcg_flags).
constexpr bool is_charge_unknown(unsigned memcg_flags) {
  return (memcg_flags & (POBPF_MEMCG_CHARGED | POBPF_MEMCG_UNKNOWN)) == POBPF_MEMCG_UNKNOWN;
}

/// Fields that can be missing; a missing one is zero and means nothing. The last ones are those of
/// struct pobpf_page_detail.
enum class PageField : std::uint32_t {
  kHandle = 1U << 0,
  kOrder = 1U << 1,
  kGfpMask = 1U << 2,
  kPid = 1U << 3,
  kTgid = 1U << 4,
  kComm = 1U << 5,
  kTsNsec = 1U << 6,
  kFreeTsNsec = 1U << 7,
  kFlags = 1U << 8,
  kPageblockMigratetype = 1U << 9,
  kLastMigrateReason = 1U << 10,
  kMemcg = 1U << 11,  ///< memcg_flags and cgroup_id
  kPfn = 1U << 12,
  kKind = 1U << 13,      ///< kind_flags, page_type, mapping
  kFreeSide = 1U << 14,  ///< free_handle; where the kernel has them, free_pid and free_tgid
  /// In place of kFlags: `flags` is not a word of a kernel, but a number under which
  /// ImportedTexts::page_flags has the names that stood there.
  kFlagNames = 1U << 15,
  kProcess = 1U << 16,  ///< process_state; a running kernel tells it where it is filtered by
};
/// Bits of enum PageField.
using PageFields = std::uint32_t;
/// All of struct pobpf_page, as a kernel tells it.
constexpr PageFields kAllPageFields = (1U << 13) - 1;

/// All that there are.
constexpr PageFields kEveryPageField = (1U << 17) - 1;

constexpr PageFields operator|(PageFields fields, PageField field) {
  return fields | static_cast<PageFields>(field);
}
constexpr PageFields operator|(PageField a, PageField b) {
  return static_cast<PageFields>(a) | static_cast<PageFields>(b);
}
constexpr bool has_field(PageFields fields, PageField field) {
  return (fields & static_cast<PageFields>(field)) != 0;
}

/// Fields that a filter looks at.
PageFields fields_of_filter(pobpf_filter filter);
/// Fields that sums look at, by bits of enum pobpf_group_field, besides the order.
PageFields fields_of_groups(std::uint32_t group_by);

/// "pid, tgid": for messages.
std::string page_field_names(PageFields fields);

}  // namespace pobpf
