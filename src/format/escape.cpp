// SPDX-License-Identifier: GPL-2.0-only
#include "format/escape.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace pobpf {
namespace {

std::uint32_t decode(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence.front());
  std::uint32_t code = sequence.size() == 1   ? lead
                       : sequence.size() == 2 ? lead & 0x1fU
                       : sequence.size() == 3 ? lead & 0x0fU
                                              : lead & 0x07U;
  for (const char c : sequence.substr(1))
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  return code;
}

bool is_printable(std::uint32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  // Unicode's Bidi_Control
  const bool is_direction = code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
                            (code >= 0x202a && code <= 0x202e) ||
                            (code >= 0x2066 && code <= 0x2069);
  const bool is_separator = code == 0x2028 || code == 0x2029;
  return !is_control && !is_direction && !is_separator && code != 0xfeff;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80              ? 1
                             : (lead & 0xe0U) == 0xc0 ? 2
                             : (lead & 0xf0U) == 0xe0 ? 3
                             : (lead & 0xf8U) == 0xf0 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (const char c : text.substr(1, length - 1))
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) return 0;
  const std::uint32_t code = decode(text.substr(0, length));
  const bool is_overlong = (length == 2 && code < 0x80) || (length == 3 && code < 0x800) ||
                           (length == 4 && code < 0x10000);
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  return is_overlong || is_surrogate || code > 0x10ffff ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length != 0 && is_printable(decode(text.substr(0, length)))) {
      if (text.front() == '\\') out += '\\';
      out += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    for (const char c : text.substr(0, length == 0 ? 1 : length))
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

}  // namespace pobpf
