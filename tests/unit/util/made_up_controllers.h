// SPDX-License-Identifier: GPL-2.0-only
// A cgroup v2 with controllers, where the machine has none.
#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <string>

#include "kernel/cgroup_path.h"
#include "own_mounts.h"
#include "temp_dir.h"

namespace pobpf::test {

/// A cgroup v2 of the running kernel whose root is said to have other controllers than it has: they
/// belong to cgroup v1 on many machines.
class MadeUpControllers {
 public:
  /// errno of what failed; 0: nothing did.
  int set(const std::string& controllers) {
    if (mounts_.error() != 0) return mounts_.error();
    if (!find_cgroup_mounts() &&
        ::mount("none", directory_.path().c_str(), "cgroup2", 0, nullptr) != 0)
      return errno;
    const auto mounts = find_cgroup_mounts();
    if (!mounts) return ENODEV;
    file_.write("controllers", controllers + "\n");
    const std::string covered = mounts->front() + "/cgroup.controllers";
    const auto file = file_ / "controllers";
    return ::mount(file.c_str(), covered.c_str(), nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
  }

 private:
  TempDir directory_;
  TempDir file_;
  OwnMounts mounts_;
};

}  // namespace pobpf::test
