// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_sums.h"

#include <fmt/format.h>

#include <utility>

#include "model/flag_text.h"

namespace pobpf {
namespace {

void add_to(pobpf_group_sum& sum, const pobpf_group_sum& other) {
  sum.pages += other.pages;
  sum.allocations += other.allocations;
  sum.ts_sum += other.ts_sum;
}

}  // namespace

PageSums::PageSums(const SumRequest& request, const KernelFacts& facts, const PageTypes& types)
    : request_(request),
      facts_(facts),
      stack_order_min_(make_kind_facts(types, facts).stack_order_min) {
  for (auto [field, name] : {std::pair(&node_, "node"), {&zone_, "zone"}})
    if (const PageFlagField* found = facts.field(name); found != nullptr)
      *field = {found->shift, found->mask};
}

PageFields PageSums::needed_fields() const {
  constexpr std::pair<pobpf_group_field, PageFields> kNeeds[] = {
      {POBPF_GROUP_HANDLE, PageFields{} | PageField::kHandle},
      {POBPF_GROUP_TGID, PageFields{} | PageField::kTgid},
      {POBPF_GROUP_PID, PageFields{} | PageField::kPid},
      {POBPF_GROUP_COMM, PageFields{} | PageField::kComm},
      {POBPF_GROUP_GFP, PageFields{} | PageField::kGfpMask},
      {POBPF_GROUP_MIGRATETYPE, PageFields{} | PageField::kGfpMask},
      {POBPF_GROUP_NID, PageFields{} | PageField::kFlags},
      {POBPF_GROUP_ZONE, PageFields{} | PageField::kFlags},
      {POBPF_GROUP_MEMCG, PageFields{} | PageField::kMemcg},
      {POBPF_GROUP_KIND, PageFields{} | PageField::kKind | PageField::kHandle},
      {POBPF_GROUP_TIME, PageFields{} | PageField::kTsNsec}};
  // how many pages an allocation has is always asked
  PageFields needed = PageFields{} | PageField::kOrder;
  for (const auto& [field, fields] : kNeeds)
    if (is_by(field)) needed |= fields;
  return needed;
}

Status PageSums::check_fields(PageFields known) const {
  if ((needed_fields() & ~known) == 0) return {};
  return fail(ErrorKind::kFailed,
              fmt::format("pages of the snapshot lack what is summed up by: {}",
                          page_field_names(needed_fields() & ~known)),
              "choose other fields with --by");
}

void set_kind(pobpf_group_key& key, const pobpf_page& page, const pobpf_page_detail& detail,
              std::uint32_t stack_order_min) {
  key.page_flags = detail.kind_flags;
  key.page_type = detail.page_type;
  key.mapping = detail.mapping;
  // only its stack can tell
  if (key.page_type == 0 && (key.mapping == 0 || page.order >= stack_order_min))
    key.handle = page.handle;
}

pobpf_group_key PageSums::key_of(const pobpf_page& page, const pobpf_page_detail* detail) const {
  pobpf_group_key key{};
  if (is_by(POBPF_GROUP_KIND) && detail != nullptr) set_kind(key, page, *detail, stack_order_min_);
  if (is_by(POBPF_GROUP_HANDLE)) key.handle = page.handle;
  if (is_by(POBPF_GROUP_TGID)) key.tgid = page.tgid;
  if (is_by(POBPF_GROUP_PID)) key.pid = page.pid;
  if (is_by(POBPF_GROUP_COMM)) std::memcpy(key.comm, page.comm, sizeof(key.comm));
  if (is_by(POBPF_GROUP_ORDER)) key.order = static_cast<std::uint8_t>(page.order);
  if (is_by(POBPF_GROUP_GFP)) key.gfp_mask = page.gfp_mask;
  if (is_by(POBPF_GROUP_MIGRATETYPE))
    key.migratetype = static_cast<std::uint8_t>(gfp_migratetype(page.gfp_mask, facts_));
  if (is_by(POBPF_GROUP_NID))
    key.nid = static_cast<std::uint16_t>(page.flags >> node_.shift & node_.mask);
  if (is_by(POBPF_GROUP_ZONE))
    key.zone = static_cast<std::uint8_t>(page.flags >> zone_.shift & zone_.mask);
  if (is_by(POBPF_GROUP_MEMCG)) {
    key.cgroup_id = page.cgroup_id;
    key.memcg_flags = page.memcg_flags & POBPF_MEMCG_OFFLINE;
  }
  return key;
}

void PageSums::add(const pobpf_page& page, const pobpf_page_detail* detail) {
  // what is asked most needs no key
  if (request_.group_by == POBPF_GROUP_HANDLE) {
    if (page.handle != key_.handle) {
      flush();
      key_.handle = page.handle;
    }
  } else if (const pobpf_group_key key = key_of(page, detail); !KeyEqual()(key, key_)) {
    flush();
    key_ = key;
  }
  sum_.pages += std::uint64_t{1} << (page.order & 31U);
  ++sum_.allocations;
  if (is_by(POBPF_GROUP_TIME)) sum_.ts_sum += page.ts_nsec >> POBPF_TS_SUM_SHIFT;
}

void PageSums::flush() {
  if (sum_.allocations == 0) return;
  auto found = groups_.find(key_);
  if (found == groups_.end() && groups_.size() < request_.groups_max)
    found = groups_.emplace(key_, pobpf_group_sum{}).first;
  add_to(found == groups_.end() ? other_ : found->second, sum_);
  sum_ = {};
}

GroupSums PageSums::take() {
  flush();
  GroupSums sums;
  sums.groups.reserve(groups_.size());
  for (const auto& [key, sum] : groups_) sums.groups.push_back({key, sum});
  sums.other = other_;
  return sums;
}

}  // namespace pobpf
