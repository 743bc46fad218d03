// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/flag_text.h"
#include "model/time_sum.h"
#include "sum/allocator.h"

namespace pobpf {
PageSums::PageSums(const SumRequest& request, const KernelFacts& facts, const PageTypes& types)
    : request_(request),
      facts_(facts),
      stack_order_min_(make_kind_facts(types, facts).stack_order_min),
      zones_(facts) {}

PageFields PageSums::needed_fields() const {
  // how many pages an allocation has is always asked
  return fields_of_groups(request_.group_by) | PageField::kOrder;
}

PageFields PageSums::wanted_fields() const {
  const PageFields needed = needed_fields();
  return is_by(POBPF_GROUP_TGID) ? needed | PageField::kProcess : needed;
}

Status PageSums::check_fields(PageFields known) const {
  const PageFields missing = needed_fields() & ~known;
  if (missing == 0) return {};
  return fail(
      ErrorKind::kFailed,
      fmt::format("pages of the snapshot lack what is summed up by: {}", page_field_names(missing)),
      has_field(missing, PageField::kFreeTsNsec)
          ? "choose other fields with --by, or take the snapshot with pobpf record --free"
          : "choose other fields with --by");
}

void PageSums::set_zone(pobpf_group_key& key, std::uint64_t flags) {
  const PageZone zone = zones_.of(flags);
  if (is_by(POBPF_GROUP_NID)) {
    if (!zone.nid) unknown_ = "node";
    key.nid = static_cast<std::uint16_t>(zone.nid.value_or(0));
  }
  if (is_by(POBPF_GROUP_ZONE)) {
    if (!zone.zone) unknown_ = "zone";
    key.zone = static_cast<std::uint8_t>(zone.zone.value_or(0));
  }
}

pobpf_group_key PageSums::key_of(const pobpf_page& page, const pobpf_page_detail* detail) {
  pobpf_group_key key{};
  if (is_by(POBPF_GROUP_KIND) && detail != nullptr) set_kind(key, page, *detail, stack_order_min_);
  if (is_by(POBPF_GROUP_HANDLE)) key.handle = page.handle;
  if (is_by(POBPF_GROUP_TGID)) {
    key.tgid = page.tgid;
    if (detail != nullptr) key.process_state = detail->process_state;
  }
  if (is_by(POBPF_GROUP_PID)) key.pid = page.pid;
  if (is_by(POBPF_GROUP_COMM)) std::memcpy(key.comm, page.comm, sizeof(key.comm));
  if (is_by(POBPF_GROUP_ORDER)) key.order = static_cast<std::uint8_t>(page.order);
  if (is_by(POBPF_GROUP_GFP)) key.gfp_mask = page.gfp_mask;
  if (is_by(POBPF_GROUP_MIGRATETYPE)) {
    const unsigned migratetype = gfp_migratetype(page.gfp_mask, facts_);
    if (migratetype == kUnknownMigratetype) unknown_ = "migratetype";
    key.migratetype = static_cast<std::uint8_t>(migratetype);
  }
  if (is_by(POBPF_GROUP_NID) || is_by(POBPF_GROUP_ZONE)) set_zone(key, page.flags);
  if (is_by(POBPF_GROUP_FREED)) key.was_freed = page.free_ts_nsec != 0 ? 1 : 0;
  if (is_by(POBPF_GROUP_MIGRATE_REASON)) key.last_migrate_reason = page.last_migrate_reason;
  if (is_by(POBPF_GROUP_MEMCG)) {
    key.cgroup_id = page.cgroup_id;
    key.memcg_flags = page.memcg_flags & (POBPF_MEMCG_OFFLINE | POBPF_MEMCG_UNKNOWN);
  }
  return key;
}

pobpf_group_sum& PageSums::sum_of(const pobpf_page& page, const pobpf_page_detail* detail) {
  // what is asked most needs no key
  const bool is_same =
      key_ && request_.group_by == POBPF_GROUP_HANDLE && page.handle == key_->handle;
  if (!is_same) {
    const pobpf_group_key key = key_of(page, detail);
    if (!key_ || !GroupKeyEqual()(key, *key_)) {
      key_ = key;
      group_ = index_of(key);
    }
  }
  return group_ == kOtherGroup ? sums_.other : sums_.groups[group_].sum;
}

std::uint32_t PageSums::index_of(const pobpf_group_key& key) {
  const auto nr_groups = static_cast<std::uint32_t>(sums_.groups.size());
  if (nr_groups >= std::min(request_.groups_max, groups_max_)) {
    const auto found = index_.find(key);
    if (found != index_.end()) return found->second;
    sums_.is_file_too_small |= nr_groups < request_.groups_max;
    return kOtherGroup;
  }
  const auto [found, is_new] = index_.emplace(key, nr_groups);
  if (is_new) sums_.groups.push_back({key, {}});
  return found->second;
}

Status PageSums::add_sum(const pobpf_page& record, PageFields fields,
                         std::optional<std::uint64_t> nr_allocations,
                         std::optional<std::uint64_t> nr_pages) {
  const PageFields order = PageFields{} | PageField::kOrder;
  if (auto status = check_fields(fields | order); !status) return status;
  const bool has_order = has_field(fields, PageField::kOrder);
  if (is_by(POBPF_GROUP_ORDER) && !has_order)
    return fail(ErrorKind::kFailed, "sums of the snapshot lack the order of their pages",
                "choose other fields with --by");
  // the record stands for allocations of other times
  if (is_by(POBPF_GROUP_TIME))
    return fail(ErrorKind::kFailed, "sums of the snapshot do not say how old their allocations are",
                "sort by something else than age");
  if (!nr_pages && nr_allocations && has_order) nr_pages = *nr_allocations << record.order;
  if (!nr_pages)
    return fail(ErrorKind::kFailed, "a sum of the snapshot does not say how many pages it is of",
                "there is nothing to add up");
  if (!nr_allocations && has_order) nr_allocations = *nr_pages >> record.order;
  if (!nr_allocations) ++sums_.nr_without_allocations;
  pobpf_group_sum& sum = sum_of(record, nullptr);
  sum.allocations =
      allocations_of_both(sum.pages, sum.allocations, *nr_pages, nr_allocations.value_or(0));
  sum.pages += *nr_pages;
  return {};
}

std::uint64_t PageSums::add(const pobpf_page& page, const pobpf_page_detail* detail) {
  pobpf_group_sum& sum = sum_of(page, detail);
  const std::uint64_t nr_pages = std::uint64_t{1} << page.order;
  if (says_allocations(sum.pages, sum.allocations)) ++sum.allocations;
  sum.pages += nr_pages;
  if (is_by(POBPF_GROUP_TIME)) add_time(sum.time, page.ts_nsec);
  return nr_pages;
}

Result<GroupSums> PageSums::take() {
  if (!unknown_.empty())
    return fail(ErrorKind::kFailed,
                fmt::format("pages of the snapshot do not say their {}", unknown_),
                "choose other fields with --by");
  return std::move(sums_);
}

}  // namespace pobpf
