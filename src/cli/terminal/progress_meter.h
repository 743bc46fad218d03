// SPDX-License-Identifier: GPL-2.0-only
// The line on the terminal that says how far a long run is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "cli/options/options.h"
#include "reader/session.h"

namespace pobpf::cli {

/// Shows nothing in the first second, then a line that it keeps rewriting, and takes it away when
/// it dies.
class ProgressMeter {
 public:
  /// Only on a terminal, and not together with other lines there: --verbose, or data while it is
  /// read (`output_interleaves`).
  ProgressMeter(const Options& options, bool output_interleaves);
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;
  ProgressMeter(ProgressMeter&&) = delete;
  ProgressMeter& operator=(ProgressMeter&&) = delete;
  ~ProgressMeter();

  /// Call often. `pages` is the number of records so far, where there are records.
  void update(const Progress& progress, std::optional<std::uint64_t> pages);

  /// Updates this for sums, which have no records, and ends them when a signal comes.
  [[nodiscard]] ProgressCallback callback();

 private:
  using Clock = std::chrono::steady_clock;
  bool is_wanted_;
  bool is_shown_ = false;
  Clock::time_point next_;
};

}  // namespace pobpf::cli
