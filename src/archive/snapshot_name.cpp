// SPDX-License-Identifier: GPL-2.0-only
#include "archive/snapshot_name.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

#include "model/duration.h"

namespace pobpf {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;

/// Room for an encoded part of a name: Linux has 64 bytes of a host and 36 of a boot id, and
/// NAME_MAX is 255.
constexpr std::size_t kHostBytesMax = 180;
constexpr std::size_t kBootIdBytesMax = 36;
constexpr std::string_view kTimeForm = "00000000T000000.000000000Z";

struct CivilTime {
  int year = 0;
  unsigned month = 0, day = 0;
  std::uint64_t hour = 0, minute = 0, second = 0, ns = 0;
};

CivilTime civil_time(std::uint64_t time_ns) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days(days(static_cast<int>(time_ns / kDayNs)))};
  const std::uint64_t in_day = time_ns % kDayNs;
  const std::uint64_t seconds = in_day / kSecondNs;
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          seconds / 3600,
          seconds / 60 % 60,
          seconds % 60,
          in_day % kSecondNs};
}

std::string time_text(std::uint64_t time_ns) {
  const CivilTime time = civil_time(time_ns);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:09}Z", time.year, time.month, time.day,
                     time.hour, time.minute, time.second, time.ns);
}

/// '_' stands between the parts of a name.
bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

/// Bytes that are not plain as %XX; so is a first one that would hide a file or make an option. Cut
/// where it would be longer than `bytes_max`.
std::string encoded(std::string_view text, std::size_t bytes_max) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_special_here = i == 0 && (c == '.' || c == '-');
    const std::string piece = is_plain(c) && !is_special_here
                                  ? std::string(1, c)
                                  : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    if (result.size() + piece.size() > bytes_max) break;
    result += piece;
  }
  return result;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text.front() != '%') {
      result += text.front();
      text.remove_prefix(1);
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + digits.size())
      return std::nullopt;
    result += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return result;
}

template <typename T>
bool take_digits(std::string_view& text, std::size_t nr_digits, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + nr_digits, number);
  if (error != std::errc() || end != text.data() + nr_digits) return false;
  text.remove_prefix(nr_digits);
  return true;
}

/// Times before 1970 and those that 64 bits do not hold have no name; what else is wrong shows when
/// the name is made again.
std::optional<std::uint64_t> parse_time(std::string_view text) {
  if (text.size() != kTimeForm.size()) return std::nullopt;
  CivilTime time;
  if (!take_digits(text, 4, time.year) || !take_digits(text, 2, time.month) ||
      !take_digits(text, 2, time.day))
    return std::nullopt;
  text.remove_prefix(1);
  if (!take_digits(text, 2, time.hour) || !take_digits(text, 2, time.minute) ||
      !take_digits(text, 2, time.second))
    return std::nullopt;
  text.remove_prefix(1);
  if (!take_digits(text, 9, time.ns)) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(time.year), std::chrono::month(time.month), std::chrono::day(time.day)};
  constexpr int kLastYear = 2553;
  if (!date.ok() || time.year < 1970 || time.year > kLastYear) return std::nullopt;
  const auto day = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<std::uint64_t>(day) * kDayNs +
         (time.hour * 3600 + time.minute * 60 + time.second) * kSecondNs + time.ns;
}

}  // namespace

std::string utc_text(std::uint64_t time_ns, bool with_ns) {
  const CivilTime time = civil_time(time_ns);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", time.year, time.month, time.day,
                     time.hour, time.minute, time.second,
                     with_ns ? fmt::format(".{:09}", time.ns) : "");
}

std::string format_snapshot_name(const SnapshotName& name) {
  return fmt::format("{}_{}_{}{}", encoded(name.host, kHostBytesMax), time_text(name.time_ns),
                     encoded(name.boot_id, kBootIdBytesMax), kSnapshotSuffix);
}

std::optional<SnapshotName> parse_snapshot_name(std::string_view text) {
  if (!text.ends_with(kSnapshotSuffix)) return std::nullopt;
  const std::string_view stem = text.substr(0, text.size() - kSnapshotSuffix.size());
  const std::size_t first = stem.find('_');
  const std::size_t second = stem.find('_', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  auto host = decoded(stem.substr(0, first));
  const auto time_ns = parse_time(stem.substr(first + 1, second - first - 1));
  auto boot_id = decoded(stem.substr(second + 1));
  if (!host || !time_ns || !boot_id) return std::nullopt;
  SnapshotName name{*std::move(host), *time_ns, *std::move(boot_id)};
  if (format_snapshot_name(name) != text) return std::nullopt;
  return name;
}

}  // namespace pobpf
