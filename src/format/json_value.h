// SPDX-License-Identifier: GPL-2.0-only
// Values that all JSON of pages has.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pobpf {

/// Null where the kernel has no such name.
[[nodiscard]] inline nlohmann::ordered_json name_or_null(const std::vector<std::string>& names,
                                                         std::int64_t index) {
  if (index < 0 || static_cast<std::size_t>(index) >= names.size()) return nullptr;
  const std::string& name = names[static_cast<std::size_t>(index)];
  return name.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(name);
}

}  // namespace pobpf
