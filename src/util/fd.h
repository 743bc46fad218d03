// SPDX-License-Identifier: GPL-2.0-only
// The one owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace pobpf {

/// Move-only; closes what it owns. Not every close can fail harmlessly: outputs use close().
class Fd {
 public:
  Fd() = default;
  /// Takes `fd` over; a negative number (a failed system call's) owns nothing.
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  /// Gives the descriptor up without closing it.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  /// Keeps errno: it often runs between a failed call and the report of it.
  void reset(int fd = -1) {
    const int saved_errno = errno;
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    errno = saved_errno;
  }
  /// Closes and says what the kernel said: 0 or an errno. Network file systems report a full disk
  /// only here.
  [[nodiscard]] int close() {
    const int fd = release();
    return fd >= 0 && ::close(fd) != 0 ? errno : 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace pobpf
