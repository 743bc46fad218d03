// SPDX-License-Identifier: GPL-2.0-only
// The columns of a listing, whatever its format. docs/json.md has this table, and a test compares
// both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "format/column.h"

namespace pobpf {

/// In the order of CSV, where columns are only ever added at the end.
enum class PageColumn : std::uint8_t {
  kPfn,
  kOrder,
  kNrPages,
  kHandle,
  kPid,
  kTgid,
  kComm,
  kTsNsec,
  kFreeTsNsec,
  kGfpMask,
  kGfpFlags,
  kMigratetype,
  kPageblock,
  kPageblockMigratetype,
  kFlags,
  kPageFlags,
  kNid,
  kZone,
  kLastcpupid,
  kSection,
  kKasantag,
  kLastMigrateReason,
  kSlabMemcg,
  kMemcgName,
  kMemcgId,
  kMemcgOnline,
  kMemcgViaObjcg,
  kStack,
  kFreeHandle,
  kFreePid,
  kFreeTgid,
  kFreeStack,
  kFreed,
  kMemcgPath,
  kCommHex,
};

enum class InCsv : std::uint8_t { kAlways, kWithStacks, kNever };

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which rows read
struct PageColumnInfo {
  const char* key;  ///< in all formats
  Unit unit;
  const char* meaning;  ///< as the documents have it
  const char* json;     ///< type of the value, or which member of an object it is
  InCsv csv = InCsv::kAlways;
};

inline constexpr PageColumnInfo kPageColumns[] = {
    {"pfn", Unit::kNone, "first page frame of the allocation", "number"},
    {"order", Unit::kNone, "size: 2^`order` base pages", "number"},
    {"nr_pages", Unit::kPages, "the same as a number of base pages", "number"},
    {"handle", Unit::kNone, "stack depot handle: one stack, valid until reboot", "number"},
    {"pid", Unit::kNone, "of the allocating task", "number"},
    {"tgid", Unit::kNone, "of the allocating task: its process", "number"},
    {"comm", Unit::kNone, "its name", "string"},
    {"ts_nsec", Unit::kNanoseconds, "local clock at the allocation; 0: early boot", "number"},
    {"free_ts_nsec", Unit::kNanoseconds, "at the last free before it; 0: never", "number"},
    {"gfp_mask", Unit::kNone, "allocation flags", "number"},
    {"gfp_flags", Unit::kNone, "as the running kernel names them", "array of strings"},
    {"migratetype", Unit::kNone, "that the allocation asked for", "string or null"},
    {"pageblock", Unit::kNone, "block of the page", "number"},
    {"pageblock_migratetype", Unit::kNone, "its type; null: unknown to the kernel's table",
     "string or null"},
    {"flags", Unit::kNone, "page->flags word", "string"},
    {"page_flags", Unit::kNone, "the names of its flags", "array of strings"},
    {"nid", Unit::kNone, "node", "number"},
    {"zone", Unit::kNone, "zone", "number"},
    {"lastcpupid", Unit::kNone, "only where this kernel keeps it in page->flags", "number"},
    {"section", Unit::kNone, "only where this kernel keeps it in page->flags", "number"},
    {"kasantag", Unit::kNone, "only where this kernel keeps it in page->flags", "number"},
    {"last_migrate_reason", Unit::kNone, "null: never migrated, or unknown to the kernel's table",
     "string or null"},
    {"slab_memcg", Unit::kNone,
     "the kernel's line `Slab cache page`: a slab with objects charged to memcgs", "boolean"},
    {"memcg_name", Unit::kNone, "name of the cgroup; null: it could not be read",
     "`name` of `memcg`"},
    {"memcg_id", Unit::kNone, "its id", "`id` of `memcg`"},
    {"memcg_online", Unit::kNone, "whether it is still there", "`online` of `memcg`"},
    {"memcg_via_objcg", Unit::kNone, "whether it is charged through an object's cgroup",
     "`via_objcg` of `memcg`"},
    {"stack", Unit::kNone,
     "frames, innermost first; null: it could not be read, and the exit status is 4; not with "
     "`--mode handle`",
     "array of objects or null", InCsv::kWithStacks},
    {"free_handle", Unit::kNone,
     "stack that freed the page before this allocation; 0: never, and then the others are "
     "missing",
     "number"},
    {"free_pid", Unit::kNone, "task that did; missing before Linux 6.8", "number"},
    {"free_tgid", Unit::kNone, "its process; missing before Linux 6.8", "number"},
    {"free_stack", Unit::kNone, "frames of `free_handle`, as `stack`", "array of objects or null",
     InCsv::kWithStacks},
    {"freed", Unit::kNone,
     "only if the page was free: the record is of its last owner, and no memory in use", "`true`"},
    {"memcg_path", Unit::kNone,
     "path of the cgroup from the root of its hierarchy; null: it could not be read",
     "`path` of `memcg`"},
    {"comm_hex", Unit::kNone, "bytes of `comm` in hexadecimal, only if they are not UTF-8",
     "string", InCsv::kNever},
};

[[nodiscard]] constexpr const char* key_of(PageColumn column) {
  return kPageColumns[static_cast<std::size_t>(column)].key;
}

/// Whether a record has this key, the fields of page->flags aside.
[[nodiscard]] constexpr bool is_page_key(std::string_view key) {
  for (std::size_t i = 0; i < std::size(kPageColumns); ++i) {
    const auto column = static_cast<PageColumn>(i);
    const bool is_flag_field = column >= PageColumn::kNid && column <= PageColumn::kKasantag;
    if (!is_flag_field && key == kPageColumns[i].key) return true;
  }
  return key == "memcg";
}

}  // namespace pobpf
