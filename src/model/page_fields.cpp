// SPDX-License-Identifier: GPL-2.0-only
#include "model/page_fields.h"

#include <utility>

namespace pobpf {

std::string page_field_names(PageFields fields) {
  constexpr std::pair<PageField, const char*> kNames[] = {
      {PageField::kHandle, "handle"},
      {PageField::kOrder, "order"},
      {PageField::kGfpMask, "gfp mask"},
      {PageField::kPid, "pid"},
      {PageField::kTgid, "tgid"},
      {PageField::kComm, "task name"},
      {PageField::kTsNsec, "time of allocation"},
      {PageField::kFreeTsNsec, "time of the last free"},
      {PageField::kFlags, "page flags"},
      {PageField::kPageblockMigratetype, "pageblock migratetype"},
      {PageField::kLastMigrateReason, "migrate reason"},
      {PageField::kMemcg, "cgroup"},
      {PageField::kPfn, "PFN"},
      {PageField::kKind, "kind of page"},
      {PageField::kFreeSide, "free side"}};
  std::string names;
  for (const auto& [field, name] : kNames) {
    if (!has_field(fields, field)) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

}  // namespace pobpf
