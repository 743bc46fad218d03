// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace pobpf::cli {

/// "1 page", "2 pages"
[[nodiscard]] inline std::string counted(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace pobpf::cli
