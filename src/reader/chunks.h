// SPDX-License-Identifier: GPL-2.0-only
// The memory of a view, cut up for threads that each read a part with a link of their own.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "kernel/machine_facts.h"
#include "model/pfn_range.h"

namespace pobpf {

/// A run of windows on one node.
struct Chunk {
  std::vector<PfnRange> ranges;  ///< joined
  unsigned nid = 0;
};

/// Cuts ascending ranges at the borders of nodes and into some pieces a thread, so that threads end
/// together although memory is not equally full; never inside a window. One thread has one chunk:
/// no more links than are needed.
[[nodiscard]] std::vector<Chunk> make_chunks(const std::vector<PfnRange>& ranges,
                                             unsigned window_order,
                                             const std::vector<NodeSpan>& nodes,
                                             unsigned nr_threads);

/// Chunks that nobody has taken yet. Thread-safe.
class ChunkQueue {
 public:
  explicit ChunkQueue(std::vector<Chunk> chunks)
      : chunks_(std::move(chunks)), is_taken_(chunks_.size()) {}
  /// One of this node if there is any, else of another; no value at the end.
  std::optional<Chunk> take(unsigned nid);

 private:
  std::mutex mutex_;
  std::vector<Chunk> chunks_;
  std::vector<bool> is_taken_;
};

}  // namespace pobpf
