// SPDX-License-Identifier: GPL-2.0-only
#include "reader/pin_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace pobpf {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

tl::unexpected<Error> failed(const std::string& doing, int error) {
  return fail(ErrorKind::kFailed,
              fmt::format("{}: {}", doing, std::generic_category().message(error)), {}, error);
}

/// Whose entries another user may exchange.
enum class Exchangeable { kNone, kOthers };

/// kFailed if another user could exchange entries of the directory. The sticky bit keeps him from
/// those that are ours, but not from names that are still to come.
Status check_owner(const Fd& directory, const std::string& path, Exchangeable allowed) {
  struct stat info {};
  if (::fstat(directory.get(), &info) != 0) return failed("looking at " + path, errno);
  if (info.st_uid != 0 && info.st_uid != ::geteuid())
    return fail(ErrorKind::kFailed,
                fmt::format("{} belongs to user {}, who could put other files in the place of pins",
                            path, info.st_uid),
                "choose a directory of root's with --dir");
  const bool is_writable = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool is_sticky = (info.st_mode & S_ISVTX) != 0;
  if (!is_writable || (is_sticky && allowed == Exchangeable::kOthers)) return {};
  return fail(
      ErrorKind::kFailed,
      fmt::format("others may write to {} and could put other files in the place of pins", path),
      fmt::format("chmod go-w {}, or choose another directory with --dir", path));
}

}  // namespace

PinDirectory::PinDirectory(const std::filesystem::path& path)
    : parent_path_(path.has_parent_path() ? path.parent_path().string() : "."),
      path_(path.string()),
      name_(path.has_filename() ? path.filename().string() : ".") {}

Result<PinDirectory> PinDirectory::find(const std::filesystem::path& path) {
  PinDirectory directory(path);
  directory.parent_ = Fd(::open(directory.parent_path_.c_str(), kDirectoryFlags));
  if (directory.parent_)
    directory.fd_ = Fd(
        ::openat(directory.parent_.get(), directory.name_.c_str(), kDirectoryFlags | O_NOFOLLOW));
  if (!directory.fd_ && errno != ENOENT) return failed("opening " + directory.path_, errno);
  return directory;
}

Status PinDirectory::check_for_pins() const {
  if (!parent_)
    return fail(ErrorKind::kFailed, fmt::format("there is no directory {}", parent_path_),
                "mount a BPF file system there or choose another with --dir");
  if (auto status = fd_ ? check_owner(fd_, path_, Exchangeable::kNone)
                        : check_owner(parent_, parent_path_, Exchangeable::kOthers);
      !status)
    return status;
  struct statfs info {};
  if (::fstatfs(fd_ ? fd_.get() : parent_.get(), &info) != 0 ||
      static_cast<std::uint64_t>(info.f_type) != BPF_FS_MAGIC)
    return fail(ErrorKind::kFailed, fmt::format("{} is not in a BPF file system", path_),
                "mount one: mount -t bpf -o mode=755 bpf /sys/fs/bpf");
  return {};
}

Status PinDirectory::make(bool& was_made) {
  constexpr mode_t kMode = 0755;
  was_made = ::mkdirat(parent_.get(), name_.c_str(), kMode) == 0;
  if (!was_made && errno != EEXIST) return failed("making " + path_, errno);
  fd_ = Fd(::openat(parent_.get(), name_.c_str(), kDirectoryFlags | O_NOFOLLOW));
  if (!fd_) return failed("opening " + path_, errno);
  auto status = check_for_pins();
  // whatever the umask is
  if (status && was_made && ::fchmod(fd_.get(), kMode) != 0)
    status = failed("making " + path_, errno);
  if (!status && was_made) remove_if_empty();
  return status;
}

Status PinDirectory::give(const std::string& name, const PinAccess& access) const {
  constexpr auto kUnchangedUser = static_cast<uid_t>(-1);
  constexpr auto kUnchangedGroup = static_cast<gid_t>(-1);
  const std::string file_path = path_ + "/" + name;
  const Fd file(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return failed("opening " + file_path, errno);
  if ((access.uid || access.gid) && ::fchown(file.get(), access.uid.value_or(kUnchangedUser),
                                             access.gid.value_or(kUnchangedGroup)) != 0)
    return failed("changing the owner of " + file_path, errno);
  if (access.mode && ::fchmod(file.get(), *access.mode) != 0)
    return failed("changing the mode of " + file_path, errno);
  return {};
}

void PinDirectory::remove_if_empty() const {
  ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

std::string PinDirectory::path_of(const std::string& name) const {
  return fmt::format("/proc/self/fd/{}/{}", fd_.get(), name);
}

}  // namespace pobpf
