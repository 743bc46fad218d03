// SPDX-License-Identifier: GPL-2.0-only
#include "archive/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "archive/snapshot_name.h"

namespace pobpf {
namespace {

ListedSnapshot listed(const DirectoryFile& file, SnapshotGlance glance) {
  ListedSnapshot snapshot;
  snapshot.file = file.file;
  snapshot.bytes = file.bytes;
  snapshot.state = glance.state;
  snapshot.why = std::move(glance.why);
  if (file.name) {
    snapshot.time_ns = file.name->time_ns;
    snapshot.host = file.name->host;
    snapshot.boot_id = file.name->boot_id;
  }
  if (glance.state != SnapshotState::kComplete && glance.state != SnapshotState::kIncomplete)
    return snapshot;
  SnapshotHeader& header = glance.header;
  if (glance.state == SnapshotState::kComplete) snapshot.nr_pages = glance.footer.nr_pages;
  snapshot.is_removable = glance.state == SnapshotState::kComplete && is_named_after(header, file);
  snapshot.time_ns = header.wall_clock_ns;
  snapshot.host = std::move(header.hostname);
  snapshot.boot_id = std::move(header.boot_id);
  snapshot.kernel_release = std::move(header.kernel_release);
  snapshot.filters = std::move(header.filters);
  snapshot.reason = std::move(header.reason);
  return snapshot;
}

}  // namespace

Result<Listing> list_snapshots(const SnapshotDirectory& directory,
                               SnapshotDirectory::IsCancelled is_cancelled) {
  auto content = directory.read();
  if (!content) return fail(std::move(content).error());
  Listing listing;
  listing.nr_temporaries = content->temporaries.size();
  listing.nr_others = content->nr_others;
  for (const DirectoryFile& file : content->files) {
    if (is_cancelled != nullptr && is_cancelled())
      return fail(ErrorKind::kFailed, "interrupted", {}, EINTR);
    listing.snapshots.push_back(listed(file, directory.glance_at(file.file)));
  }
  const auto key = [](const ListedSnapshot& snapshot) {
    return std::tuple(!snapshot.time_ns, snapshot.time_ns.value_or(0),
                      std::string_view(snapshot.file));
  };
  std::sort(listing.snapshots.begin(), listing.snapshots.end(),
            [&key](const ListedSnapshot& a, const ListedSnapshot& b) { return key(a) < key(b); });
  return listing;
}

Result<LatestSnapshots> choose_latest(const Listing& listing, std::size_t nr_wanted,
                                      const std::string& name) {
  LatestSnapshots latest;
  const ListedSnapshot* last = nullptr;
  std::uint64_t nr_other_filters = 0;
  for (auto it = listing.snapshots.rbegin();
       it != listing.snapshots.rend() && latest.files.size() < nr_wanted; ++it) {
    if (!it->is_removable) continue;
    if (last == nullptr) last = &*it;
    if (it->host != last->host) continue;
    if (it->filters != last->filters) {
      ++nr_other_filters;
      continue;
    }
    latest.files.push_back(it->file);
    latest.nr_other_filters = nr_other_filters;
  }
  if (last == nullptr)
    return fail(ErrorKind::kFailed, fmt::format("{} has no whole snapshot of pobpf snapshot", name),
                "pobpf list shows what is there");
  if (latest.files.size() < nr_wanted)
    return fail(
        ErrorKind::kFailed,
        fmt::format("{} has {} complete {} of host '{}' with the filters of the last one, where {} "
                    "are compared",
                    name, latest.files.size(), latest.files.size() == 1 ? "snapshot" : "snapshots",
                    last->host, nr_wanted),
        "pobpf list shows what is there");
  std::reverse(latest.files.begin(), latest.files.end());
  return latest;
}

}  // namespace pobpf
