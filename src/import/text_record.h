// SPDX-License-Identifier: GPL-2.0-only
// One record of a text, as it stands there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/page_fields.h"
#include "pobpf/stream.h"

namespace pobpf {

/// Views are into the text, and valid as long as it is.
struct TextRecord {
  /// Numbers, and the flags of memcg; what is not in `fields` is zero. kHandle is in it only if the
  /// number stood there; the rest of the members adds kPageblockMigratetype, kLastMigrateReason and
  /// kMemcg.
  pobpf_page page{};
  PageFields fields = 0;

  std::optional<std::string_view> gfp_names;   ///< what stood in parentheses
  std::optional<std::string_view> flag_names;  ///< likewise
  std::string_view migratetype;                ///< of the gfp mask; empty: not known
  std::string_view block_migratetype;          ///< empty: not known
  std::optional<std::uint64_t> block;          ///< number of the pageblock
  std::optional<bool> is_pfn_decimal;          ///< how its PFN stands there
  std::string_view migrate_reason;             ///< empty: never, if kLastMigrateReason is known
  std::string_view cgroup;                     ///< of POBPF_MEMCG_CHARGED

  bool is_freed = false;  ///< the page is free, and this its last owner

  /// " frame\n" for each frame; no value: not known.
  std::optional<std::string_view> stack;

  // of a sum without pages
  bool is_group = false;
  std::optional<std::uint64_t> nr_allocations;
  std::optional<std::uint64_t> nr_pages;
  std::string_view label;
};

}  // namespace pobpf
