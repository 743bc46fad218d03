// SPDX-License-Identifier: GPL-2.0-only
// How users name cgroups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "util/error.h"

namespace pobpf {

/// N of "id:N", the kernfs id of a cgroup; no value: it is a path. kUsage if N is not a number.
[[nodiscard]] Result<std::optional<std::uint64_t>> parse_cgroup_id(std::string_view given);

/// Whether a cgroup is at a path that a user gave, or below it. Where `path` does not begin with a
/// slash, it is the last name alone, which is all that there is to go by.
[[nodiscard]] bool is_in_cgroup(std::string_view path, std::string_view given_path);

/// A path for people, with `*` for what is left out: all but the beginnings of ids of pods and
/// containers, and what a slice repeats of the name of the one above it. What systemd has escaped
/// is itself.
[[nodiscard]] std::string short_cgroup_path(std::string_view path);

}  // namespace pobpf
