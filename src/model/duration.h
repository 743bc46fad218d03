// SPDX-License-Identifier: GPL-2.0-only
// Times and durations as users write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/filter.h"
#include "util/error.h"

namespace pobpf {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kHourNs = 3600 * kSecondNs;
constexpr std::uint64_t kDayNs = 24 * kHourNs;

/// One or more numbers, with fractions, each with its unit: "10m", "1h30m", "1.5h". Units are ns,
/// us, ms, s, m, h, d, w. In ns; kUsage for anything else, and for more than 2^63 ns.
[[nodiscard]] Result<std::uint64_t> parse_duration(std::string_view text);

/// The same, where a plain number is seconds, as with watch(1) and top(1).
[[nodiscard]] Result<std::uint64_t> parse_seconds(std::string_view text);

/// A duration ago, or a plain number: ns since boot, as `ts` in the records.
[[nodiscard]] Result<ClockTime> parse_clock_time(std::string_view text);

/// `MIN` or `MIN..` (at least), `..MAX` (at most), `MIN..MAX`.
[[nodiscard]] Result<AgeRange> parse_age_range(std::string_view text);

}  // namespace pobpf
