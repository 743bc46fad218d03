// SPDX-License-Identifier: GPL-2.0-only
// Names of snapshots in a directory: HOST_20261123T200848.123456789Z_BOOTID.pobpf
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pobpf {

/// Behind every snapshot's name.
constexpr std::string_view kSnapshotSuffix = ".pobpf";

/// The content of a name, as in the header of the snapshot. Texts are untrusted bytes and may be
/// empty.
struct SnapshotName {
  std::string host;
  std::uint64_t time_ns = 0;  ///< UTC, since 1970
  std::string boot_id;

  bool operator==(const SnapshotName&) const = default;
};

/// The file's name: letters, digits, '.', '-', '_' and '%', whatever the texts are, of at most 255
/// bytes, never hidden and never like an option. Names of one host sort by time. Texts are cut to
/// what fits, which is all of a host name of letters, digits, dots and hyphens, and of a boot id.
[[nodiscard]] std::string format_snapshot_name(const SnapshotName& name);

/// No value for anything that format_snapshot_name() does not make.
[[nodiscard]] std::optional<SnapshotName> parse_snapshot_name(std::string_view text);

/// "2026-11-23T20:08:48Z"; `with_ns`: and nine digits behind the seconds.
[[nodiscard]] std::string utc_text(std::uint64_t time_ns, bool with_ns);

}  // namespace pobpf
