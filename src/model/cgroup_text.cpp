// SPDX-License-Identifier: GPL-2.0-only
#include "model/cgroup_text.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <string>

#include "model/name_list.h"

namespace pobpf {

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

}  // namespace pobpf
