// SPDX-License-Identifier: GPL-2.0-only
#include "archive/directory_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "util/file.h"

namespace pobpf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{50};

tl::unexpected<Error> cannot_lock(const std::string& name, int error) {
  return fail(ErrorKind::kFailed,
              fmt::format("locking {}: {}", name, std::generic_category().message(error)), {},
              error);
}

Result<Fd> open_lock(const Fd& directory, const std::string& name) {
  // anything but a regular file must neither block nor be followed
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const std::string file_name(kLockFile);
  Fd file(::openat(directory.get(), file_name.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (file) {
    if (const int error = give_to_owner(directory, file); error != 0)
      return cannot_lock(name, error);
    return file;
  }
  if (errno == EEXIST) file = Fd(::openat(directory.get(), file_name.c_str(), kFlags));
  if (!file) return cannot_lock(name, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return cannot_lock(name, errno);
  // what has another name may be anything: the number of the holder would be written into it
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
    return fail(ErrorKind::kFailed,
                fmt::format("locking {}: {} is not a regular file with one name", name, kLockFile),
                "remove it");
  return file;
}

/// The holder wrote its number; anybody may have written anything else.
std::string holder_text(const Fd& file) {
  std::array<char, 16> text{};
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  const std::string_view read(text.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
  const std::string_view digits = read.substr(0, read.find('\n'));
  if (digits.empty() || digits.size() == read.size() ||
      digits.find_first_not_of("0123456789") != std::string_view::npos)
    return {};
  return fmt::format(" (process {})", digits);
}

/// For messages of others only, so a disk too full for it does not fail the run.
void write_holder(const Fd& file) {
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file.get(), 0) == 0)
    static_cast<void>(::pwrite(file.get(), text.data(), text.size(), 0) < 0);
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const Fd& directory, const std::string& name,
                                          std::chrono::nanoseconds wait, IsCancelled is_cancelled) {
  auto opened = open_lock(directory, name);
  if (!opened) return fail(std::move(opened).error());
  Fd file = *std::move(opened);
  const auto end = Clock::now() + wait;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EWOULDBLOCK) return cannot_lock(name, error);
    if (is_cancelled != nullptr && is_cancelled()) return cannot_lock(name, EINTR);
    const auto left = end - Clock::now();
    if (left <= Clock::duration::zero())
      return fail(ErrorKind::kFailed,
                  fmt::format("another pobpf{} takes a snapshot into {}", holder_text(file), name),
                  "--wait SEC waits for its end", error);
    std::this_thread::sleep_for(std::min<Clock::duration>(left, kPause));
  }
  write_holder(file);
  return DirectoryLock(std::move(file));
}

}  // namespace pobpf
