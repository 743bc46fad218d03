// SPDX-License-Identifier: GPL-2.0-only
#include "reader/windows.h"

#include <algorithm>

namespace pobpf {

std::vector<pobpf_window> make_windows(const std::vector<PfnRange>& ranges,
                                       unsigned pageblock_order, std::uint32_t slot) {
  const unsigned window_order = std::min<unsigned>(POBPF_WINDOW_ORDER, pageblock_order);
  const std::uint64_t window_pages = 1ULL << window_order;
  std::uint64_t nr_pages = 0;
  for (const PfnRange& range : ranges) nr_pages += range.size();

  std::vector<pobpf_window> windows;
  windows.reserve((nr_pages >> window_order) + 2 * ranges.size());
  for (const PfnRange& range : ranges) {
    for (std::uint64_t pfn = range.begin; pfn < range.end;) {
      const std::uint64_t boundary = (pfn & ~(window_pages - 1)) + window_pages;
      const std::uint64_t end = std::min(boundary, range.end);
      pobpf_window window{};
      window.pfn = pfn & ((1ULL << 48) - 1);
      window.last = (end - pfn - 1) & 0xff;
      window.slot = slot & 0xff;
      windows.push_back(window);
      pfn = end;
    }
  }
  return windows;
}

}  // namespace pobpf
