// SPDX-License-Identifier: GPL-2.0-only
#include "model/blocker_kind.h"

#include <array>
#include <string_view>

#include "model/flag_text.h"

namespace pobpf {
namespace {

// linux/mmzone.h, all versions
constexpr std::uint8_t kMigrateMovable = 1;

}  // namespace

const char* blocker_kind_name(pobpf_blocker_kind kind) {
  static constexpr std::array<const char*, POBPF_NR_BLOCKER_KINDS> kNames = {
      "movable",
#define POBPF_BLOCKER_KIND(ID, name) name,
      POBPF_BLOCKER_KIND_LIST(POBPF_BLOCKER_KIND)
#undef POBPF_BLOCKER_KIND
  };
  return kNames.at(kind);
}

pobpf_blocker_kind BlockerKinds::of_type(std::uint32_t page_type) const {
  const std::string_view type = types_.name(page_type);
  if (type == "slab" || type == "large_kmalloc") return POBPF_BLOCKER_SLAB;
  if (type == "table") return POBPF_BLOCKER_PAGE_TABLE;
  if (type == "hugetlb") return POBPF_BLOCKER_HUGETLB;
  // a record does not have the flag that says so
  if (type == "zsmalloc") return POBPF_MOVABLE;
  return POBPF_BLOCKER_UNMOVABLE;
}

pobpf_blocker_kind BlockerKinds::of(const pobpf_page& page, const pobpf_page_detail* detail) const {
  const auto has = [&](const char* flag) {
    return has_page_flag(page.flags, flag, facts_) ||
           (detail != nullptr && has_page_flag(detail->kind_flags, flag, facts_));
  };
  if (has("reserved")) return POBPF_BLOCKER_RESERVED;
  if (has("slab")) return POBPF_BLOCKER_SLAB;
  const std::uint32_t page_type = detail == nullptr ? 0 : detail->page_type;
  const unsigned mapping = detail == nullptr ? 0U : unsigned{detail->mapping};
  pobpf_blocker_kind kind = POBPF_MOVABLE;
  if (page_type != 0)
    kind = of_type(page_type);
  else if (mapping == POBPF_MAPPING_NONE && !has("lru"))
    kind = POBPF_BLOCKER_UNMOVABLE;
  else if (mapping != POBPF_MAPPING_MOVABLE && (has("unevictable") || has("mlocked")))
    kind = POBPF_BLOCKER_MLOCKED;
  if (kind == POBPF_BLOCKER_UNMOVABLE && page.pageblock_migratetype == kMigrateMovable)
    return POBPF_BLOCKER_MIXED;
  return kind;
}

}  // namespace pobpf
