// SPDX-License-Identifier: GPL-2.0-only
// Node and zone of pages, which stand in the upper bits of page->flags.
#pragma once

#include <cstdint>
#include <optional>

#include "model/kernel_facts.h"
#include "util/hash_map.h"

namespace pobpf {

struct PageZone {
  std::optional<std::uint32_t> nid;   ///< no value: an import does not say
  std::optional<std::uint32_t> zone;  ///< enum zone_type; likewise
};

/// By the layout of the kernel, or of an import by what it says of each word.
class PageZones {
 public:
  /// `facts` must outlive it; those of an import may grow.
  explicit PageZones(const KernelFacts& facts);
  [[nodiscard]] PageZone of(std::uint64_t flags) {
    if (facts_->texts) return imported(flags);
    return {static_cast<std::uint32_t>(flags >> node_.shift & node_.mask),
            static_cast<std::uint32_t>(flags >> zone_.shift & zone_.mask)};
  }

 private:
  struct Field {
    unsigned shift = 0;
    std::uint64_t mask = 0;  // 0: the kernel keeps none, all pages have 0
  };
  PageZone imported(std::uint64_t flags);

  const KernelFacts* facts_;
  Field node_;
  Field zone_;
  std::uint64_t version_ = 0;               // of the facts that known_ is of
  HashMap<std::uint64_t, PageZone> known_;  // of words that the facts have a text of
};

}  // namespace pobpf
