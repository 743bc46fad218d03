// SPDX-License-Identifier: GPL-2.0-only
// A list of the snapshots of a directory, with what they say of themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "archive/snapshot_directory.h"
#include "snapshot/snapshot_glance.h"
#include "util/error.h"

namespace pobpf {

/// Texts are untrusted bytes; empty where not known.
struct ListedSnapshot {
  std::string file;
  std::uint64_t bytes = 0;
  SnapshotState state = SnapshotState::kUnreadable;
  std::string why;  ///< if it is not complete
  /// When it was taken; of what does not say it, as its name has it.
  std::optional<std::uint64_t> time_ns;
  std::string host;
  std::string boot_id;
  std::string kernel_release;
  std::string filters;
  std::string reason;  ///< why it was taken by itself; empty: somebody asked for it
  std::optional<std::uint64_t> nr_pages;  ///< records, if it is complete
  /// Whether limits of pobpf snapshot may take it: it is complete, and what its name says.
  bool is_removable = false;
};

struct Listing {
  std::vector<ListedSnapshot> snapshots;  ///< the oldest first, without a time last
  std::uint64_t nr_temporaries = 0;       ///< being written, or left behind
  std::uint64_t nr_others = 0;
};

/// Looks at the beginning and the end of each file.
[[nodiscard]] Result<Listing> list_snapshots(const SnapshotDirectory& directory,
                                             SnapshotDirectory::IsCancelled is_cancelled = nullptr);

struct LatestSnapshots {
  std::vector<std::string> files;      ///< the oldest first
  std::uint64_t nr_other_filters = 0;  ///< younger than the oldest of these, but left out
};

/// The last `nr_wanted` whole ones under their own names, of the host of the last one, with its
/// filters. kFailed if
/// there are fewer. `name` is the directory's.
[[nodiscard]] Result<LatestSnapshots> choose_latest(const Listing& listing, std::size_t nr_wanted,
                                                    const std::string& name);

}  // namespace pobpf
