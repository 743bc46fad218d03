// SPDX-License-Identifier: GPL-2.0-only
#include "util/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pobpf {
namespace {

tl::unexpected<Error> cannot_read(const std::filesystem::path& path, int error) {
  return fail(ErrorKind::kFailed,
              "reading " + path.string() + ": " + std::generic_category().message(error), {},
              error);
}

bool (*is_process_cancelled)() = nullptr;

bool goes_on() {
  return errno == EINTR && (is_process_cancelled == nullptr || !is_process_cancelled());
}

}  // namespace

void set_cancellation(bool (*is_cancelled)()) { is_process_cancelled = is_cancelled; }

Fd open_file(const std::filesystem::path& path, int flags) {
  while (true) {
    Fd file(::open(path.c_str(), flags));
    if (file || !goes_on()) return file;
  }
}

ssize_t read_bytes(const Fd& file, void* buffer, std::size_t nr_bytes) {
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, nr_bytes);
    if (got >= 0 || !goes_on()) return got;
  }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const Fd fd = open_file(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (!fd) return cannot_read(path, errno);
  constexpr std::size_t kFirstBytes = 16384;
  std::string content;
  std::size_t size = 0;
  for (;;) {
    // one byte more than allowed tells a file that just fits from one that is too large
    if (size == content.size())
      content.resize(std::min(std::max(kFirstBytes, size * 2), max_bytes + 1));
    const ssize_t got = read_bytes(fd, content.data() + size, content.size() - size);
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > max_bytes) return cannot_read(path, EFBIG);
  }
  content.resize(size);
  return content;
}

int give_to_owner(const Fd& directory, const Fd& file) {
  if (::geteuid() != 0) return 0;
  struct stat place {};
  struct stat made {};
  if (::fstat(directory.get(), &place) != 0 || ::fstat(file.get(), &made) != 0) return errno;
  if (made.st_uid == place.st_uid) return 0;
  return ::fchown(file.get(), place.st_uid, place.st_gid) == 0 ? 0 : errno;
}

}  // namespace pobpf
