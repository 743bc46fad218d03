// SPDX-License-Identifier: GPL-2.0-only
// Blockers as far as the records of a file tell of them: the same as emit_blockers of
// bpf/page_owner.bpf.c does in the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "model/blocker_kind.h"
#include "model/pfn_range.h"
#include "reader/session.h"
#include "snapshot/page_sums.h"
#include "snapshot/page_zone.h"

namespace pobpf {

/// Makes a window of each block. Pages without a record are taken for free: a file does not tell
/// them apart. Not thread-safe.
class PageBlockers {
 public:
  /// `memory`: where pages can be, joined; blocks without a record are those of it. `facts` and
  /// `types` are those of the machine, and must outlive it.
  PageBlockers(const BlockerRequest& request, std::vector<PfnRange> memory,
               const KernelFacts& facts, const PageTypes& types, const BlockerSink& sink);

  /// See PageSums.
  [[nodiscard]] PageSums& sums() { return sums_; }
  /// A record, whose PFN is not before that of the last one; `detail` may be null. False: it is.
  [[nodiscard]] bool add(const pobpf_page& page, const pobpf_page_detail* detail);
  /// Behind the last record.
  void finish();

 private:
  /// Where there is memory.
  [[nodiscard]] std::uint64_t pages_of(std::uint64_t block) const;
  void begin_block(std::uint64_t block);
  void end_block();
  /// Blocks without a record.
  void pass_blocks_before(std::uint64_t block);

  unsigned order_;
  std::vector<PfnRange> memory_;
  const BlockerSink& sink_;
  BlockerKinds kinds_;
  PageSums sums_;
  PageZones zones_;
  std::uint64_t last_pfn_ = 0;
  std::uint64_t next_block_ = 0;
  std::uint64_t nr_alike_ = 1;
  bool has_block_ = false;  // the one before the next, in state_ and blockers_
  pobpf_window_state state_{};
  std::vector<pobpf_blocker> blockers_;
};

}  // namespace pobpf
