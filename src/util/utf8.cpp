// SPDX-License-Identifier: GPL-2.0-only
#include "util/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <limits>

namespace pobpf {
namespace {

constexpr std::size_t kAllColumns = std::numeric_limits<std::size_t>::max();

struct Prefix {
  std::size_t bytes = 0;
  std::size_t columns = 0;
};

/// As many characters as there is room for. A byte that is not UTF-8 takes a column.
Prefix prefix_of(std::string_view text, std::size_t columns_max) {
  Prefix prefix;
  while (prefix.bytes < text.size()) {
    const Character character = first_character(text.substr(prefix.bytes));
    const std::size_t columns = character.length == 0
                                    ? 1
                                    : static_cast<std::size_t>(utf8proc_charwidth(
                                          static_cast<utf8proc_int32_t>(character.code)));
    if (prefix.columns + columns > columns_max) break;
    prefix.columns += columns;
    prefix.bytes += std::max<std::size_t>(1, character.length);
  }
  return prefix;
}

}  // namespace

Character first_character(std::string_view text) {
  utf8proc_int32_t code = 0;
  const utf8proc_ssize_t length =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                       static_cast<utf8proc_ssize_t>(text.size()), &code);
  if (length <= 0) return {};
  return {static_cast<char32_t>(code), static_cast<std::size_t>(length)};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = first_character(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t columns_of(std::string_view text) { return prefix_of(text, kAllColumns).columns; }

std::string_view cut_to_columns(std::string_view text, std::size_t columns) {
  return text.substr(0, prefix_of(text, columns).bytes);
}

}  // namespace pobpf
