// SPDX-License-Identifier: GPL-2.0-only
// The account of a run in words and numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/options/options.h"
#include "model/account.h"
#include "util/error.h"

namespace pobpf::cli {

/// Counts what a command itself could not show, on top of what the reader counted.
struct Losses {
  std::uint64_t count = 0;
  Error first;  ///< valid if `count` is not 0
  /// Pages of groups beyond SumRequest::groups_max, or beyond what a file may take.
  std::uint64_t ungrouped_pages = 0;
  bool is_file_too_small = false;  ///< it is the latter
  /// GroupSums::nr_without_allocations
  std::uint64_t sums_without_allocations = 0;

  void add(Error error) {
    if (count++ == 0) first = std::move(error);
  }
};

/// --stats: an aligned table, or {"stats": {...}} on one line; ends with a newline.
[[nodiscard]] std::string account_report(const Account& account, Format format);

/// How many pages the answer lacks and why; no value if it is complete.
[[nodiscard]] std::optional<Error> incompleteness(const Account& account, const Losses& losses);

}  // namespace pobpf::cli
