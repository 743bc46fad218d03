// SPDX-License-Identifier: GPL-2.0-only
// A column of times, most of what a snapshot is: as steps of the clock from each to the next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "snapshot.pb.h"

namespace pobpf {

/// Writes the times of blocks, one block after the other: what it has found out of the clock it
/// tries first.
class TimesEncoder {
 public:
  void write(std::span<const std::uint64_t> times, snapshot::Times& message);

 private:
  void divide(std::uint64_t step);

  std::uint64_t step_ = 0;  // that was last of use; 0: none
  // a clock that shows no step is looked at less and less often
  unsigned nr_to_skip_ = 0;  // blocks from here on
  unsigned nr_skipped_ = 0;  // after the last look
  std::vector<std::int64_t> differences_;
  std::vector<std::int64_t> steps_;
  std::vector<std::int64_t> changes_;
  std::vector<std::int8_t> rests_;
};

/// Replaces `times`, whose number is known. False: the columns are not that long.
[[nodiscard]] bool read_times_column(const snapshot::Times& message, std::size_t nr_times,
                                     std::vector<std::uint64_t>& times);

}  // namespace pobpf
