// SPDX-License-Identifier: GPL-2.0-only
// UTF-8, decoded by utf8proc.
#pragma once

#include <cstddef>
#include <string_view>

namespace pobpf {

struct Character {
  char32_t code = 0;
  std::size_t length = 0;  ///< bytes; 0: none, as the text is empty or does not begin with UTF-8
};

/// The first character of `text`.
[[nodiscard]] Character first_character(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

/// Columns of a terminal that a printable UTF-8 text takes.
[[nodiscard]] std::size_t columns_of(std::string_view text);
/// The first characters of a printable UTF-8 text, as many as `columns` have room for.
[[nodiscard]] std::string_view cut_to_columns(std::string_view text, std::size_t columns);

}  // namespace pobpf
