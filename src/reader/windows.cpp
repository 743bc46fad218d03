// SPDX-License-Identifier: GPL-2.0-only
#include "reader/windows.h"

#include <algorithm>
#include <utility>

namespace pobpf {

unsigned window_order(unsigned pageblock_order) {
  return std::min<unsigned>(POBPF_WINDOW_ORDER, pageblock_order);
}

std::uint64_t count_windows(const std::vector<PfnRange>& ranges, unsigned order) {
  std::uint64_t count = 0;
  for (const PfnRange& range : ranges)
    if (!range.is_empty()) count += ((range.end - 1) >> order) - (range.begin >> order) + 1;
  return count;
}

std::uint64_t windows_at_once(std::uint64_t count) {
  // 16 GiB with pages of 4 KiB: another iterator every tenth of a second
  constexpr std::uint64_t kMost = 16384;
  const auto divided = [count](std::uint64_t by) { return (count + by - 1) / by; };
  return count == 0 ? 0 : divided(divided(kMost));
}

WindowSource::WindowSource(std::vector<PfnRange> ranges, unsigned pageblock_order,
                           std::uint32_t slot)
    : ranges_(std::move(ranges)),
      window_pages_(1ULL << window_order(pageblock_order)),
      count_(count_windows(ranges_, window_order(pageblock_order))),
      slot_(slot) {
  // which have no window
  std::erase_if(ranges_, [](const PfnRange& range) { return range.is_empty(); });
  if (!ranges_.empty()) pfn_ = ranges_.front().begin;
}

void WindowSource::fill(std::span<pobpf_window> windows) {
  for (pobpf_window& window : windows) {
    window = {};
    window.slot = slot_ & 0xff;
    if (is_at_end()) {
      window.pfn = POBPF_NO_WINDOW;
      continue;
    }
    const std::uint64_t boundary = (pfn_ & ~(window_pages_ - 1)) + window_pages_;
    const std::uint64_t end = std::min(boundary, ranges_[range_].end);
    window.pfn = pfn_ & POBPF_NO_WINDOW;
    window.last = (end - pfn_ - 1) & 0xff;
    pfn_ = end;
    if (pfn_ == ranges_[range_].end && ++range_ < ranges_.size()) pfn_ = ranges_[range_].begin;
  }
}

}  // namespace pobpf
