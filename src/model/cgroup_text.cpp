// SPDX-License-Identifier: GPL-2.0-only
#include "model/cgroup_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>

#include "model/name_list.h"

namespace pobpf {
namespace {

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::size_t nr_hex_digits(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_hex_digit) - text.begin());
}

/// The length of the UUID that a text begins with; 0: with none. In the name of a slice it has
/// underscores.
std::size_t uuid_length(std::string_view text) {
  std::size_t length = 0;
  for (const std::size_t nr_digits : {8U, 4U, 4U, 4U, 12U}) {
    if (length != 0) {
      if (length >= text.size() || (text[length] != '-' && text[length] != '_')) return 0;
      ++length;
    }
    if (nr_hex_digits(text.substr(length)) < nr_digits) return 0;
    length += nr_digits;
  }
  return length;
}

/// The byte that systemd has escaped at the beginning of a text, "\\x2d", if it can be shown.
std::optional<char> unescaped(std::string_view text) {
  constexpr std::size_t kLength = 4;
  if (!text.starts_with("\\x") || text.size() < kLength) return std::nullopt;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + kLength, byte, 16);
  if (error != std::errc() || end != text.data() + kLength || byte <= ' ' || byte > '~')
    return std::nullopt;
  return static_cast<char>(byte);
}

/// The beginning of a name, as long as one recognises it by, of what is one id.
std::string short_name(std::string_view name) {
  constexpr std::size_t kUuidShown = 8;
  constexpr std::size_t kIdShown = 12;  // as container tools have it
  constexpr std::size_t kIdLengthMin = 32;
  std::string result;
  while (!name.empty()) {
    const std::size_t nr_digits = nr_hex_digits(name);
    std::size_t length = uuid_length(name);
    std::size_t shown = kUuidShown;
    if (length == 0 && nr_digits >= kIdLengthMin) {
      length = nr_digits;
      shown = kIdShown;
    }
    if (length != 0) {
      result.append(name.substr(0, shown)).append(1, '*');
    } else if (const auto byte = unescaped(name)) {
      result += *byte;
      length = 4;
    } else {
      result += name.front();
      length = 1;
    }
    name.remove_prefix(length);
  }
  return result;
}

}  // namespace

Result<std::optional<std::uint64_t>> parse_cgroup_id(std::string_view given) {
  constexpr std::string_view kPrefix = "id:";
  if (!given.starts_with(kPrefix)) return std::nullopt;
  const std::string_view text = given.substr(kPrefix.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == 0)
    return fail(ErrorKind::kUsage, fmt::format("'{}' is not the id of a cgroup", shown(text)),
                "give a number, as in id:1234, or the path of a cgroup of that name as /id:...");
  return id;
}

bool is_in_cgroup(std::string_view path, std::string_view given_path) {
  const std::string normal =
      std::filesystem::path("/" + std::string(given_path)).lexically_normal();
  std::string_view given = normal;
  // as a directory, where systems have cgroup v2 mounted
  constexpr std::string_view kMount = "/sys/fs/cgroup";
  if (given.starts_with(kMount) && (given.size() == kMount.size() || given[kMount.size()] == '/'))
    given.remove_prefix(kMount.size());
  while (given.starts_with('/')) given.remove_prefix(1);
  while (given.ends_with('/')) given.remove_suffix(1);
  if (given.empty()) return true;
  if (!path.starts_with('/')) return path == given.substr(given.rfind('/') + 1);
  path.remove_prefix(1);
  return path.starts_with(given) && (path.size() == given.size() || path[given.size()] == '/');
}

std::string short_cgroup_path(std::string_view path) {
  constexpr std::string_view kSlice = ".slice";
  std::string result;
  std::string_view above;
  while (!path.empty()) {
    const auto end = path.find('/');
    const std::string_view name = path.substr(0, end);
    // "a-b.slice" in "a.slice"
    const bool repeats = above.ends_with(kSlice) && name.ends_with(kSlice) &&
                         above.size() > kSlice.size() &&
                         name.starts_with(above.substr(0, above.size() - kSlice.size())) &&
                         name[above.size() - kSlice.size()] == '-';
    if (repeats) result += '*';
    result += short_name(repeats ? name.substr(above.size() - kSlice.size()) : name);
    above = name;
    if (end == std::string_view::npos) break;
    result += '/';
    path.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace pobpf
