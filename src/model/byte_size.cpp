// SPDX-License-Identifier: GPL-2.0-only
#include "model/byte_size.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/name_list.h"

namespace pobpf {
namespace {

constexpr std::string_view kSizeUnits = "KMGTP";
constexpr long double kBytesEnd = 9223372036854775808.0L;

tl::unexpected<Error> no_size(std::string_view text) {
  return fail(ErrorKind::kUsage, fmt::format("'{}' is not a size", shown(text)),
              "sizes are such as 500M or 1.5G; units are K, M, G, T, P, powers of 1024");
}

}  // namespace

Result<std::uint64_t> parse_byte_size(std::string_view text) {
  const std::size_t nr_digits = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view unit = text.substr(nr_digits);
  long double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + nr_digits, number);
  // "." and ".5" are not taken for numbers, and "1.2.3" ends early
  if (nr_digits == 0 || text.front() == '.' || error != std::errc() ||
      end != text.data() + nr_digits)
    return no_size(text);
  if (!unit.empty()) {
    const std::size_t power = kSizeUnits.find(unit.front());
    unit.remove_prefix(1);
    if (power == std::string_view::npos || (!unit.empty() && unit != "iB")) return no_size(text);
    for (std::size_t i = 0; i <= power; ++i) number *= 1024;
  }
  if (number >= kBytesEnd)
    return fail(ErrorKind::kUsage, fmt::format("'{}' is too large a size", shown(text)));
  return static_cast<std::uint64_t>(number);
}

std::uint64_t ByteShare::of(double total_bytes) const {
  return std::max(bytes, static_cast<std::uint64_t>(total_bytes / 100 * percent));
}

Result<ByteShare> parse_byte_share(std::string_view text, const char* what) {
  if (!text.ends_with('%')) {
    auto size = parse_byte_size(text);
    if (!size) return fail(std::move(size).error());
    return ByteShare{*size, 0};
  }
  constexpr double kPercentMax = 99;
  double percent = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [at, error] = std::from_chars(text.data(), end, percent, std::chars_format::fixed);
  if (error != std::errc() || at != end || !(percent >= 0 && percent <= kPercentMax))
    return fail(ErrorKind::kUsage, fmt::format("'{}' is not a share of {}", shown(text), what),
                "give 0% to 99%, or a size such as 2G");
  return ByteShare{0, percent};
}

}  // namespace pobpf
