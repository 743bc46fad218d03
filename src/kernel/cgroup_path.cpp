// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cgroup_path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string_view>

#include "util/fd.h"
#include "util/file.h"

namespace pobpf {
namespace {

bool is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

/// Whether pages are charged to the cgroup in `directory` itself, not to one above it.
Result<bool> has_memory_controller(const std::string& directory) {
  constexpr std::size_t kMaxBytes = 65536;
  auto controllers = read_file(directory + "/cgroup.controllers", kMaxBytes);
  if (!controllers) return fail(std::move(controllers).error());
  std::istringstream names(*controllers);
  for (std::string name; names >> name;)
    if (name == "memory") return true;
  return false;
}

}  // namespace

Result<std::vector<std::string>> find_cgroup_mounts(const std::filesystem::path& mounts) {
  const std::unique_ptr<FILE, decltype(&::endmntent)> table(::setmntent(mounts.c_str(), "re"),
                                                            ::endmntent);
  if (!table)
    return fail(ErrorKind::kFailed, "cannot read " + mounts.string(), "mount /proc", errno);
  std::vector<std::string> found;
  mntent entry{};
  std::array<char, 16384> buffer{};
  while (::getmntent_r(table.get(), &entry, buffer.data(), static_cast<int>(buffer.size())) !=
         nullptr)
    if (std::string_view(entry.mnt_type) == "cgroup2") found.emplace_back(entry.mnt_dir);
  if (found.empty())
    return fail(ErrorKind::kUnsupported, "cgroup v2 is not mounted",
                "mount it: mount -t cgroup2 none /sys/fs/cgroup");
  return found;
}

std::string cgroup_directory(const std::string& path, const std::vector<std::string>& mounts) {
  for (const std::string& mount : mounts)
    if (is_below(path, mount)) return path;
  return mounts.front() + (path.starts_with('/') ? "" : "/") + path;
}

Result<std::uint64_t> find_cgroup_id(const std::string& path) {
  auto mounts = find_cgroup_mounts();
  if (!mounts) return fail(std::move(mounts).error());
  const std::string directory = cgroup_directory(path, *mounts);
  const auto no_such_cgroup = [&](int error) {
    return fail(ErrorKind::kUsage, fmt::format("there is no cgroup {}", path),
                fmt::format("give its path below {}, for example /system.slice", mounts->front()),
                error);
  };
  if (path.empty()) return no_such_cgroup(0);
  const Fd cgroup(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) return no_such_cgroup(errno);
  struct statfs filesystem {};
  if (::fstatfs(cgroup.get(), &filesystem) != 0) return no_such_cgroup(errno);
  // ".." may lead out of the mount
  if (filesystem.f_type != CGROUP2_SUPER_MAGIC) return no_such_cgroup(0);

  auto is_charged = has_memory_controller(directory);
  if (!is_charged) return fail(std::move(is_charged).error());
  if (!*is_charged)
    return fail(ErrorKind::kUnsupported,
                fmt::format("cgroup {} has no memory controller: its pages are charged to a cgroup "
                            "above it, or to one of cgroup v1",
                            path),
                "name a cgroup whose cgroup.controllers lists memory");
  struct stat status {};
  if (::fstat(cgroup.get(), &status) != 0) return no_such_cgroup(errno);
  // fs/kernfs: the inode number is the id where it has 64 bits
  return status.st_ino;
}

}  // namespace pobpf
