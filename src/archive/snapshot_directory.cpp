// SPDX-License-Identifier: GPL-2.0-only
#include "archive/snapshot_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "sum/row_output.h"

namespace pobpf {
namespace {

constexpr ::mode_t kDirectoryMode = 0750;
/// Not that of other outputs, which know nothing of the lock.
constexpr std::string_view kTemporaryPrefix = ".pobpf-snapshot.";
constexpr std::size_t kTemporaryLetters = 6;
/// A bound of memory; one a minute for two years.
constexpr std::size_t kFilesMax = std::size_t{1} << 20;

struct DirCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string reason_of(int error) { return std::generic_category().message(error); }

bool is_temporary(std::string_view file) {
  if (!file.starts_with(kTemporaryPrefix)) return false;
  file.remove_prefix(kTemporaryPrefix.size());
  return file.size() == kTemporaryLetters && std::all_of(file.begin(), file.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

/// As the host of a name is read back.
std::string host_in_name(const std::string& host) {
  const auto name = parse_snapshot_name(format_snapshot_name({host, 0, {}}));
  return name ? name->host : host;
}

/// Those of the host, by time, as names of one host sort by it.
std::vector<DirectoryFile> snapshots_of(DirectoryContent content, const std::string& host) {
  std::erase_if(content.files, [name = host_in_name(host)](const DirectoryFile& file) {
    return !file.name || file.name->host != name;
  });
  return std::move(content.files);
}

std::uint64_t sum_of_freed(const std::vector<DirectoryFile>& files) {
  std::uint64_t bytes = 0;
  for (const DirectoryFile& file : files) bytes += file.freed_bytes;
  return bytes;
}

/// The size of the next snapshot, as far as the last one tells.
std::uint64_t expected_bytes(const std::vector<DirectoryFile>& snapshots) {
  return snapshots.empty() ? 0 : snapshots.back().bytes;
}

std::string name_of(const SnapshotHeader& header) {
  return format_snapshot_name({header.hostname, header.wall_clock_ns.value_or(0), header.boot_id});
}

std::string why_refused(std::size_t nr_refused, std::size_t nr_older) {
  return fmt::format(
      "{} of {} older snapshots would go at once for their age, so none of them does: check the "
      "clock, and remove them yourself if it is right",
      nr_refused, nr_older);
}

DirectoryFile file_of(std::string name, const struct stat& status) {
  constexpr std::uint64_t kBlockBytes = 512;
  DirectoryFile file;
  file.name = parse_snapshot_name(name);
  file.file = std::move(name);
  file.bytes = static_cast<std::uint64_t>(status.st_size);
  // another name of the same file keeps its blocks
  file.freed_bytes =
      status.st_nlink > 1 ? 0 : static_cast<std::uint64_t>(status.st_blocks) * kBlockBytes;
  return file;
}

}  // namespace

bool is_named_after(const SnapshotHeader& header, const DirectoryFile& file) {
  return name_of(header) == file.file;
}

tl::unexpected<Error> SnapshotDirectory::failed(const char* doing, int error) const {
  return fail(ErrorKind::kFailed, fmt::format("{} {}: {}", doing, path_.string(), reason_of(error)),
              {}, error);
}

Result<SnapshotDirectory> SnapshotDirectory::open(const std::filesystem::path& path,
                                                  Missing missing) {
  SnapshotDirectory directory(Fd(), path);
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  directory.fd_ = Fd(::open(path.c_str(), kFlags));
  if (!directory.fd_ && errno == ENOENT && missing == Missing::kCreate) {
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
      return directory.failed("creating", errno);
    directory.fd_ = Fd(::open(path.c_str(), kFlags));
  }
  if (!directory.fd_) return directory.failed("opening", errno);
  return directory;
}

Result<DirectoryContent> SnapshotDirectory::read() const {
  Fd fd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("reading", errno);
  const std::unique_ptr<DIR, DirCloser> entries(::fdopendir(fd.get()));
  if (!entries) return failed("reading", errno);
  static_cast<void>(fd.release());
  DirectoryContent content;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(entries.get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr && errno != 0) return failed("reading", errno);
    if (entry == nullptr) break;
    const std::string_view name(&entry->d_name[0]);
    if (name == "." || name == ".." || name == kLockFile) continue;
    struct stat status {};
    const bool is_ours = name.ends_with(kSnapshotSuffix) || is_temporary(name);
    if (!is_ours || ::fstatat(fd_.get(), &entry->d_name[0], &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode)) {
      ++content.nr_others;
      continue;
    }
    if (content.files.size() + content.temporaries.size() == kFilesMax)
      return fail(ErrorKind::kFailed,
                  fmt::format("{} has more than {} snapshots", path_.string(), kFilesMax));
    if (is_temporary(name))
      content.temporaries.emplace_back(name);
    else
      content.files.push_back(file_of(std::string(name), status));
  }
  std::sort(content.files.begin(), content.files.end(),
            [](const DirectoryFile& a, const DirectoryFile& b) { return a.file < b.file; });
  return content;
}

SnapshotGlance SnapshotDirectory::glance_at(const std::string& file) const {
  const Fd fd(
      ::openat(fd_.get(), file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fd) return glance_at_snapshot(fd, file);
  SnapshotGlance glance;
  glance.why = fmt::format("opening {}: {}", file, reason_of(errno));
  return glance;
}

std::string SnapshotDirectory::why_not_snapshot(const std::string& file) const {
  const SnapshotGlance glance = glance_at(file);
  if (glance.state != SnapshotState::kComplete) return glance.why;
  if (name_of(glance.header) != file) return file + " is a snapshot of another name";
  return {};
}

Result<FreeSpace> SnapshotDirectory::free_space(const ByteShare& min_free) const {
  struct statvfs system {};
  if (::fstatvfs(fd_.get(), &system) != 0) return failed("asking for the free space of", errno);
  const auto bytes = static_cast<double>(system.f_blocks) * static_cast<double>(system.f_frsize);
  return FreeSpace{system.f_bavail * system.f_frsize, min_free.of(bytes)};
}

Status SnapshotDirectory::sync() const {
  // some file systems have no such thing
  if (::fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) return failed("syncing", errno);
  return {};
}

std::vector<RemovedFile> SnapshotDirectory::choose(std::vector<DirectoryFile> files,
                                                   const RetentionPolicy& policy, FreeSpace space,
                                                   std::uint64_t now_ns,
                                                   RetentionReport& report) const {
  std::vector<bool> is_known(files.size());
  while (true) {
    std::vector<StoredSnapshot> stored;
    stored.reserve(files.size());
    for (const DirectoryFile& file : files)
      stored.push_back({file.name->time_ns, file.bytes, file.freed_bytes});
    const auto choice = choose_removals(stored, files.size() - 1, policy.limits, space, now_ns);
    std::vector<bool> is_foreign(files.size());
    for (const auto* indices : {&choice.removals, &choice.refused})
      for (const Removal& removal : *indices) {
        if (is_known[removal.index]) continue;
        const std::string why = why_not_snapshot(files[removal.index].file);
        is_known[removal.index] = why.empty();
        is_foreign[removal.index] = !why.empty();
        if (!why.empty()) report.left.push_back(why);
      }
    if (std::find(is_foreign.begin(), is_foreign.end(), true) == is_foreign.end()) {
      if (!choice.refused.empty())
        report.failures.push_back(why_refused(choice.refused.size(), files.size() - 1));
      std::vector<RemovedFile> chosen;
      chosen.reserve(choice.removals.size());
      for (const Removal& removal : choice.removals)
        chosen.push_back({files[removal.index].file, removal.reason});
      return chosen;
    }
    // a file that is not a snapshot does not count as one
    std::size_t end = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (is_foreign[i]) continue;
      is_known[end] = is_known[i];
      if (end != i) files[end] = std::move(files[i]);
      ++end;
    }
    files.resize(end);
    is_known.resize(end);
  }
}

void SnapshotDirectory::remove(const std::vector<RemovedFile>& files,
                               RetentionReport& report) const {
  for (const RemovedFile& file : files) {
    if (::unlinkat(fd_.get(), file.file.c_str(), 0) == 0)
      report.removed.push_back(file);
    else
      report.failures.push_back(fmt::format("removing {}: {}", file.file, reason_of(errno)));
  }
  if (files.empty()) return;
  if (auto status = sync(); !status) report.failures.push_back(status.error().what);
}

Result<RetentionReport> SnapshotDirectory::plan(const RetentionPolicy& policy,
                                                const std::string& host,
                                                std::uint64_t now_ns) const {
  auto content = read();
  if (!content) return fail(std::move(content).error());
  RetentionReport report;
  for (const std::string& file : content->temporaries)
    report.removed.push_back({file, RemovalReason::kLeftBehind});
  auto files = snapshots_of(*std::move(content), host);
  FreeSpace space;
  if (policy.min_free) {
    auto found = free_space(*policy.min_free);
    if (!found) return fail(std::move(found).error());
    space = *found;
  }
  DirectoryFile next;
  next.name = SnapshotName{host, now_ns, {}};
  next.bytes = expected_bytes(files);
  space.free_bytes -= std::min(space.free_bytes, next.bytes);
  files.push_back(std::move(next));
  for (RemovedFile& file : choose(std::move(files), policy, space, now_ns, report))
    report.removed.push_back(std::move(file));
  return report;
}

Result<NewSnapshot> SnapshotDirectory::begin(RetentionPolicy policy, std::string host,
                                             std::chrono::nanoseconds wait,
                                             IsCancelled is_cancelled) const {
  auto lock = DirectoryLock::take(fd_, path_.string(), wait, is_cancelled);
  if (!lock) return fail(std::move(lock).error());
  NewSnapshot snapshot(*this, *std::move(lock), std::move(policy), std::move(host), is_cancelled);
  auto content = read();
  if (!content) return fail(std::move(content).error());
  std::vector<RemovedFile> temporaries;
  for (const std::string& file : content->temporaries)
    temporaries.push_back({file, RemovalReason::kLeftBehind});
  remove(temporaries, snapshot.swept_);
  const auto files = snapshots_of(*std::move(content), snapshot.host_);
  snapshot.reclaimable_bytes_ = sum_of_freed(files);
  if (auto status = snapshot.check_room(expected_bytes(files)); !status)
    return fail(std::move(status).error());
  return snapshot;
}

Status NewSnapshot::open(SnapshotHeader& header) {
  header.wall_clock_ns = header.wall_clock_ns.value_or(0);
  struct stat status {};
  while (true) {
    file_ = name_of(header);
    if (::fstatat(directory_->fd_.get(), file_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) break;
    ++*header.wall_clock_ns;
  }
  if (errno != ENOENT) return directory_->failed("looking into", errno);
  time_ns_ = *header.wall_clock_ns;
  auto output = Output::to_new_file(directory_->fd_, path(), kTemporaryPrefix, is_cancelled_);
  if (!output) return fail(std::move(output).error());
  if (auto given = output->give_to_owner_of(directory_->fd_); !given) return given;
  output_.emplace(*std::move(output));
  return {};
}

Status NewSnapshot::check_room() const { return check_room(0); }

Status NewSnapshot::check_room(std::uint64_t bytes_to_come) const {
  if (!policy_.min_free) return {};
  const auto space = directory_->free_space(*policy_.min_free);
  if (!space) return fail(space.error());
  if (space->free_bytes + reclaimable_bytes_ >= space->wanted_bytes + bytes_to_come) return {};
  return fail(
      ErrorKind::kFailed,
      fmt::format("{} has {} free of the {} that are to stay free, older snapshots would give {}, "
                  "and a new one takes {}",
                  directory_->path().string(), size_text(space->free_bytes),
                  size_text(space->wanted_bytes), size_text(reclaimable_bytes_),
                  bytes_to_come == 0 ? "more" : size_text(bytes_to_come)),
      "free some space, or lower --min-free", ENOSPC);
}

Result<RetentionReport> NewSnapshot::commit() {
  if (auto status = output_->flush(); !status) return fail(std::move(status).error());
  if (auto status = check_room(); !status) return fail(std::move(status).error());
  if (auto status = output_->commit(); !status) return fail(std::move(status).error());
  RetentionReport report;
  const auto give_up = [&](const Error& error) {
    report.failures.push_back("no older snapshot was removed: " + error.what);
    return report;
  };
  // until then a power cut can take the new name away, and older ones must stay
  if (auto status = directory_->sync(); !status) return give_up(status.error());
  auto content = directory_->read();
  if (!content) return give_up(content.error());
  auto files = snapshots_of(*std::move(content), host_);
  const auto newest = std::find_if(
      files.begin(), files.end(), [this](const DirectoryFile& file) { return file.file == file_; });
  if (newest == files.end())
    return give_up({ErrorKind::kFailed, "the new one is not there", {}, 0});
  std::rotate(newest, newest + 1, files.end());
  FreeSpace space;
  if (policy_.min_free) {
    auto found = directory_->free_space(*policy_.min_free);
    if (!found) return give_up(found.error());
    space = *found;
  }
  directory_->remove(directory_->choose(std::move(files), policy_, space, time_ns_, report),
                     report);
  if (!policy_.min_free) return report;
  const auto after = directory_->free_space(*policy_.min_free);
  if (after && after->free_bytes < after->wanted_bytes)
    report.failures.push_back(fmt::format("{} has {} free, where {} are to stay free",
                                          directory_->path().string(), size_text(after->free_bytes),
                                          size_text(after->wanted_bytes)));
  return report;
}

}  // namespace pobpf
