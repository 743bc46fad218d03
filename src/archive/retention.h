// SPDX-License-Identifier: GPL-2.0-only
// Which snapshots of a directory go: a function of what there is, the limits and the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// For snapshots up to `age_ns` old, beyond the tier before it: the first of each interval of
/// `every_ns` stays (intervals count from 1970); 0: all of them.
struct ThinTier {
  std::uint64_t age_ns = 0;
  std::uint64_t every_ns = 0;

  bool operator==(const ThinTier&) const = default;
};

/// All of a day, one an hour for a week, one a day for a year.
[[nodiscard]] std::vector<ThinTier> default_tiers();

/// "AGE:EVERY,...", as in "1d:all,1w:1h,365d:1d". kUsage unless ages grow and each interval is a
/// multiple of the one before, without which thinning again would keep others.
[[nodiscard]] Result<std::vector<ThinTier>> parse_tiers(std::string_view text);

struct RetentionLimits {
  std::optional<std::uint64_t> nr_max;
  std::optional<std::uint64_t> age_max_ns;
  std::optional<std::uint64_t> bytes_max;
  /// By growing age; what is older than the last goes. Empty: no thinning.
  std::vector<ThinTier> tiers;
};

struct StoredSnapshot {
  std::uint64_t time_ns = 0;  ///< when it was taken, since 1970
  std::uint64_t bytes = 0;
  std::uint64_t freed_bytes = 0;  ///< what its removal gives back to the file system
};

/// Space of the file system.
struct FreeSpace {
  std::uint64_t free_bytes = 0;
  std::uint64_t wanted_bytes = 0;  ///< that are to stay free
};

enum class RemovalReason {
  kThinned,  ///< another one of its interval stays
  kTooOld,   ///< older than all tiers
  kAge,
  kNumber,
  kSize,
  kFreeSpace,
  kLeftBehind,  ///< no snapshot: begun by a run that was killed
};

struct Removal {
  std::size_t index = 0;  ///< into the snapshots
  RemovalReason reason = RemovalReason::kThinned;

  bool operator==(const Removal&) const = default;
};

/// In the order of removal, the oldest first.
struct RemovalChoice {
  std::vector<Removal> removals;
  /// Removals that would follow from age (kThinned, kTooOld, kAge), were it not for the number of
  /// them.
  std::vector<Removal> refused;
};

/// Chooses what goes. `newest` is the index of the snapshot that was taken last: it never goes,
/// whatever its time is. `now_ns` is since 1970. Snapshots of the future were taken by a clock that
/// was wrong: they are of no age, and as to number, size and free space older than all others. None
/// goes for the sake of free space that all of them together do not give. Where more than half of
/// the older ones would go for their age, the clock may be what is wrong: none of them does.
[[nodiscard]] RemovalChoice choose_removals(std::span<const StoredSnapshot> snapshots,
                                            std::size_t newest, const RetentionLimits& limits,
                                            const FreeSpace& space, std::uint64_t now_ns);

}  // namespace pobpf
