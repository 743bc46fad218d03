// SPDX-License-Identifier: GPL-2.0-only
// What became of every page a reader walked over: nothing is left out silently.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "pobpf/abi.h"

namespace pobpf {

/// Names of enum pobpf_filter, as options and JSON keys have them.
inline constexpr std::array<const char*, POBPF_NR_FILTERS> kFilterNames = {
    "nid",    "zone", "flags", "order",       "block_migratetype",
    "handle", "time", "gfp",   "migratetype", "mixed",
    "tgid",   "pid",  "comm",  "dead",        "memcg",
    "stack"};

/// Sums of struct pobpf_account over the windows read so far, in pages. Everything from `emitted`
/// to `errors` adds up to `pages`.
struct Account {
  std::uint64_t windows = 0;
  std::uint64_t pages = 0;
  std::uint64_t emitted = 0;
  std::uint64_t absent = 0;
  std::uint64_t offline = 0;
  std::uint64_t free = 0;
  std::uint64_t unowned = 0;
  std::uint64_t freed = 0;
  std::uint64_t tail = 0;
  std::uint64_t no_handle = 0;
  /// By enum pobpf_filter: the first filter that the allocation did not pass.
  std::array<std::uint64_t, POBPF_NR_FILTERS> filtered{};
  std::uint64_t torn = 0;
  std::uint64_t errors = 0;
  /// Records whose cgroup could not be told (going away), or not its name (there is room for
  /// 16,384 of them): they are in `emitted`.
  std::uint64_t cgroup_errors = 0;
  /// Pages below max_pfn that no window covers: absent sections, and PFN ranges outside the wanted
  /// nodes. Not part of `pages`.
  std::uint64_t outside = 0;
  /// The longest single read(2), in which the kernel does not schedule; ns, not part of any sum. 0:
  /// not measured.
  std::uint64_t longest_read_ns = 0;
  /// False of records that were kept without an account: it is not known what else there was.
  bool is_of_walk = true;

  [[nodiscard]] bool knows(std::uint64_t Account::*count) const {
    return is_of_walk || count == &Account::emitted || count == &Account::freed ||
           count == &Account::errors || count == &Account::outside;
  }

  void add(const pobpf_account& window) {
    ++windows;
    pages += window.nr_pages;
    emitted += window.emitted;
    absent += window.absent;
    offline += window.offline;
    free += window.free;
    unowned += window.unowned;
    freed += window.freed;
    tail += window.tail;
    no_handle += window.no_handle;
    for (std::size_t i = 0; i < filtered.size(); ++i) filtered[i] += window.filtered[i];
    torn += window.torn;
    errors += window.errors;
    cgroup_errors += window.cgroup_errors;
  }

  /// The account of other windows of the same view.
  void add(const Account& other) {
    windows += other.windows;
    pages += other.pages;
    emitted += other.emitted;
    absent += other.absent;
    offline += other.offline;
    free += other.free;
    unowned += other.unowned;
    freed += other.freed;
    tail += other.tail;
    no_handle += other.no_handle;
    for (std::size_t i = 0; i < filtered.size(); ++i) filtered[i] += other.filtered[i];
    torn += other.torn;
    errors += other.errors;
    cgroup_errors += other.cgroup_errors;
    outside += other.outside;
    longest_read_ns = std::max(longest_read_ns, other.longest_read_ns);
    is_of_walk = is_of_walk && other.is_of_walk;
  }

  [[nodiscard]] std::uint64_t nr_filtered() const {
    return std::accumulate(filtered.begin(), filtered.end(), std::uint64_t{0});
  }

  /// All pages have a reason.
  [[nodiscard]] bool is_balanced() const {
    return pages == emitted + absent + offline + free + unowned + freed + tail + no_handle +
                        nr_filtered() + torn + errors;
  }

  /// Nothing was lost that a complete answer would hold: exit status 0 rather than 4.
  [[nodiscard]] bool is_complete() const {
    return is_balanced() && torn == 0 && errors == 0 && cgroup_errors == 0;
  }
};

}  // namespace pobpf
