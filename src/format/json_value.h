// SPDX-License-Identifier: GPL-2.0-only
// What all JSON of pobpf has in common.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "format/page_formatter.h"

namespace pobpf {

/// All JSON is printable ASCII, so that it controls no terminal whatever its strings are: the rest
/// is \uXXXX, and what is no UTF-8 is replaced.
[[nodiscard]] inline std::string json_text(const nlohmann::ordered_json& value, int indent = -1) {
  constexpr bool kAsciiOnly = true;
  return value.dump(indent, ' ', kAsciiOnly, nlohmann::ordered_json::error_handler_t::replace);
}

/// Null where the kernel has no such name.
[[nodiscard]] inline nlohmann::ordered_json name_or_null(const std::vector<std::string>& names,
                                                         std::int64_t index) {
  if (index < 0 || static_cast<std::size_t>(index) >= names.size()) return nullptr;
  const std::string& name = names[static_cast<std::size_t>(index)];
  return name.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(name);
}

/// Frames, innermost first; an import may have their names alone.
[[nodiscard]] inline nlohmann::ordered_json json_frames(const Stack& stack) {
  nlohmann::ordered_json frames = nlohmann::ordered_json::array();
  for (const Frame& frame : stack.frames) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    if (frame.address != 0) object["address"] = fmt::format("{:#x}", frame.address);
    object["symbol"] = frame.symbol;
    frames.push_back(std::move(object));
  }
  return frames;
}

}  // namespace pobpf
