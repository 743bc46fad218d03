// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_blockers.h"

#include <algorithm>
#include <utility>

namespace pobpf {
namespace {

SumRequest sum_request(const BlockerRequest& request) {
  SumRequest sums;
  sums.group_by = request.group_by;
  return sums;
}

}  // namespace

PageBlockers::PageBlockers(const BlockerRequest& request, std::vector<PfnRange> memory,
                           const KernelFacts& facts, const PageTypes& types,
                           const BlockerSink& sink)
    : order_(request.order),
      memory_(std::move(memory)),
      sink_(sink),
      kinds_(facts, types),
      sums_(sum_request(request), facts, types),
      zones_(facts) {}

std::uint64_t PageBlockers::pages_of(std::uint64_t block) const {
  const PfnRange all{block << order_, (block + 1) << order_};
  // of an import it is not known where memory lies
  if (memory_.empty()) return all.size();
  std::uint64_t nr_pages = 0;
  for (const PfnRange& range : intersection(memory_, {all})) nr_pages += range.size();
  return nr_pages;
}

void PageBlockers::end_block() {
  if (!std::exchange(has_block_, false)) return;
  const std::uint64_t nr_used = std::uint64_t{state_.nr_movable} + state_.nr_blocking;
  if (nr_used < state_.nr_pages)
    state_.nr_free = static_cast<std::uint32_t>(state_.nr_pages - nr_used);
  sink_({state_, blockers_, nr_alike_});
}

void PageBlockers::begin_block(std::uint64_t block) {
  end_block();
  blockers_.clear();
  state_ = {};
  state_.kind = POBPF_ITEM_WINDOW_STATE;
  state_.pfn = block << order_;
  state_.nr_pages = static_cast<std::uint32_t>(pages_of(block));
  has_block_ = true;
  nr_alike_ = 1;
  next_block_ = block + 1;
}

void PageBlockers::pass_blocks_before(std::uint64_t block) {
  for (const PfnRange& range : memory_) {
    const std::uint64_t end = std::min(block, ((range.end - 1) >> order_) + 1);
    const std::uint64_t first = std::max(next_block_, range.begin >> order_);
    if (first >= end) continue;
    begin_block(first);
    // only its first and its last block may lie in the range in part
    if (const std::uint64_t nr_between = end - first - 1; nr_between > 1) {
      begin_block(first + 1);
      nr_alike_ = nr_between - 1;
      next_block_ = first + nr_between;
    }
    if (next_block_ < end) begin_block(end - 1);
  }
}

bool PageBlockers::add(const pobpf_page& page, const pobpf_page_detail* detail) {
  if (page.pfn < std::exchange(last_pfn_, page.pfn)) return false;
  sums_.add(page, detail);
  pobpf_blocker blocker{};
  blocker.kind = POBPF_ITEM_BLOCKER;
  blocker.blocker = static_cast<__u8>(kinds_.of(page, detail));
  blocker.holder = POBPF_HOLDER_OWNER;
  if (sums_.group() == kOtherGroup)
    blocker.key.is_other = 1;
  else
    blocker.key = sums_.groups()[sums_.group()].key;
  const PageZone zone = zones_.of(page.flags);
  const std::uint64_t end = page.pfn + (std::uint64_t{1} << page.order);
  for (std::uint64_t pfn = page.pfn; pfn < end;) {
    const std::uint64_t block = pfn >> order_;
    if (!has_block_ || block >= next_block_) {
      pass_blocks_before(block);
      begin_block(block);
      state_.nid = static_cast<__u16>(zone.nid.value_or(0));
      state_.zone = static_cast<__u8>(zone.zone.value_or(0));
      state_.migratetype = page.pageblock_migratetype;
    }
    const std::uint64_t piece_end = std::min(end, (block + 1) << order_);
    blocker.pfn = pfn;
    blocker.nr_pages = static_cast<__u32>(piece_end - pfn);
    if (blocker.blocker == POBPF_MOVABLE) {
      state_.nr_movable += blocker.nr_pages;
    } else {
      state_.nr_blocking += blocker.nr_pages;
      blockers_.push_back(blocker);
    }
    pfn = piece_end;
  }
  return true;
}

void PageBlockers::finish() {
  pass_blocks_before(UINT64_MAX);
  end_block();
}

}  // namespace pobpf
