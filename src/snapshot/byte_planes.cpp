// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/byte_planes.h"

#include <bit>
#include <string>

#include "snapshot/format.h"
#include "snapshot/sorted_places.h"

namespace pobpf {
namespace {

constexpr int kValueBytes = sizeof(std::uint64_t);

constexpr std::uint8_t byte_of(std::uint64_t code, int index) {
  return static_cast<std::uint8_t>(code >> (8 * index));
}
constexpr std::size_t kBytes = 256;  // that there are

}  // namespace

void write_planes(std::span<const std::int64_t> values, snapshot::BytePlanes& planes) {
  std::vector<std::uint64_t> codes;
  codes.reserve(values.size());
  std::uint64_t all = 1;
  for (const std::int64_t value : values) all |= codes.emplace_back(to_zigzag(value));
  const int nr_planes = (static_cast<int>(std::bit_width(all)) + 7) / 8;
  for (int i = 0; i < nr_planes; ++i) {
    std::string& plane = *planes.add_plane();
    plane.resize(codes.size());
    char* const to = plane.data();
    if (i + 1 == nr_planes) {
      for (std::size_t at = 0; at < codes.size(); ++at)
        to[at] = static_cast<char>(byte_of(codes[at], i));
      break;
    }
    // the byte and the one it is sorted by are neighbours
    const int shift = 8 * i;
    auto next = sorted_places<kBytes>(
        codes.size(), [&](std::size_t at) { return codes[at] >> shift >> 8 & 0xff; });
    for (const std::uint64_t code : codes) {
      const std::uint64_t both = code >> shift;
      to[next[both >> 8 & 0xff]++] = static_cast<char>(both);
    }
  }
}

bool read_planes(const snapshot::BytePlanes& planes, std::size_t nr_values,
                 std::vector<std::int64_t>& values) {
  values.assign(nr_values, 0);
  if (planes.plane_size() < 1 || planes.plane_size() > kValueBytes) return false;
  for (const std::string& plane : planes.plane())
    if (plane.size() != nr_values) return false;
  std::vector<std::uint64_t> codes(nr_values);
  for (int i = planes.plane_size() - 1; i >= 0; --i) {
    const std::string& plane = planes.plane(i);
    const auto set = [&](std::uint64_t& code, char byte) {
      code |= std::uint64_t{static_cast<unsigned char>(byte)} << (8 * i);
    };
    if (i + 1 == planes.plane_size()) {
      for (std::size_t at = 0; at < nr_values; ++at) set(codes[at], plane[at]);
      continue;
    }
    auto next =
        sorted_places<kBytes>(nr_values, [&](std::size_t at) { return byte_of(codes[at], i + 1); });
    for (std::uint64_t& code : codes) set(code, plane[next[byte_of(code, i + 1)]++]);
  }
  for (std::size_t at = 0; at < nr_values; ++at) values[at] = from_zigzag(codes[at]);
  return true;
}

}  // namespace pobpf
