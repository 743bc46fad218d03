// SPDX-License-Identifier: GPL-2.0-only
// A directory that snapshots are taken into, and old ones removed from.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "archive/directory_lock.h"
#include "archive/retention.h"
#include "archive/snapshot_name.h"
#include "model/byte_size.h"
#include "snapshot/snapshot_glance.h"
#include "snapshot/snapshot_header.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/output.h"

namespace pobpf {

struct RetentionPolicy {
  RetentionLimits limits;
  std::optional<ByteShare> min_free;  ///< of the file system, which it is to keep free
};

/// A regular file whose name ends as snapshots do.
struct DirectoryFile {
  std::string file;                  ///< its name
  std::optional<SnapshotName> name;  ///< no value: somebody else named it
  std::uint64_t bytes = 0;
  std::uint64_t freed_bytes = 0;  ///< what its removal gives back
};

/// Whether the file has the name that pobpf gives to a snapshot with this header.
[[nodiscard]] bool is_named_after(const SnapshotHeader& header, const DirectoryFile& file);

struct DirectoryContent {
  std::vector<DirectoryFile> files;      ///< by name
  std::vector<std::string> temporaries;  ///< begun by a run that still writes, or was killed
  std::uint64_t nr_others = 0;           ///< all else but our lock
};

struct RemovedFile {
  std::string file;
  RemovalReason reason = RemovalReason::kThinned;
};

/// Tells what became of older snapshots.
struct RetentionReport {
  std::vector<RemovedFile> removed;
  /// Would have gone, but are not whole, or not those that their names say: why, each.
  std::vector<std::string> left;
  /// Failures: files that could not be removed, or are not to be believed to be too old, and free
  /// space that could not be made: why, each.
  std::vector<std::string> failures;
};

/// The snapshot that is being taken, and the lock of its directory. Without commit() nothing of it
/// is left.
class NewSnapshot;

/// Not thread-safe, but for other processes in the same directory.
class SnapshotDirectory {
 public:
  enum class Missing { kFail, kCreate };
  using IsCancelled = Output::IsCancelled;

  /// Creates only the last part of `path`, with mode 0750 as umask allows. kFailed with os_errno.
  [[nodiscard]] static Result<SnapshotDirectory> open(const std::filesystem::path& path,
                                                      Missing missing);

  /// Locks the directory, removes what killed runs have left, and looks whether there is room: as
  /// much as the last snapshot of `host` took. kFailed if another one still takes a snapshot after
  /// `wait`, and if `policy.min_free` could not hold even without all older snapshots of the host.
  /// The directory must outlive the result.
  [[nodiscard]] Result<NewSnapshot> begin(RetentionPolicy policy, std::string host,
                                          std::chrono::nanoseconds wait,
                                          IsCancelled is_cancelled = nullptr) const;

  /// Tells what a snapshot of `host`, taken at `now_ns` and as large as its last one, would remove.
  [[nodiscard]] Result<RetentionReport> plan(const RetentionPolicy& policy, const std::string& host,
                                             std::uint64_t now_ns) const;

  [[nodiscard]] Result<DirectoryContent> read() const;
  /// kUnreadable if it cannot be opened; symbolic links are not followed.
  [[nodiscard]] SnapshotGlance glance_at(const std::string& file) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  friend class NewSnapshot;

  SnapshotDirectory(Fd fd, std::filesystem::path path)
      : fd_(std::move(fd)), path_(std::move(path)) {}
  [[nodiscard]] tl::unexpected<Error> failed(const char* doing, int error) const;
  [[nodiscard]] Result<FreeSpace> free_space(const ByteShare& min_free) const;
  [[nodiscard]] Status sync() const;
  /// Why the file is not the whole snapshot that its name says; empty: it is.
  [[nodiscard]] std::string why_not_snapshot(const std::string& file) const;
  /// Chooses from `files`, the last of which is the newest; files that are not snapshots are left,
  /// and what is refused is a failure.
  [[nodiscard]] std::vector<RemovedFile> choose(std::vector<DirectoryFile> files,
                                                const RetentionPolicy& policy, FreeSpace space,
                                                std::uint64_t now_ns,
                                                RetentionReport& report) const;
  void remove(const std::vector<RemovedFile>& files, RetentionReport& report) const;

  Fd fd_;
  std::filesystem::path path_;
};

class NewSnapshot {
 public:
  /// Gives the snapshot its file, by host, boot and time of `header`; the time is moved by
  /// nanoseconds if a snapshot of it is there. First call, once, before the header is written.
  [[nodiscard]] Status open(SnapshotHeader& header);
  /// Where it is written to; not to be committed.
  [[nodiscard]] Output& output() { return *output_; }
  /// kFailed once the file system has less room than is to stay free, even without all older
  /// snapshots of the host. For calls now and then while it is written.
  [[nodiscard]] Status check_room() const;
  /// Gives the snapshot its name once it is on its medium, then removes older ones of the host that
  /// are beyond a limit. An error means that it is not there and that none was removed.
  [[nodiscard]] Result<RetentionReport> commit();

  /// Valid after open().
  [[nodiscard]] std::filesystem::path path() const { return directory_->path() / file_; }
  /// Removes what killed runs had left.
  [[nodiscard]] const RetentionReport& swept() const { return swept_; }

 private:
  friend class SnapshotDirectory;

  NewSnapshot(const SnapshotDirectory& directory, DirectoryLock lock, RetentionPolicy policy,
              std::string host, SnapshotDirectory::IsCancelled is_cancelled)
      : directory_(&directory),
        lock_(std::move(lock)),
        policy_(std::move(policy)),
        host_(std::move(host)),
        is_cancelled_(is_cancelled) {}
  [[nodiscard]] Status check_room(std::uint64_t bytes_to_come) const;

  const SnapshotDirectory* directory_;
  DirectoryLock lock_;
  RetentionPolicy policy_;
  std::string host_;
  SnapshotDirectory::IsCancelled is_cancelled_;
  RetentionReport swept_;
  std::uint64_t reclaimable_bytes_ = 0;  ///< of older snapshots of the host
  std::string file_;
  std::uint64_t time_ns_ = 0;
  std::optional<Output> output_;
};

}  // namespace pobpf
