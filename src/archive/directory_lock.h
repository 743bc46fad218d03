// SPDX-License-Identifier: GPL-2.0-only
// One writer a directory at a time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "util/error.h"
#include "util/fd.h"

namespace pobpf {

/// The file that is locked, in the directory itself; it stays there.
constexpr std::string_view kLockFile = ".pobpf.lock";

/// Held until it dies; the kernel releases that of a process that is killed.
class DirectoryLock {
 public:
  using IsCancelled = bool (*)();

  /// Waits for a holder up to `wait`, or until `is_cancelled` says so (EINTR). kFailed with
  /// EWOULDBLOCK if another one still has it then. `name` is the directory's, for messages.
  [[nodiscard]] static Result<DirectoryLock> take(const Fd& directory, const std::string& name,
                                                  std::chrono::nanoseconds wait,
                                                  IsCancelled is_cancelled = nullptr);

 private:
  explicit DirectoryLock(Fd file) : file_(std::move(file)) {}

  Fd file_;
};

}  // namespace pobpf
