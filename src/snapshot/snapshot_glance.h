// SPDX-License-Identifier: GPL-2.0-only
// Reads what a snapshot says of itself, without its pages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "snapshot/snapshot_header.h"
#include "util/fd.h"

namespace pobpf {

enum class SnapshotState {
  kComplete,    ///< it has a beginning and an end; between them nobody has looked
  kIncomplete,  ///< it has no end: cut off, or still written
  kDamaged,     ///< it does not begin like a snapshot that this pobpf can read
  kUnreadable,  ///< the file cannot be read
};

struct SnapshotGlance {
  SnapshotState state = SnapshotState::kUnreadable;
  std::string why;        ///< if it is not complete
  SnapshotHeader header;  ///< of complete and incomplete ones
  SnapshotFooter footer;  ///< of complete ones
};

/// Reads the first and the last part of a file, at most a few hundred KiB of it, from its
/// beginning, and leaves the position of `file` anywhere. `name` is for messages.
[[nodiscard]] SnapshotGlance glance_at_snapshot(const Fd& file, const std::string& name);

}  // namespace pobpf
