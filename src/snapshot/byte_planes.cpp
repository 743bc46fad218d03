// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/byte_planes.h"

#include <bit>
#include <string>

#include "snapshot/format.h"

namespace pobpf {
namespace {

constexpr int kValueBytes = sizeof(std::uint64_t);

}  // namespace

void write_planes(std::span<const std::int64_t> values, snapshot::BytePlanes& planes) {
  std::uint64_t all = 1;
  for (const std::int64_t value : values) all |= to_zigzag(value);
  const int nr_planes = (static_cast<int>(std::bit_width(all)) + 7) / 8;
  for (int i = 0; i < nr_planes; ++i) {
    std::string& plane = *planes.add_plane();
    plane.resize(values.size());
    for (std::size_t at = 0; at < values.size(); ++at)
      plane[at] = static_cast<char>(to_zigzag(values[at]) >> (8 * i));
  }
}

bool read_planes(const snapshot::BytePlanes& planes, std::size_t nr_values,
                 std::vector<std::int64_t>& values) {
  values.assign(nr_values, 0);
  if (planes.plane_size() < 1 || planes.plane_size() > kValueBytes) return false;
  for (const std::string& plane : planes.plane())
    if (plane.size() != nr_values) return false;
  std::vector<std::uint64_t> codes(nr_values);
  for (int i = 0; i < planes.plane_size(); ++i) {
    const std::string& plane = planes.plane(i);
    for (std::size_t at = 0; at < nr_values; ++at)
      codes[at] |= std::uint64_t{static_cast<unsigned char>(plane[at])} << (8 * i);
  }
  for (std::size_t at = 0; at < nr_values; ++at) values[at] = from_zigzag(codes[at]);
  return true;
}

}  // namespace pobpf
