// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_glance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "snapshot/frame_reader.h"
#include "snapshot/header_message.h"
#include "snapshot/item_message.h"
#include "snapshot/snapshot_reader.h"

namespace pobpf {
namespace {

/// The last frame is far smaller: totals and an account.
constexpr std::size_t kTailBytes = std::size_t{16} << 10;
/// Inside a sound last frame, bytes that look like the beginning of another are one in millions.
constexpr unsigned kTriesMax = 16;

Fd duplicate(const Fd& file) { return Fd(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)); }

/// The last bytes of the file; empty if they cannot be read.
std::string read_tail(const Fd& file, std::uint64_t file_bytes) {
  std::string tail(std::min<std::uint64_t>(kTailBytes, file_bytes), '\0');
  std::size_t size = 0;
  while (size < tail.size()) {
    const auto at = static_cast<off_t>(file_bytes - tail.size() + size);
    const ssize_t got = ::pread(file.get(), tail.data() + size, tail.size() - size, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    size += static_cast<std::size_t>(got);
  }
  return tail;
}

/// The footer, if its frame begins at `position` and ends the file.
std::optional<SnapshotFooter> footer_at(const Fd& file, std::uint64_t position) {
  if (::lseek(file.get(), static_cast<off_t>(position), SEEK_SET) < 0) return std::nullopt;
  FrameReader frames(duplicate(file));
  bool at_end = false;
  snapshot::Item item;
  const auto content = frames.next(at_end);
  if (!content || at_end || !parse_item(*content, item) || !item.has_footer()) return std::nullopt;
  const auto behind = frames.next(at_end);
  if (!behind || !at_end) return std::nullopt;
  auto footer = read_footer(item.footer());
  if (!footer) return std::nullopt;
  return *std::move(footer);
}

std::optional<SnapshotFooter> find_footer(const Fd& file, std::uint64_t file_bytes) {
  const std::string tail = read_tail(file, file_bytes);
  std::size_t at = std::string::npos;
  for (unsigned i = 0; i < kTriesMax; ++i) {
    at = tail.rfind(kFrameMagic, at);
    if (at == std::string::npos) break;
    if (auto footer = footer_at(file, file_bytes - tail.size() + at)) return footer;
    if (at-- == 0) break;
  }
  return std::nullopt;
}

}  // namespace

SnapshotGlance glance_at_snapshot(const Fd& file, const std::string& name) {
  SnapshotGlance glance;
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    glance.why = name + " is not a regular file";
    return glance;
  }
  auto reader = SnapshotReader::open(duplicate(file), name, DamagePolicy::kRefuse);
  if (!reader) {
    const Error& error = reader.error();
    glance.state = error.os_errno == 0 ? SnapshotState::kDamaged : SnapshotState::kUnreadable;
    glance.why = error.what;
    return glance;
  }
  glance.header = (*reader)->header();
  const auto footer = find_footer(file, static_cast<std::uint64_t>(status.st_size));
  if (!footer) {
    glance.state = SnapshotState::kIncomplete;
    glance.why = name + " has no end, as if cut off";
    return glance;
  }
  glance.state = SnapshotState::kComplete;
  glance.footer = *footer;
  return glance;
}

}  // namespace pobpf
