// SPDX-License-Identifier: GPL-2.0-only
// What became of every page a reader walked over: nothing is left out silently.
#pragma once

#include <cstdint>

#include "pobpf/abi.h"

namespace pobpf {

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
  std::uint64_t other_node = 0;
  std::uint64_t torn = 0;
  std::uint64_t errors = 0;
  /// Records whose cgroup could not be told (map full, cgroup going away); they are in `emitted`.
  std::uint64_t cgroup_errors = 0;
  /// Pages below max_pfn that no window covers: absent sections, and PFN ranges outside the wanted
  /// nodes. Not part of `pages`.
  std::uint64_t outside = 0;
  /// The longest single read(2), in which the kernel does not schedule; ns, not part of any sum. 0:
  /// not measured.
  std::uint64_t longest_read_ns = 0;

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
    other_node += window.other_node;
    torn += window.torn;
    errors += window.errors;
    cgroup_errors += window.cgroup_errors;
  }

  /// All pages have a reason.
  [[nodiscard]] bool is_balanced() const {
    return pages == emitted + absent + offline + free + unowned + freed + tail + no_handle +
                        other_node + torn + errors;
  }

  /// Nothing was lost that a complete answer would hold: exit status 0 rather than 4.
  [[nodiscard]] bool is_complete() const {
    return is_balanced() && torn == 0 && errors == 0 && cgroup_errors == 0;
  }
};

}  // namespace pobpf
