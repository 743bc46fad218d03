// SPDX-License-Identifier: GPL-2.0-only
// How groups change while pobpf top watches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sum/rows.h"
#include "util/hash_map.h"

namespace pobpf {

/// Remembers each group's pages at the start and in the last interval.
class GrowthTracker {
 public:
  /// Sets Row::change and Row::growth. Groups that are gone since the last call come as rows
  /// without pages, once. The first call is the start: nothing has grown yet.
  void update(std::vector<Row>& rows);
  /// The next update() is the start again.
  void reset() { seen_.clear(), is_started_ = false; }
  /// Groups that are remembered.
  [[nodiscard]] std::size_t nr_groups() const { return seen_.size(); }

 private:
  struct Seen {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t interval = 0;
    Row row;  // without pages, for when it is gone
  };
  HashMap<std::string, Seen> seen_;
  std::uint64_t interval_ = 0;
  bool is_started_ = false;
};

}  // namespace pobpf
