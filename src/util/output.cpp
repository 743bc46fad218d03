// SPDX-License-Identifier: GPL-2.0-only
#include "util/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <random>
#include <string_view>
#include <system_error>

#include "util/escape.h"
#include "util/file.h"

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

bool is_same_file(const Fd& a, int b) {
  struct stat of_a {};
  struct stat of_b {};
  return ::fstat(a.get(), &of_a) == 0 && ::fstat(b, &of_b) == 0 && is_same_file(of_a, of_b);
}

bool is_regular(const Fd& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode);
}

/// Whether the directory has the file by that name, itself and no link to it.
bool is_at(const Fd& file, const Fd& directory, const std::string& name) {
  struct stat status {};
  struct stat there {};
  return ::fstat(file.get(), &status) == 0 &&
         ::fstatat(directory.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_same_file(status, there);
}

tl::unexpected<Error> was_exchanged(const std::string& name) {
  return fail(ErrorKind::kFailed, "opening " + name + ": another file took its place meanwhile",
              "choose a directory that others cannot write to");
}

/// How linkat(2) finds a file without a name; AT_EMPTY_PATH would take CAP_DAC_READ_SEARCH.
std::string link_source(const Fd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

/// A file without a name, which a process that is killed cannot leave behind; none where the file
/// system cannot make one (9p, NFS) or there is no /proc to name it through.
Fd open_unnamed(const Fd& directory) {
  Fd fd(::openat(directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd && ::access(link_source(fd).c_str(), F_OK) != 0) fd.reset();
  return fd;
}

/// A new file whose name nobody foretells; `name` is set.
Fd open_temporary(const Fd& directory, std::string_view prefix, std::string& name) {
  constexpr std::string_view kLetters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr int kNrLetters = 6;
  constexpr int kNrTries = 100;
  std::random_device random;
  Fd fd;
  for (int i = 0; !fd && i < kNrTries; ++i) {
    name = prefix;
    for (int n = 0; n < kNrLetters; ++n) name += kLetters[random() % kLetters.size()];
    fd = Fd(::openat(directory.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno != EEXIST) break;
  }
  return fd;
}

/// 0 or an errno.
int link_unnamed(const Fd& fd, const Fd& directory, const std::string& name) {
  return ::linkat(AT_FDCWD, link_source(fd).c_str(), directory.get(), name.c_str(),
                  AT_SYMLINK_FOLLOW) == 0
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
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      is_unnamed_(other.is_unnamed_),
      is_cancelled_(other.is_cancelled_),
      is_stdout_(other.is_stdout_),
      is_reader_gone_(other.is_reader_gone_),
      buffer_(std::move(other.buffer_)),
      nr_harmless_(other.nr_harmless_) {}

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
  // links are followed here, once, by the kernel: it may refuse those of strangers
  const Fd existing(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!existing && errno != ENOENT) return cannot_open(name, errno);
  // /dev/stdout and its like: what the shell redirected must not be replaced by a new file
  if (existing && is_same_file(existing, STDOUT_FILENO)) return to_stdout(is_cancelled);
  if (existing && !is_regular(existing)) {
    Fd fd = open_file(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (!fd) return cannot_open(name, errno);
    if (!is_same_file(existing, fd.get())) return was_exchanged(name);
    return Output(std::move(fd), name, is_cancelled);
  }
  return open_in(find_target(path, existing), name, Naming::kUnnamed, kTemporaryPrefix,
                 is_cancelled);
}

Result<Output> Output::to_named_file(const std::filesystem::path& path, IsCancelled is_cancelled) {
  const Fd existing(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!existing && errno != ENOENT) return cannot_open(path.string(), errno);
  if (existing && !is_regular(existing))
    return fail(ErrorKind::kUsage, path.string() + " is not a regular file", "name a file");
  return open_in(find_target(path, existing), path.string(), Naming::kNamed, kTemporaryPrefix,
                 is_cancelled);
}

Result<Output> Output::to_new_file(const Fd& directory, const std::filesystem::path& path,
                                   std::string_view temporary_prefix, IsCancelled is_cancelled) {
  Target target{Fd(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0)), {}, path.filename().string()};
  if (!target.directory) return cannot_open(path.string(), errno);
  return open_in(std::move(target), path.string(), Naming::kUnnamed, temporary_prefix,
                 is_cancelled);
}

Result<Output::Target> Output::find_target(const std::filesystem::path& path, const Fd& existing) {
  std::error_code error;
  const auto parent = path.parent_path();
  // a symbolic link to a file stays a link: the file that it leads to is replaced
  auto resolved =
      existing ? std::filesystem::canonical(path, error)
               : std::filesystem::canonical(parent.empty() ? "." : parent, error) / path.filename();
  if (error) return cannot_open(path.string(), error.value());
  Target target{
      Fd(::open(resolved.parent_path().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
      resolved.parent_path().string(), resolved.filename().string()};
  if (!target.directory) return cannot_open(path.string(), errno);
  if (existing && !is_at(existing, target.directory, target.file))
    return was_exchanged(path.string());
  return target;
}

Result<Output> Output::open_in(Result<Target> target, std::string name, Naming naming,
                               std::string_view temporary_prefix, IsCancelled is_cancelled) {
  if (!target) return fail(std::move(target).error());
  Output output(naming == Naming::kUnnamed ? open_unnamed(target->directory) : Fd(),
                std::move(name), is_cancelled);
  output.is_unnamed_ = static_cast<bool>(output.fd_);
  if (!output.fd_) {
    output.fd_ = open_temporary(target->directory, temporary_prefix, output.temporary_);
    if (!output.fd_) {
      const int error = errno;
      output.temporary_.clear();
      return cannot_open(output.name_, error);
    }
  }
  output.target_ = *std::move(target);
  return output;
}

Status Output::give_to_owner_of(const Fd& directory) const {
  const int error = give_to_owner(directory, fd_);
  if (error == 0) return {};
  return fail(ErrorKind::kFailed,
              fmt::format("giving {} to the owner of its directory: {}", name_,
                          std::generic_category().message(error)),
              {}, error);
}

std::string Output::temporary_path() const {
  return temporary_.empty() ? std::string() : target_.directory_path + "/" + temporary_;
}

tl::unexpected<Error> Output::cannot_write(int error) const {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return fail(ErrorKind::kFailed,
              "writing " + name_ + ": " + std::generic_category().message(error),
              is_full ? "free some space or choose another place" : "", error);
}

void Output::make_buffer_harmless() {
  if (is_terminal()) make_harmless(buffer_, nr_harmless_);
  nr_harmless_ = buffer_.size();
}

void Output::append_controls(std::string_view text) {
  make_buffer_harmless();
  buffer_ += text;
  nr_harmless_ = buffer_.size();
}

Status Output::flush() {
  make_buffer_harmless();
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
  nr_harmless_ = 0;
  return {};
}

Status Output::commit() {
  if (auto status = flush(); !status) return status;
  if (target_.directory && ::fsync(fd_.get()) != 0) return cannot_write(errno);
  if (is_unnamed_)
    if (auto status = name_unnamed(); !status) return status;
  if (const int error = fd_.close(); error != 0) return cannot_write(error);
  if (temporary_.empty()) return {};
  const int directory = target_.directory.get();
  if (::renameat(directory, temporary_.c_str(), directory, target_.file.c_str()) != 0)
    return cannot_write(errno);
  temporary_.clear();
  return {};
}

/// linkat(2) replaces nothing: a file that is there already is renamed over, as without O_TMPFILE.
/// What a SIGKILL between these two calls leaves behind is a whole file under a temporary name.
Status Output::name_unnamed() {
  int error = link_unnamed(fd_, target_.directory, target_.file);
  if (error != EEXIST) return error == 0 ? Status() : cannot_write(error);
  for (unsigned i = 0; error == EEXIST; ++i) {
    const std::string temporary = fmt::format(".pobpf.{}.{}", ::getpid(), i);
    error = link_unnamed(fd_, target_.directory, temporary);
    if (error == 0) temporary_ = temporary;
  }
  return error == 0 ? Status() : cannot_write(error);
}

void Output::discard() {
  if (!temporary_.empty()) ::unlinkat(target_.directory.get(), temporary_.c_str(), 0);
}

}  // namespace pobpf
