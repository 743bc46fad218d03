// SPDX-License-Identifier: GPL-2.0-only
#include "util/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace pobpf {
namespace {

constexpr std::string_view kTemporaryPrefix = ".pobpf.";

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

tl::unexpected<Error> cannot_open(const std::string& name, int error) {
  return fail(ErrorKind::kFailed, "opening " + name + ": " + std::generic_category().message(error),
              {}, error);
}

/// How linkat(2) finds a file without a name; AT_EMPTY_PATH would take CAP_DAC_READ_SEARCH.
std::string link_source(const Fd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

/// A file without a name, which a process that is killed cannot leave behind; none where the file
/// system cannot make one (9p, NFS) or there is no /proc to name it through.
Fd open_unnamed(const std::filesystem::path& directory) {
  Fd fd(::open(directory.empty() ? "." : directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd && ::access(link_source(fd).c_str(), F_OK) != 0) fd.reset();
  return fd;
}

/// 0 or an errno.
int link_unnamed(const Fd& fd, const std::filesystem::path& path) {
  return ::linkat(AT_FDCWD, link_source(fd).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0
             ? 0
             : errno;
}

}  // namespace

Output::Output(Fd fd, std::string name, IsCancelled is_cancelled)
    : fd_(std::move(fd)), name_(std::move(name)), is_cancelled_(is_cancelled) {
  // records are appended whole: room for one more than what triggers a flush
  buffer_.reserve(kBufferBytes + kBufferBytes / 4);
}

Output::Output(Output&& other) noexcept
    : fd_(std::move(other.fd_)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})),
      is_unnamed_(other.is_unnamed_),
      is_cancelled_(other.is_cancelled_),
      is_stdout_(other.is_stdout_),
      is_reader_gone_(other.is_reader_gone_),
      buffer_(std::move(other.buffer_)) {}

Output::~Output() { discard(); }

Output Output::to_stdout(IsCancelled is_cancelled) {
  // a descriptor of our own: commit() closes it, and stdout stays open
  Output output(Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)),
                "the standard output", is_cancelled);
  output.is_stdout_ = true;
  return output;
}

Result<Output> Output::to_file(const std::filesystem::path& path, IsCancelled is_cancelled) {
  const std::string name = path.string();
  struct stat existing {};
  const bool exists = ::stat(path.c_str(), &existing) == 0;
  if (!exists && errno != ENOENT) return cannot_open(name, errno);

  struct stat standard_output {};
  // /dev/stdout and its like: what the shell redirected must not be replaced by a new file
  if (exists && ::fstat(STDOUT_FILENO, &standard_output) == 0 &&
      is_same_file(existing, standard_output))
    return to_stdout(is_cancelled);

  if (exists && !S_ISREG(existing.st_mode)) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd) return cannot_open(name, errno);
    return Output(std::move(fd), name, is_cancelled);
  }

  return replace_file(path, exists, Naming::kUnnamed, kTemporaryPrefix, is_cancelled);
}

Result<Output> Output::to_named_file(const std::filesystem::path& path, IsCancelled is_cancelled) {
  struct stat existing {};
  const bool exists = ::stat(path.c_str(), &existing) == 0;
  if (!exists && errno != ENOENT) return cannot_open(path.string(), errno);
  if (exists && !S_ISREG(existing.st_mode))
    return fail(ErrorKind::kUsage, path.string() + " is no regular file", "name a file");
  return replace_file(path, exists, Naming::kNamed, kTemporaryPrefix, is_cancelled);
}

Result<Output> Output::to_new_file(const std::filesystem::path& path,
                                   std::string_view temporary_prefix, IsCancelled is_cancelled) {
  return replace_file(path, false, Naming::kUnnamed, temporary_prefix, is_cancelled);
}

Result<Output> Output::replace_file(const std::filesystem::path& path, bool exists, Naming naming,
                                    std::string_view temporary_prefix, IsCancelled is_cancelled) {
  const std::string name = path.string();
  // a symbolic link to a file stays a link: the file that it leads to is replaced
  std::error_code error;
  const auto target = exists ? std::filesystem::canonical(path, error) : path;
  if (error) return cannot_open(name, error.value());
  Fd unnamed = naming == Naming::kUnnamed ? open_unnamed(target.parent_path()) : Fd();
  if (unnamed) {
    Output output(std::move(unnamed), name, is_cancelled);
    output.path_ = target.string();
    output.is_unnamed_ = true;
    return output;
  }
  std::string temporary =
      (target.parent_path() / fmt::format("{}XXXXXX", temporary_prefix)).string();
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return cannot_open(name, errno);
  Output output(std::move(fd), name, is_cancelled);
  output.path_ = target.string();
  output.temporary_path_ = std::move(temporary);
  return output;
}

tl::unexpected<Error> Output::cannot_write(int error) const {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return fail(ErrorKind::kFailed,
              "writing " + name_ + ": " + std::generic_category().message(error),
              is_full ? "free some space or choose another place" : "", error);
}

Status Output::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    // a signal shows as a short write or as EINTR, depending on what was written before
    if (is_cancelled_ != nullptr && is_cancelled_()) return cannot_write(EINTR);
    const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    is_reader_gone_ = error == EPIPE && is_stdout_;
    return cannot_write(error);
  }
  buffer_.clear();
  return {};
}

Status Output::commit() {
  if (auto status = flush(); !status) return status;
  if (!path_.empty() && ::fsync(fd_.get()) != 0) return cannot_write(errno);
  if (is_unnamed_)
    if (auto status = name_unnamed(); !status) return status;
  if (const int error = fd_.close(); error != 0) return cannot_write(error);
  if (temporary_path_.empty()) return {};
  if (std::rename(temporary_path_.c_str(), path_.c_str()) != 0) return cannot_write(errno);
  temporary_path_.clear();
  return {};
}

/// linkat(2) replaces nothing: a file that is there already is renamed over, as without O_TMPFILE.
/// What a SIGKILL between these two calls leaves behind is a whole file under a temporary name.
Status Output::name_unnamed() {
  int error = link_unnamed(fd_, path_);
  if (error != EEXIST) return error == 0 ? Status() : cannot_write(error);
  const auto directory = std::filesystem::path(path_).parent_path();
  for (unsigned i = 0; error == EEXIST; ++i) {
    const std::string temporary = directory / fmt::format(".pobpf.{}.{}", ::getpid(), i);
    error = link_unnamed(fd_, temporary);
    if (error == 0) temporary_path_ = temporary;
  }
  return error == 0 ? Status() : cannot_write(error);
}

void Output::discard() {
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
}

}  // namespace pobpf
