// SPDX-License-Identifier: GPL-2.0-only
#include "reader/chunks.h"

#include <algorithm>
#include <utility>

#include "reader/windows.h"

namespace pobpf {
namespace {

// enough to even out full and empty memory, few enough that making links costs nothing
constexpr std::uint64_t kChunksOfThread = 8;
// 64 MiB with pages of 4 KiB: a millisecond of work or less is not worth a link
constexpr std::uint64_t kWindowsMin = 64;

/// Node of a PFN by the spans; where they interleave the first one is as good as any.
unsigned nid_of(std::uint64_t pfn, const std::vector<NodeSpan>& nodes) {
  for (const NodeSpan& node : nodes)
    if (node.pfns.begin <= pfn && pfn < node.pfns.end) return node.nid;
  return nodes.empty() ? 0 : nodes.front().nid;
}

/// The first window behind that of a PFN that may be of another node.
std::uint64_t first_window_behind_border(std::uint64_t pfn, unsigned window_order,
                                         const std::vector<NodeSpan>& nodes) {
  std::uint64_t border = UINT64_MAX;
  for (const NodeSpan& node : nodes)
    for (const std::uint64_t candidate : {node.pfns.begin, node.pfns.end})
      if (candidate > pfn) border = std::min(border, candidate);
  return border == UINT64_MAX ? border : ((border - 1) >> window_order) + 1;
}

}  // namespace

std::vector<Chunk> make_chunks(const std::vector<PfnRange>& ranges, unsigned window_order,
                               const std::vector<NodeSpan>& nodes, unsigned nr_threads) {
  if (ranges.empty()) return {};
  if (nr_threads <= 1) return {{ranges, nid_of(ranges.front().begin, nodes)}};
  const std::uint64_t wanted =
      count_windows(ranges, window_order) / (std::uint64_t{nr_threads} * kChunksOfThread);
  const std::uint64_t size = std::max(kWindowsMin, wanted);
  std::vector<Chunk> chunks;
  std::uint64_t room = 0;  // windows that the last chunk still takes
  for (const PfnRange& range : ranges) {
    for (std::uint64_t pfn = range.begin; pfn < range.end;) {
      const unsigned nid = nid_of(pfn, nodes);
      if (room == 0 || chunks.back().nid != nid) {
        chunks.push_back({{}, nid});
        room = size;
      }
      const std::uint64_t window = pfn >> window_order;
      const std::uint64_t end_window =
          std::min({window + room, first_window_behind_border(pfn, window_order, nodes),
                    ((range.end - 1) >> window_order) + 1});
      const std::uint64_t end = std::min(range.end, end_window << window_order);
      auto& ranges_of_chunk = chunks.back().ranges;
      if (!ranges_of_chunk.empty() && ranges_of_chunk.back().end == pfn)
        ranges_of_chunk.back().end = end;
      else
        ranges_of_chunk.push_back({pfn, end});
      room -= end_window - window;
      pfn = end;
    }
  }
  return chunks;
}

std::optional<Chunk> ChunkQueue::take(unsigned nid) {
  const std::lock_guard lock(mutex_);
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (is_taken_[i]) continue;
    if (!found || chunks_[i].nid == nid) found = i;
    if (chunks_[i].nid == nid) break;
  }
  if (!found) return std::nullopt;
  is_taken_[*found] = true;
  return std::move(chunks_[*found]);
}

}  // namespace pobpf
