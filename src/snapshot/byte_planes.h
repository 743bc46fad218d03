// SPDX-License-Identifier: GPL-2.0-only
// A column of numbers whose low bytes are nearly random, such as differences of times: apart from
// the steady high bytes they compress better than as varints, which mix both. Low bytes stand by
// what is above them: where that is frequent they are less random.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "snapshot.pb.h"

namespace pobpf {

/// As many planes as the largest value needs, one at least.
void write_planes(std::span<const std::int64_t> values, snapshot::BytePlanes& planes);

/// Replaces `values`, whose number is known. False: the planes are not that long, or there are more
/// of them than a value has bytes, or none.
[[nodiscard]] bool read_planes(const snapshot::BytePlanes& planes, std::size_t nr_values,
                               std::vector<std::int64_t>& values);

}  // namespace pobpf
