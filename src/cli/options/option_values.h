// SPDX-License-Identifier: GPL-2.0-only
// Functions with which rows of the table check and store values.
#pragma once

#include <charconv>
#include <limits>
#include <optional>

#include "cli/options/option_table.h"

namespace pobpf::cli {

/// Puts a value there, unless it is an error.
template <typename Place, typename T>
[[nodiscard]] Status put(Place& place, Result<T> value) {
  if (!value) return fail(std::move(value).error());
  place = *std::move(value);
  return {};
}
template <typename Place, typename T>
[[nodiscard]] Status set(Place& place, T value) {
  place = std::move(value);
  return {};
}

template <typename T>
[[nodiscard]] std::optional<T> whole_number(std::string_view text, int base = 10) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A whole number from `min` to `max`; kUsage for all else.
[[nodiscard]] Result<std::uint32_t> number_between(
    const std::string& text, std::uint32_t min,
    std::uint32_t max = std::numeric_limits<std::uint32_t>::max());

/// The index among the row's choices; kUsage, with all of them, for any other value.
[[nodiscard]] Result<std::size_t> choice_of(const Value& value);

}  // namespace pobpf::cli
