// SPDX-License-Identifier: GPL-2.0-only
// Which pages of a file keep a block from being free or movable: what bpf/blockers.bpf.h decides in
// the kernel, as far as records say it. They say nothing of references, so none is pinned.
#pragma once

#include <cstdint>

#include "model/kernel_facts.h"
#include "model/page_types.h"
#include "pobpf/blockers.h"
#include "pobpf/stream.h"

namespace pobpf {

/// "unmovable", "page table": as output has it.
[[nodiscard]] const char* blocker_kind_name(pobpf_blocker_kind kind);

class BlockerKinds {
 public:
  /// Both must outlive it.
  BlockerKinds(const KernelFacts& facts, const PageTypes& types) : facts_(facts), types_(types) {}

  /// `detail` may be null, as of imports: then only the LRU tells pages that can be moved.
  [[nodiscard]] pobpf_blocker_kind of(const pobpf_page& page,
                                      const pobpf_page_detail* detail) const;

 private:
  [[nodiscard]] pobpf_blocker_kind of_type(std::uint32_t page_type) const;

  const KernelFacts& facts_;
  const PageTypes& types_;
};

}  // namespace pobpf
