// SPDX-License-Identifier: GPL-2.0-only
// Counts what became of every page a reader walked over: nothing is left out silently.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "pobpf/parameters.h"
#include "pobpf/stream.h"

namespace pobpf {

/// Names of enum pobpf_filter, as keys of JSON and of files have them.
inline constexpr std::array<const char*, POBPF_NR_FILTERS> kFilterNames = {
#define POBPF_FILTER(ID, name, fields, ...) #name,
    POBPF_EACH_FILTER(POBPF_FILTER)
#undef POBPF_FILTER
};

/// All counts, in the order of --stats; COUNT and BY_FILTER are those of POBPF_PAGE_COUNT_LIST.
#define POBPF_ACCOUNT_COUNT_LIST(COUNT, BY_FILTER)                                              \
  COUNT(windows, "read")                                                                        \
  COUNT(pages, "in these windows; the sum of what follows, to errors")                          \
  POBPF_PAGE_COUNT_LIST(COUNT, BY_FILTER)                                                       \
  /* Records whose cgroup could not be told (going away), or not its name (there is room for */ \
  /* 16,384 of them): they are in `emitted`. */                                                 \
  COUNT(cgroup_errors, "of those shown, cgroup not known")                                      \
  /* Pages below max_pfn that no window covers: absent sections, and PFN ranges outside the */  \
  /* wanted nodes. Not part of `pages`. */                                                      \
  COUNT(outside, "outside the windows")                                                         \
  /* The kernel does not schedule in it. 0: not measured. */                                    \
  COUNT(longest_read_ns, "longest read(2) of the iterator, ns")

/// Sums of struct pobpf_account over the windows read so far, in pages.
struct Account {
  using ByFilter = std::array<std::uint64_t, POBPF_NR_FILTERS>;

#define POBPF_COUNT(name, meaning) std::uint64_t name = 0;
#define POBPF_BY_FILTER(name, meaning) ByFilter name{};
  POBPF_ACCOUNT_COUNT_LIST(POBPF_COUNT, POBPF_BY_FILTER)
#undef POBPF_COUNT
#undef POBPF_BY_FILTER
  /// False of records that were kept without an account: it is not known what else there was.
  bool is_of_walk = true;

  [[nodiscard]] static bool knows(ByFilter Account::* /*counts*/) { return true; }
  [[nodiscard]] bool knows(std::uint64_t Account::*count) const {
    return is_of_walk || count == &Account::emitted || count == &Account::freed ||
           count == &Account::errors || count == &Account::outside;
  }

  /// Calls `visit(name, count, meaning)` for each count that is known, in their order.
  template <typename Visit>
  void for_each_known(Visit&& visit) const {
#define POBPF_COUNT(name, meaning) \
  if (knows(&Account::name)) visit(#name, total(name), meaning);
    POBPF_ACCOUNT_COUNT_LIST(POBPF_COUNT, POBPF_COUNT)
#undef POBPF_COUNT
  }

  void add(const pobpf_account& window) {
    ++windows;
    pages += window.nr_pages;
    cgroup_errors += window.cgroup_errors;
    add_page_counts(window);
  }

  /// The account of other windows of the same view.
  void add(const Account& other) {
    windows += other.windows;
    pages += other.pages;
    cgroup_errors += other.cgroup_errors;
    add_page_counts(other);
    outside += other.outside;
    longest_read_ns = std::max(longest_read_ns, other.longest_read_ns);
    is_of_walk = is_of_walk && other.is_of_walk;
  }

  [[nodiscard]] std::uint64_t nr_filtered() const { return total(filtered); }

  /// All pages have a reason.
  [[nodiscard]] bool is_balanced() const {
    std::uint64_t nr_pages = 0;
#define POBPF_COUNT(name, meaning) nr_pages += total(name);
    POBPF_PAGE_COUNT_LIST(POBPF_COUNT, POBPF_COUNT)
#undef POBPF_COUNT
    return nr_pages == pages;
  }

  /// Nothing was lost that a complete answer would hold: exit status 0 rather than 4.
  [[nodiscard]] bool is_complete() const {
    return is_balanced() && torn == 0 && errors == 0 && cgroup_errors == 0;
  }

 private:
  static std::uint64_t total(std::uint64_t count) { return count; }
  static std::uint64_t total(const ByFilter& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }
  static void add_to(std::uint64_t& sum, std::uint64_t count) { sum += count; }
  template <typename Counts>
  static void add_to(ByFilter& sums, const Counts& counts) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counts[i];
  }

  template <typename Counts>
  void add_page_counts(const Counts& other) {
#define POBPF_COUNT(name, meaning) add_to(name, other.name);
    POBPF_PAGE_COUNT_LIST(POBPF_COUNT, POBPF_COUNT)
#undef POBPF_COUNT
  }
};

}  // namespace pobpf
