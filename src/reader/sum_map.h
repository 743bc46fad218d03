// SPDX-License-Identifier: GPL-2.0-only
// The map that count_pages sums up in, one a reader.
#pragma once

#include <cstdint>

#include "reader/session.h"
#include "util/error.h"
#include "util/fd.h"

struct bpf_map;

namespace pobpf {

/// An inner map of reader_sums. It stays in its slot until there is another, or the object goes
/// (reader_maps.h says why).
class SumMap {
 public:
  /// Room for `groups_max` groups and the one of all others.
  static Result<SumMap> install(const bpf_map* reader_sums, std::uint32_t slot,
                                std::uint32_t groups_max);

  /// Fills GroupSums::groups and ::other.
  Status read(GroupSums& sums) const;

 private:
  explicit SumMap(Fd map) : map_(std::move(map)) {}
  Fd map_;
};

}  // namespace pobpf
