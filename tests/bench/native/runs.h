// SPDX-License-Identifier: GPL-2.0-only
// One measured pass over the machine, in a process of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "synthetic/machine.h"
#include "util/error.h"

namespace pobpf::bench {

/// The work of a pass on the pages.
enum class Pass {
  kBareWalk,     ///< nothing
  kSumHandles,   ///< count_pages by handle
  kSumGroups,    ///< count_pages by task name, order, node and cgroup
  kRejectNid,    ///< emit_pages, all pages on another node
  kRejectOrder,  ///< the object with all filters: an order that there is none of
  kRejectComm,   ///< a task name that there is none of
  kRecords,      ///< records to /dev/null
  kHandleText,   ///< kernel text without stacks to /dev/null
  kStackText,    ///< kernel text to /dev/null
};

struct PassName {
  Pass pass;
  const char* name;
};

inline constexpr PassName kPasses[] = {
    {Pass::kBareWalk, "walk only"},
    {Pass::kSumHandles, "sums by stack"},
    {Pass::kSumGroups, "sums by comm, order, nid, memcg"},
    {Pass::kRejectNid, "records, --nid matches nothing"},
    {Pass::kRejectOrder, "records, --order matches nothing"},
    {Pass::kRejectComm, "records, --comm matches nothing"},
    {Pass::kRecords, "records"},
    {Pass::kHandleText, "text, handles"},
    {Pass::kStackText, "text, stacks"},
};

struct Times {
  double wall_ns = 0;
  double cpu_ns = 0;  ///< of all threads, user and kernel
};

struct PassFigures {
  Times times;
  double longest_read_ns = 0;  ///< CPU time of one read(2) and of taking it apart; 0: not measured
  std::uint64_t nr_records = 0;
  std::uint64_t peak_rss_kib = 0;
};

/// Runs in a child of this process that does not have the machine's memory mapped. The session is
/// opened before the clock starts.
[[nodiscard]] Result<PassFigures> run_pass(const synthetic::Machine& machine, Pass pass,
                                           unsigned nr_threads, bool with_read_times);

/// Reads each cache line of struct page and page_ext once, in the order of the walk, from here.
[[nodiscard]] Times read_cache_lines(const synthetic::Machine& machine, unsigned nr_threads);

}  // namespace pobpf::bench
