// SPDX-License-Identifier: GPL-2.0-only
#include "model/page_fields.h"

#include <array>
#include <utility>

#include "pobpf/sums.h"

namespace pobpf {

PageFields fields_of_filter(pobpf_filter filter) {
  using enum PageField;
#define POBPF_FILTER(ID, name, fields, ...) PageFields{} | (fields),
  constexpr std::array kFields = {POBPF_EACH_FILTER(POBPF_FILTER)};
#undef POBPF_FILTER
  static_assert(kFields.size() == POBPF_NR_FILTERS);
  return kFields.at(filter);
}

PageFields fields_of_groups(std::uint32_t group_by) {
  using enum PageField;
#define POBPF_GROUP_KEY(ID, Name, name, fields) {POBPF_GROUP_##ID, PageFields{} | (fields)},
  constexpr std::pair<pobpf_group_field, PageFields> kFields[] = {
      {POBPF_GROUP_HANDLE, PageFields{} | kHandle},
      {POBPF_GROUP_KIND, kKind | kHandle},
      {POBPF_GROUP_TIME, PageFields{} | kTsNsec},
      POBPF_GROUP_KEY_LIST(POBPF_GROUP_KEY)};
#undef POBPF_GROUP_KEY
  PageFields result = 0;
  for (const auto& [field, fields] : kFields)
    if ((group_by & static_cast<std::uint32_t>(field)) != 0) result |= fields;
  return result;
}

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
      {PageField::kFreeSide, "free side"},
      {PageField::kProcess, "fate of the process"}};
  std::string names;
  for (const auto& [field, name] : kNames) {
    if (!has_field(fields, field)) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

}  // namespace pobpf
