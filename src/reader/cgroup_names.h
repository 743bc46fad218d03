// SPDX-License-Identifier: GPL-2.0-only
// Names of the cgroups that pages are charged to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// The programs put the names that they meet into a map, and paths into another, which have room
/// for as many as one reading of the memory hardly meets; a machine that runs for long has any
/// number. So they are emptied when another reading begins, and names are forgotten when all have
/// ended that may have met them.
///
/// Readings have numbers, which count up. Not thread-safe.
class CgroupNames {
 public:
  /// Maps of bpf/memcg.bpf.h, which must outlive this.
  CgroupNames(int names_map, int paths_map) : names_map_(names_map), paths_map_(paths_map) {}

  /// Before a reading begins: `number` is its own, `oldest` that of the oldest one that has not
  /// ended, which may be itself.
  Status begin_reading(std::uint64_t number, std::uint64_t oldest);
  /// The name of a cgroup that was met; kFailed if there was no room for its name. Valid until
  /// another reading begins.
  Result<std::string_view> get(std::uint64_t cgroup_id);
  /// The path from the root of a cgroup that the last reading met, or an earlier one after which it
  /// was asked for; kFailed if there was no room for it or for one above it.
  Result<std::string> path(std::uint64_t cgroup_id);
  /// Ids of those above a cgroup whose path is known, the nearest first.
  std::vector<std::uint64_t> above(std::uint64_t cgroup_id);

 private:
  struct Name {
    std::optional<std::string> text;  ///< no value: it was asked for, and is not in the map
    std::uint64_t reading = 0;        ///< the last one that may have met it, or has asked for it
    std::optional<std::string> path;  ///< no value: not known, or not asked for
    std::vector<std::uint64_t> above;
    std::uint64_t path_reading = 0;  ///< the last one that has asked for it
  };
  [[nodiscard]] Status read_path(std::uint64_t cgroup_id, Name& to) const;

  int names_map_;
  int paths_map_;
  std::uint64_t last_reading_ = 0;
  std::unordered_map<std::uint64_t, Name> names_;
};

}  // namespace pobpf
