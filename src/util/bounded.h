// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace pobpf {

/// A text of the kernel that ends with a NUL or with the array that it is in.
[[nodiscard]] inline std::string_view bounded(const void* bytes, std::size_t size) {
  const auto* text = static_cast<const char*>(bytes);
  return {text, strnlen(text, size)};
}

template <std::size_t kBytes>
[[nodiscard]] std::string_view bounded(const char (&text)[kBytes]) {
  return bounded(text, kBytes);
}

}  // namespace pobpf
