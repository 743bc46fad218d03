// SPDX-License-Identifier: GPL-2.0-only
// The memory that CMA hands out: contiguous, and lent to what can be moved.
#pragma once

#include <string>
#include <vector>

#include "model/pfn_range.h"
#include "util/error.h"

namespace pobpf {

struct CmaArea {
  std::string name;
  std::vector<PfnRange> pfns;  ///< joined
};

/// The areas of the running kernel. kUnsupported if it has no CMA.
[[nodiscard]] Result<std::vector<CmaArea>> read_cma_areas();

}  // namespace pobpf
