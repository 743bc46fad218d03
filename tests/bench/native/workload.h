// SPDX-License-Identifier: GPL-2.0-only
// The contents of the benchmark's machine.
#pragma once

#include <cstdint>
#include <memory>

#include "synthetic/machine.h"
#include "util/error.h"

namespace pobpf::bench {

struct Workload {
  std::uint64_t nr_sections = 32;  ///< of 128 MiB
  /// Every page an allocation of its own, the most that there can be; else what a machine with page
  /// cache, huge pages, slab and some free memory looks like.
  bool is_dense = true;
  /// Neighbours that share stack, task and cgroup, on average.
  unsigned run_pages = 16;
  unsigned nr_stacks = 2000;
};

/// The only node says that it has all pages, but they say that they are on another one: a filter by
/// that node matches nothing.
[[nodiscard]] Result<std::unique_ptr<synthetic::Machine>> make_machine(const Workload& workload);

}  // namespace pobpf::bench
