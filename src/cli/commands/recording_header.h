// SPDX-License-Identifier: GPL-2.0-only
// The header of a snapshot of this machine as it is now.
#pragma once

#include <cstdint>
#include <string>

#include "reader/session.h"
#include "snapshot/snapshot_header.h"

namespace pobpf::cli {

/// UTC, since 1970.
[[nodiscard]] std::uint64_t wall_clock_ns();

/// As the header has it.
[[nodiscard]] std::string host_name();

/// `filters`: as given on the command line. What this machine does not tell is left out.
[[nodiscard]] SnapshotHeader make_recording_header(const Session& session, std::string filters);

}  // namespace pobpf::cli
