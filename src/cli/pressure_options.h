// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf watch-pressure: when memory is short.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "model/byte_size.h"
#include "pobpf/error.h"
#include "pressure/stall_limit.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// Where its snapshots are unless another directory is named: apart from those of the timer, which
/// are all alike and follow each other.
constexpr const char* kPressureDirectory = "/var/lib/pobpf-pressure";

struct PressureOptions {
  std::optional<StallLimit> stall;       ///< no value: stalls do not matter
  std::optional<ByteShare> low;          ///< of all memory; no value: what is left does not matter
  std::chrono::nanoseconds interval{0};  ///< at least between two snapshots
  bool ends_after_first = false;
};

/// What the option parser fills in.
struct RawPressureOptions {
  std::vector<std::string> stall;
  std::vector<std::string> low_memory;
  std::vector<std::string> interval;
  bool ends_after_first = false;
};

void add_pressure_options(CLI::App& watch, RawPressureOptions& raw);

[[nodiscard]] Result<PressureOptions> check_pressure_options(const RawPressureOptions& raw);

}  // namespace pobpf::cli
