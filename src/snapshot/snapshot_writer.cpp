// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_writer.h"

#include <vector>

#include "snapshot/format.h"
#include "snapshot/header_message.h"
#include "snapshot/numbers.h"
#include "snapshot/text_list.h"

namespace pobpf {

Status SnapshotWriter::begin(const SnapshotHeader& header) {
  item_.Clear();
  write_header(header, *item_.mutable_header());
  return frames_.append(item_, out_);
}

Status SnapshotWriter::append(std::span<const pobpf_page> pages, PageFields fields,
                              std::span<const pobpf_page_detail> details) {
  if (fields != block_.fields() || has_details_ == details.empty()) {
    if (auto status = write_block(); !status) return status;
    block_.set_fields(fields);
    has_details_ = !details.empty();
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    block_.add(pages[i]);
    if (has_details_) {
      block_.add_kind(details[i]);
      block_.add_process(details[i]);
    }
    if (has_details_ && free_sides_ == FreeSidePolicy::kRecord) block_.add_free_side(details[i]);
    if (!block_.is_full()) continue;
    if (auto status = write_block(); !status) return status;
  }
  return {};
}

Status SnapshotWriter::append(const DecodedGroups& groups) {
  if (auto status = write_block(); !status) return status;
  if (groups.records.pages.empty()) return {};
  block_.set_fields(groups.records.fields);
  for (const pobpf_page& record : groups.records.pages) block_.add(record);
  if (auto status = write_context(); !status) return status;
  item_.Clear();
  snapshot::Groups& message = *item_.mutable_groups();
  const auto numbers = [](const std::vector<std::uint64_t>& values) {
    return std::vector<std::int64_t>(values.begin(), values.end());
  };
  if (!groups.nr_allocations.empty())
    write_numbers(numbers(groups.nr_allocations), *message.mutable_nr_allocations());
  if (!groups.nr_pages.empty())
    write_numbers(numbers(groups.nr_pages), *message.mutable_nr_pages());
  for (const std::string& label : groups.labels)
    append_to_list(*message.mutable_label(), label, kNameBytesMax);
  // lent, not copied
  message.unsafe_arena_set_allocated_record(&block_.finish());
  auto status = frames_.append(item_, out_);
  static_cast<void>(message.unsafe_arena_release_record());
  if (!status) return status;
  ++footer_.nr_blocks;
  footer_.nr_groups += groups.records.pages.size();
  block_.clear();
  return {};
}

Status SnapshotWriter::append(const NewTexts& texts) {
  // pages that came before must not get texts that they did not have
  if (auto status = write_block(); !status) return status;
  if (texts.is_empty()) return {};
  constexpr std::size_t kTextsOfItem = kItemBytesUsual / (2 * kNameBytesMax);
  for (std::size_t begin = 0; begin == 0 || begin < nr_texts(texts); begin += kTextsOfItem) {
    item_.Clear();
    write_texts(texts, begin, begin + kTextsOfItem, *item_.mutable_texts());
    if (auto status = frames_.append(item_, out_); !status) return status;
    ++footer_.nr_texts;
  }
  return {};
}

Status SnapshotWriter::write_context() {
  if (auto status = write_stacks(); !status) return status;
  return write_cgroups();
}

Status SnapshotWriter::write_block() {
  if (block_.is_empty()) return {};
  if (auto status = write_context(); !status) return status;
  item_.Clear();
  snapshot::Pages& pages = block_.finish();
  // lent, not copied
  item_.unsafe_arena_set_allocated_pages(&pages);
  auto status = frames_.append(item_, out_);
  static_cast<void>(item_.unsafe_arena_release_pages());
  if (!status) return status;
  ++footer_.nr_blocks;
  footer_.nr_pages += pages.nr_pages();
  block_.clear();
  return {};
}

Status SnapshotWriter::add_stack(std::uint32_t handle) {
  context_.add_stack(handle, *item_.mutable_stacks());
  const snapshot::Stacks& stacks = item_.stacks();
  // all but the symbols are numbers, of which a few are longer than 4 bytes
  const auto nr_numbers = static_cast<std::size_t>(stacks.location_size()) +
                          3 * static_cast<std::size_t>(stacks.handle_size());
  if (stacks.symbol().size() + stacks.reason().size() + 4 * nr_numbers < kItemBytesUsual) return {};
  return write_stacks_item();
}

Status SnapshotWriter::write_stacks_item() {
  if (item_.stacks().handle_size() == 0) return {};
  context_.finish(*item_.mutable_stacks());
  auto status = frames_.append(item_, out_);
  item_.Clear();
  return status;
}

Status SnapshotWriter::write_stacks() {
  if (!has_field(block_.fields(), PageField::kHandle)) return {};
  item_.Clear();
  for (const BlockEncoder::Site& site : block_.sites())
    if (auto status = add_stack(site.handle); !status) return status;
  for (const BlockEncoder::FreeSide& side : block_.free_sides()) {
    if (side.handle == 0) continue;
    if (auto status = add_stack(side.handle); !status) return status;
  }
  footer_.nr_stacks = context_.nr_stacks();
  return write_stacks_item();
}

Status SnapshotWriter::write_cgroups() {
  item_.Clear();
  for (const BlockEncoder::Charge& charge : block_.charges()) {
    if ((charge.flags & POBPF_MEMCG_CHARGED) == 0) continue;
    context_.add_cgroup(charge.cgroup_id, *item_.mutable_cgroups());
    const snapshot::Cgroups& cgroups = item_.cgroups();
    const auto above_bytes = sizeof(std::uint64_t) * static_cast<std::size_t>(cgroups.above_size());
    if (cgroups.path().size() + cgroups.reason().size() + above_bytes < kItemBytesUsual) continue;
    if (auto status = frames_.append(item_, out_); !status) return status;
    item_.Clear();
  }
  footer_.nr_cgroups = context_.nr_cgroups();
  return item_.cgroups().id_size() == 0 ? Status() : frames_.append(item_, out_);
}

Status SnapshotWriter::end(const std::optional<Account>& account) {
  if (auto status = write_block(); !status) return status;
  footer_.account = account;
  item_.Clear();
  write_footer(footer_, *item_.mutable_footer());
  return frames_.append(item_, out_);
}

}  // namespace pobpf
