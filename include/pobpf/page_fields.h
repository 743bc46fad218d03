// SPDX-License-Identifier: GPL-2.0-only
// Which fields of struct pobpf_page are known. The running kernel tells all of them; a file may
// not.
#pragma once

#include <cstdint>

namespace pobpf {

/// Fields that can be missing; a missing one is zero and means nothing.
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
  /// In place of kFlags: `flags` is no word of a kernel, but a number under which
  /// ImportedTexts::page_flags has the names that stood there.
  kFlagNames = 1U << 13,
};
/// Bits of enum PageField.
using PageFields = std::uint32_t;
/// What a kernel tells.
constexpr PageFields kAllPageFields = (1U << 13) - 1;

constexpr PageFields operator|(PageFields fields, PageField field) {
  return fields | static_cast<PageFields>(field);
}
constexpr bool has_field(PageFields fields, PageField field) {
  return (fields & static_cast<PageFields>(field)) != 0;
}

}  // namespace pobpf
