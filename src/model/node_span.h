// SPDX-License-Identifier: GPL-2.0-only
// Where a NUMA node's memory lies.
#pragma once

#include "model/pfn_range.h"

namespace pobpf {

/// A node's span of PFNs; nodes can interleave, so other nodes' pages may lie inside.
struct NodeSpan {
  unsigned nid = 0;
  PfnRange pfns;
};

}  // namespace pobpf
