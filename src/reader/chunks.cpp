// SPDX-License-Identifier: GPL-2.0-only
#include "reader/chunks.h"

#include <algorithm>

namespace pobpf {
namespace {

// enough to even out full and empty memory, few enough that making links costs nothing
constexpr std::size_t kChunksOfThread = 8;
// 64 MiB with pages of 4 KiB: a millisecond of work or less is not worth a link
constexpr std::size_t kWindowsMin = 64;

/// Node of a PFN by the spans; where they interleave the first one is as good as any.
unsigned nid_of(std::uint64_t pfn, const std::vector<NodeSpan>& nodes) {
  for (const NodeSpan& node : nodes)
    if (node.pfns.begin <= pfn && pfn < node.pfns.end) return node.nid;
  return nodes.empty() ? 0 : nodes.front().nid;
}

}  // namespace

std::vector<Chunk> make_chunks(std::span<const pobpf_window> windows,
                               const std::vector<NodeSpan>& nodes, unsigned nr_threads) {
  if (windows.empty()) return {};
  if (nr_threads <= 1) return {{windows, nid_of(windows.front().pfn, nodes)}};
  const std::size_t wanted = windows.size() / (nr_threads * kChunksOfThread);
  const std::size_t size = std::max(kWindowsMin, wanted);
  std::vector<Chunk> chunks;
  std::size_t begin = 0;
  unsigned nid = nid_of(windows.front().pfn, nodes);
  for (std::size_t i = 1; i <= windows.size(); ++i) {
    const bool is_end = i == windows.size();
    const unsigned next_nid = is_end ? nid : nid_of(windows[i].pfn, nodes);
    if (!is_end && next_nid == nid && i - begin < size) continue;
    chunks.push_back({windows.subspan(begin, i - begin), nid});
    begin = i;
    nid = next_nid;
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
  return chunks_[*found];
}

}  // namespace pobpf
