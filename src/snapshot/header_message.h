// SPDX-License-Identifier: GPL-2.0-only
// Header and footer of a snapshot as messages.
#pragma once

#include "snapshot.pb.h"
#include "snapshot/snapshot_header.h"
#include "util/error.h"

namespace pobpf {

void write_header(const SnapshotHeader& header, snapshot::Header& message);
/// kFailed if a newer pobpf wrote it, or it says what no kernel does.
[[nodiscard]] Result<SnapshotHeader> read_header(const snapshot::Header& message);

void write_footer(const SnapshotFooter& footer, snapshot::Footer& message);
/// Errors say in which way the message contradicts itself.
[[nodiscard]] Result<SnapshotFooter> read_footer(const snapshot::Footer& message);

}  // namespace pobpf
