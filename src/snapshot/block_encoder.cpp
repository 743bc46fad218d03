// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/block_encoder.h"

#include <cstring>
#include <string_view>

#include "snapshot/numbers.h"
#include "snapshot/text_list.h"

namespace pobpf {
namespace {

/// All but PFN and times, compared in pieces of several members.
bool is_same_but_for_numbers(const pobpf_page& a, const pobpf_page& b) {
  static_assert(offsetof(pobpf_page, pfn) == 8 && offsetof(pobpf_page, gfp_mask) == 48 &&
                sizeof(pobpf_page) == 80);
  return std::memcmp(&a, &b, 8) == 0 && a.flags == b.flags && a.cgroup_id == b.cgroup_id &&
         std::memcmp(&a.gfp_mask, &b.gfp_mask, 32) == 0;
}

}  // namespace

void RunColumn::write(snapshot::Column& column, std::size_t nr_pages) const {
  column.Clear();
  // a run is a value and a length
  if (runs_.size() * 2 <= nr_pages) {
    column.mutable_value()->Add(values_.begin(), values_.end());
    column.mutable_run()->Add(runs_.begin(), runs_.end());
    return;
  }
  auto& values = *column.mutable_value();
  values.Reserve(static_cast<int>(nr_pages));
  for (std::size_t i = 0; i < values_.size(); ++i)
    for (std::uint32_t page = 0; page < runs_[i]; ++page) values.AddAlreadyReserved(values_[i]);
}

BlockEncoder::BlockEncoder() { clear(); }

void BlockEncoder::add(const pobpf_page& page) {
  if (nr_pages_ != 0 && is_same_but_for_numbers(page, last_)) {
    ++nr_repeated_;
  } else {
    add_repeated();
    add_shared(page);
  }
  gaps_.push_back(difference(page.pfn, next_pfn_));
  next_pfn_ = end_pfn(page.pfn, page.order);

  ts_nsec_.push_back(page.ts_nsec);
  if (has(PageField::kFreeTsNsec)) {
    const bool was_freed = page.free_ts_nsec != 0;
    was_freed_.add(was_freed ? 1 : 0, 1);
    if (was_freed) free_ts_nsec_.push_back(page.free_ts_nsec);
  }
  last_ = page;
  ++nr_pages_;
}

void BlockEncoder::add_shared(const pobpf_page& page) {
  site_ = sites_.index_of({page.handle, page.gfp_mask, page.order});
  Task task{page.pid, page.tgid, {}};
  std::memcpy(task.comm.data(), page.comm, sizeof(page.comm));
  task_ = tasks_.index_of(task);
  flags_word_ = flag_words_.index_of(page.flags);
  charge_ = charges_.index_of({page.cgroup_id, page.memcg_flags});
  nr_repeated_ = 1;
}

void BlockEncoder::add_kind(const pobpf_page_detail& detail) {
  kind_column_.add(kinds_.index_of({detail.kind_flags, detail.page_type, detail.mapping}), 1);
}

void BlockEncoder::add_free_side(const pobpf_page_detail& detail) {
  free_side_column_.add(free_sides_.index_of({detail.free_handle, detail.free_pid, detail.free_tgid,
                                              detail.has_free_pid}),
                        1);
}

void BlockEncoder::add_process(const pobpf_page_detail& detail) {
  process_.add(detail.process_state, 1);
  knows_processes_ |= detail.process_state != POBPF_PROCESS_UNKNOWN;
}

/// The pages since the last that differed, with what they share.
void BlockEncoder::add_repeated() {
  if (nr_repeated_ == 0) return;
  site_column_.add(site_, nr_repeated_);
  task_column_.add(task_, nr_repeated_);
  flags_.add(flags_word_, nr_repeated_);
  pageblock_migratetype_.add(last_.pageblock_migratetype, nr_repeated_);
  last_migrate_reason_.add(static_cast<std::uint32_t>(to_zigzag(last_.last_migrate_reason)),
                           nr_repeated_);
  charge_column_.add(charge_, nr_repeated_);
  is_freed_.add(is_freed(last_) ? 1 : 0, nr_repeated_);
  nr_repeated_ = 0;
}

snapshot::Pages& BlockEncoder::finish() {
  add_repeated();
  message_.set_nr_pages(static_cast<std::uint32_t>(nr_pages_));
  write_columns();
  write_sites();
  write_tasks();
  write_flags();
  write_details();
  return message_;
}

void BlockEncoder::write_details() {
  if (knows_processes_) process_.write(*message_.mutable_process(), nr_pages_);
  if (!kinds_.values().empty()) kind_column_.write(*message_.mutable_kind(), nr_pages_);
  for (const Kind& kind : kinds_.values()) {
    message_.mutable_kinds()->add_flags(kind.flags);
    message_.mutable_kinds()->add_page_type(kind.page_type);
    message_.mutable_kinds()->add_mapping(kind.mapping);
  }
  if (!free_sides_.values().empty())
    free_side_column_.write(*message_.mutable_free_side(), nr_pages_);
  for (const FreeSide& side : free_sides_.values()) {
    message_.mutable_free_sides()->add_handle(side.handle);
    if (side.has_pid == 0) continue;
    message_.mutable_free_sides()->add_pid(side.pid);
    message_.mutable_free_sides()->add_tgid(side.tgid);
  }
}

/// A column of what is not known is absent.
void BlockEncoder::write_columns() {
  if (has(PageField::kPfn)) write_numbers(gaps_, *message_.mutable_gap());
  if (has(PageField::kTsNsec)) write_differences(ts_nsec_, *message_.mutable_ts_nsec());
  if (has(PageField::kFreeTsNsec)) {
    was_freed_.write(*message_.mutable_was_freed(), nr_pages_);
    write_differences(free_ts_nsec_, *message_.mutable_free_ts_nsec());
  }
  if (has(PageField::kPageblockMigratetype))
    pageblock_migratetype_.write(*message_.mutable_pageblock_migratetype(), nr_pages_);
  if (is_freed_.has(1)) is_freed_.write(*message_.mutable_is_freed(), nr_pages_);
  if (has(PageField::kLastMigrateReason))
    last_migrate_reason_.write(*message_.mutable_last_migrate_reason(), nr_pages_);
  if (!has(PageField::kMemcg)) return;
  charge_column_.write(*message_.mutable_charge(), nr_pages_);
  for (const Charge& charge : charges_.values()) {
    message_.mutable_charges()->add_cgroup_id(charge.cgroup_id);
    message_.mutable_charges()->add_flags(static_cast<std::uint32_t>(charge.flags));
  }
}

void BlockEncoder::write_sites() {
  if (!has(PageField::kHandle) && !has(PageField::kOrder) && !has(PageField::kGfpMask)) return;
  site_column_.write(*message_.mutable_site(), nr_pages_);
  snapshot::Sites& sites = *message_.mutable_sites();
  for (const Site& site : sites_.values()) {
    if (has(PageField::kHandle)) sites.add_handle(site.handle);
    if (has(PageField::kOrder)) sites.add_order(static_cast<std::uint32_t>(site.order));
    if (has(PageField::kGfpMask)) sites.add_gfp_mask(site.gfp_mask);
  }
}

void BlockEncoder::write_tasks() {
  if (!has(PageField::kPid) && !has(PageField::kTgid) && !has(PageField::kComm)) return;
  task_column_.write(*message_.mutable_task(), nr_pages_);
  snapshot::Tasks& tasks = *message_.mutable_tasks();
  for (const Task& task : tasks_.values()) {
    if (has(PageField::kPid)) tasks.add_pid(task.pid);
    if (has(PageField::kTgid)) tasks.add_tgid(task.tgid);
    const auto* comm = reinterpret_cast<const char*>(task.comm.data());
    if (has(PageField::kComm))
      append_to_list(*tasks.mutable_comm(), {comm, task.comm.size()}, task.comm.size());
  }
}

void BlockEncoder::write_flags() {
  if (!has(PageField::kFlags) && !has(PageField::kFlagNames)) return;
  flags_.write(*message_.mutable_flags(), nr_pages_);
  const auto& words = flag_words_.values();
  message_.mutable_flag_words()->Add(words.begin(), words.end());
  message_.set_has_flag_names_only(!has(PageField::kFlags));
}

void BlockEncoder::clear() {
  // keeps the room that there is
  message_.Clear();
  gaps_.clear();
  ts_nsec_.clear();
  free_ts_nsec_.clear();
  nr_pages_ = 0;
  last_ = {};
  next_pfn_ = 0;
  sites_.clear();
  tasks_.clear();
  flag_words_.clear();
  charges_.clear();
  kinds_.clear();
  free_sides_.clear();
  for (RunColumn* column : {&site_column_, &task_column_, &was_freed_, &flags_,
                            &pageblock_migratetype_, &last_migrate_reason_, &charge_column_,
                            &is_freed_, &kind_column_, &free_side_column_, &process_})
    column->clear();
  knows_processes_ = false;
}

}  // namespace pobpf
