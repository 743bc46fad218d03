// SPDX-License-Identifier: GPL-2.0-only
// How much tasks may wait for memory: what the kernel calls a PSI trigger
// (Documentation/accounting/psi.rst).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "util/error.h"

namespace pobpf {

enum class StallKind {
  kSome,  ///< at least one task waits
  kFull,  ///< all that could run wait
};

/// Tasks are stalled for `stall` or more of some `window`.
struct StallLimit {
  StallKind kind = StallKind::kSome;
  std::chrono::microseconds stall{0};
  std::chrono::microseconds window{0};
  bool operator==(const StallLimit&) const = default;
};

/// "some:300ms/2s", "full:1s/5s"; no value: "none". kUsage for all else, and for what the kernel
/// refuses: windows of less than 500 ms or more than 10 s, stalls longer than the window.
[[nodiscard]] Result<std::optional<StallLimit>> parse_stall_limit(std::string_view text);

/// "some" or "full"
[[nodiscard]] const char* stall_kind_name(StallKind kind);

/// The line that is written to a pressure file: "some 300000 2000000".
[[nodiscard]] std::string trigger_text(const StallLimit& limit);

}  // namespace pobpf
