// SPDX-License-Identifier: GPL-2.0-only
#include "model/kernel_release.h"

#include <charconv>
#include <system_error>

namespace pobpf {

std::optional<KernelVersion> parse_release(std::string_view release) {
  KernelVersion version;
  const char* end = release.data() + release.size();
  const auto dot = std::from_chars(release.data(), end, version.major);
  if (dot.ec != std::errc() || dot.ptr == end || *dot.ptr != '.') return std::nullopt;
  if (std::from_chars(dot.ptr + 1, end, version.minor).ec != std::errc()) return std::nullopt;
  return version;
}

}  // namespace pobpf
