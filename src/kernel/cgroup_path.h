// SPDX-License-Identifier: GPL-2.0-only
// Cgroups by path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// Where cgroup v2 is mounted according to `mounts`, in its order. kUnsupported if it is not.
[[nodiscard]] Result<std::vector<std::string>> find_cgroup_mounts(
    const std::filesystem::path& mounts = "/proc/self/mounts");

/// The directory of a cgroup. `path` is a cgroup v2 path ("/" is the root; the leading slash may be
/// missing), or that of a directory in one of the mounts, of which there is at least one.
[[nodiscard]] std::string cgroup_directory(const std::string& path,
                                           const std::vector<std::string>& mounts);

/// Kernfs id of a cgroup, which is what BPF sees of it. kUsage if there is no such cgroup,
/// kUnsupported if pages are not charged to it: no memory controller there, no cgroup v2.
[[nodiscard]] Result<std::uint64_t> find_cgroup_id(const std::string& path);

}  // namespace pobpf
