// SPDX-License-Identifier: GPL-2.0-only
// All that formatters need to know of the kernel that a record came from. Plain data: filled from
// the running kernel by src/kernel/machine_facts.cpp, from a file by its reader, by hand in tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// One row of the kernel's `struct trace_print_flags` tables (mm/debug.c: gfpflag_names,
/// pageflag_names), in table order: composite names come first, and order decides the text.
struct FlagName {
  std::uint64_t mask = 0;
  std::string name;
};

/// One row of lib/vsprintf.c: pff[]: a number kept in the upper bits of page->flags.
struct PageFlagField {
  unsigned width = 0;  ///< bits; 0 = not in this kernel's page->flags
  unsigned shift = 0;
  std::uint64_t mask = 0;  ///< applied after the shift
  std::string name;        ///< "section", "node", "zone", "lastcpupid", "kasantag"
  bool is_hex = false;     ///< printed as 0x...
};

/// The words of an imported text for a gfp mask.
struct GfpText {
  std::optional<std::string> names;     ///< "GFP_KERNEL|__GFP_ZERO"; no value: only the number
  std::optional<unsigned> migratetype;  ///< index of migratetype_names

  bool operator==(const GfpText&) const = default;
};

/// The kernel of an import cannot be asked: these stood beside the numbers.
struct ImportedTexts {
  std::map<std::uint32_t, GfpText> gfp;  ///< by mask
  /// By flags word: "lru|node=0|zone=1"; a word that is missing stood there without names.
  std::map<std::uint64_t, std::string> page_flags;
  /// Raised when these or other facts change, as what was made of them may be out of date then.
  std::uint64_t version = 0;
};

/// How records are printed where kernels differ; each by itself, as distributions mix them.
/// docs/kernels.md says which kernels print how.
struct TextLayout {
  bool is_pfn_decimal = false;
  bool shows_free_ts = false;  ///< of records of which it is known
  bool omits_charges = false;  ///< no lines about cgroups

  bool operator==(const TextLayout&) const = default;
};

/// Everything that decides the text of a record. Names come from the kernel, never from a copy.
struct KernelFacts {
  std::vector<FlagName> gfp_names;
  std::vector<FlagName> page_flag_names;
  std::vector<PageFlagField> page_flag_fields;
  // by number; empty where a number has no name
  std::vector<std::string> zone_names;            ///< enum zone_type
  std::vector<std::string> migratetype_names;     ///< enum migratetype
  std::vector<std::string> migrate_reason_names;  ///< enum migrate_reason
  /// last_migrate_reason of a page that never migrated: -1 up to 7.2, MR_NEVER from 7.3 on.
  int migrate_reason_never = -1;
  // no value: an import does not say
  std::optional<unsigned> pageblock_order = 9;
  std::optional<unsigned> max_page_order = 10;
  /// No value: it could not be found out. Of an import: how the records that were read last were.
  std::optional<TextLayout> text_layout;
  std::string text_layout_gap;  ///< why there is none: behind "not known: "
  /// gfp_migratetype(): GFP_MOVABLE_SHIFT and GFP_MOVABLE_MASK.
  unsigned gfp_migratetype_shift = 3;
  std::uint32_t gfp_migratetype_mask = 3;
  /// page_group_by_mobility_disabled: gfp_migratetype() is always 0 then.
  bool is_mobility_grouping_disabled = false;
  /// An import has these instead of gfp_names, page_flag_names and page_flag_fields, which are
  /// empty; grows, as the other names do, while the file is read.
  std::optional<ImportedTexts> texts;

  /// The block that a page is in; no value where that is not known.
  [[nodiscard]] std::optional<std::uint64_t> pageblock(std::uint64_t pfn) const {
    if (!pageblock_order) return std::nullopt;
    return pfn >> *pageblock_order;
  }

  /// kUnsupported where it is not known.
  [[nodiscard]] Result<TextLayout> known_text_layout() const {
    if (text_layout) return *text_layout;
    return fail(ErrorKind::kUnsupported,
                "how the kernel prints records is not known: " + text_layout_gap,
                "ask for JSON or CSV, which do not depend on it");
  }

  /// ImportedTexts::version; those of a kernel never change.
  [[nodiscard]] std::uint64_t version() const { return texts ? texts->version : 0; }

  /// Position of a field in page->flags; nullptr where the kernel keeps none.
  [[nodiscard]] const PageFlagField* field(const std::string& name) const {
    for (const auto& candidate : page_flag_fields)
      if (candidate.name == name && candidate.width != 0) return &candidate;
    return nullptr;
  }
};

}  // namespace pobpf
