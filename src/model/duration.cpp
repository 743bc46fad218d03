// SPDX-License-Identifier: GPL-2.0-only
#include "model/duration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include "model/name_list.h"

namespace pobpf {
namespace {

struct TimeUnit {
  std::string_view name;
  std::uint64_t ns;
};

constexpr TimeUnit kTimeUnits[] = {{"ns", 1},
                                   {"us", 1'000},
                                   {"ms", 1'000'000},
                                   {"s", 1'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"d", 86'400'000'000'000},
                                   {"w", 604'800'000'000'000}};

constexpr std::uint64_t kMaxNs = 1ULL << 63;

tl::unexpected<Error> no_duration(std::string_view text) {
  return fail(ErrorKind::kUsage, fmt::format("'{}' is not a duration", shown(text)),
              "durations are such as 90s, 10m, 1h30m, 2d; units are ns, us, ms, s, m, h, d, w");
}

tl::unexpected<Error> too_long(std::string_view text) {
  return fail(ErrorKind::kUsage, fmt::format("'{}' is too long a time", shown(text)));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Result<std::uint64_t> parse_duration(std::string_view text) {
  std::uint64_t total = 0;
  std::string_view rest = text;
  if (rest.empty()) return no_duration(text);
  while (!rest.empty()) {
    const auto* number_end =
        std::find_if_not(rest.begin(), rest.end(), [](char c) { return is_digit(c) || c == '.'; });
    const auto* unit_end =
        std::find_if(number_end, rest.end(), [](char c) { return is_digit(c) || c == '.'; });
    const std::string_view unit_name(number_end, static_cast<std::size_t>(unit_end - number_end));
    const auto* unit = std::find_if(std::begin(kTimeUnits), std::end(kTimeUnits),
                                    [&](const TimeUnit& known) { return known.name == unit_name; });
    // from_chars takes "inf" and "1e9" too, and stops at a second point
    if (unit == std::end(kTimeUnits) || !is_digit(rest.front())) return no_duration(text);
    std::uint64_t ns = 0;
    std::uint64_t whole = 0;
    if (const auto [end, error] = std::from_chars(rest.data(), number_end, whole);
        error == std::errc() && end == number_end) {
      if (whole > kMaxNs / unit->ns) return too_long(text);
      ns = whole * unit->ns;
    } else {
      long double fraction = 0;
      const auto result = std::from_chars(rest.data(), number_end, fraction);
      if (result.ec == std::errc::invalid_argument || result.ptr != number_end)
        return no_duration(text);
      fraction *= static_cast<long double>(unit->ns);
      if (result.ec != std::errc() || fraction > static_cast<long double>(kMaxNs))
        return too_long(text);
      ns = static_cast<std::uint64_t>(std::roundl(fraction));
    }
    if (ns > kMaxNs - total) return too_long(text);
    total += ns;
    rest.remove_prefix(static_cast<std::size_t>(unit_end - rest.begin()));
  }
  return total;
}

Result<std::uint64_t> parse_seconds(std::string_view text) {
  const bool is_plain =
      !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  return parse_duration(is_plain ? std::string(text) + "s" : std::string(text));
}

Result<ClockTime> parse_clock_time(std::string_view text) {
  std::uint64_t ns = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ns);
  if (end == text.data() + text.size() && !text.empty()) {
    if (error != std::errc()) return too_long(text);
    return ClockTime{false, ns};
  }
  auto duration = parse_duration(text);
  if (!duration) {
    auto failed = std::move(duration).error();
    if (failed.hint.empty()) return fail(std::move(failed));
    return fail(ErrorKind::kUsage, fmt::format("'{}' is not a time", shown(text)),
                "give how long ago, as in 10m or 1h30m, or ns since boot, as ts in the records");
  }
  return ClockTime{true, *duration};
}

Result<AgeRange> parse_age_range(std::string_view text) {
  constexpr std::string_view kTo = "..";
  AgeRange range;
  const std::size_t at = text.find(kTo);
  const auto begin = text.substr(0, at);
  const auto end = at == std::string_view::npos ? std::string_view() : text.substr(at + 2);
  if (begin.empty() && end.empty()) return no_duration(text);
  if (!begin.empty()) {
    auto min = parse_duration(begin);
    if (!min) return fail(std::move(min).error());
    range.min_ns = *min;
  }
  if (!end.empty()) {
    auto max = parse_duration(end);
    if (!max) return fail(std::move(max).error());
    range.max_ns = *max;
  }
  if (range.min_ns > range.max_ns)
    return fail(ErrorKind::kUsage, fmt::format("the range '{}' runs backwards", shown(text)));
  return range;
}

}  // namespace pobpf
