// SPDX-License-Identifier: GPL-2.0-only
// Mounts that only a test sees.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "util/fd.h"

namespace pobpf::test {

/// Puts this process into a mount namespace of its own for a while: what it mounts meanwhile goes
/// with it. Needs CAP_SYS_ADMIN.
class OwnMounts {
 public:
  OwnMounts()
      : before_(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)),
        directory_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (!before_ || !directory_ || ::unshare(CLONE_NEWNS) != 0) {
      error_ = errno;
      return;
    }
    is_entered_ = true;
    // else they would be passed on to the namespace that this one is a copy of
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) error_ = errno;
  }
  OwnMounts(const OwnMounts&) = delete;
  OwnMounts& operator=(const OwnMounts&) = delete;
  OwnMounts(OwnMounts&&) = delete;
  OwnMounts& operator=(OwnMounts&&) = delete;
  ~OwnMounts() {
    if (!is_entered_) return;
    // no other test may run here; setns() leads to the root directory
    if (::setns(before_.get(), CLONE_NEWNS) != 0 || ::fchdir(directory_.get()) != 0) std::abort();
  }

  /// errno of what failed; 0: nothing did.
  [[nodiscard]] int error() const { return error_; }

 private:
  Fd before_;
  Fd directory_;
  bool is_entered_ = false;
  int error_ = 0;
};

}  // namespace pobpf::test
