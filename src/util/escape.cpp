// SPDX-License-Identifier: GPL-2.0-only
#include "util/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "util/utf8.h"

namespace pobpf {
namespace {

bool is_printable(char32_t code) {
  const bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  // Unicode's Bidi_Control
  const bool is_direction = code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
                            (code >= 0x202a && code <= 0x202e) ||
                            (code >= 0x2066 && code <= 0x2069);
  const bool is_separator = code == 0x2028 || code == 0x2029;
  return !is_control && !is_direction && !is_separator && code != 0xfeff;
}

/// Moves the first character of `text` behind `out`: as it is if it is printable.
void move_character(std::string& out, std::string_view& text) {
  const Character character = first_character(text);
  const std::string_view bytes = text.substr(0, std::max<std::size_t>(1, character.length));
  text.remove_prefix(bytes.size());
  if (character.length != 0 && is_printable(character.code)) {
    out += bytes;
    return;
  }
  for (const char c : bytes)
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
}

/// Bytes at the beginning of `text`, which is not UTF-8 there, that one replacement stands for: as
/// many as a valid sequence can begin with (Unicode, "maximal subpart"), at least one.
std::size_t replaced_length(std::string_view text) {
  for (std::size_t length = 2; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const std::string begin(text.substr(0, length));
    // both lengths that a sequence with this beginning can have
    if (!is_utf8(begin + "\x80") && !is_utf8(begin + "\x80\x80")) return length - 1;
  }
  return std::min<std::size_t>(3, text.size());
}

void append_json_escape(std::string& out, char32_t code) {
  constexpr std::string_view kNamed = "\b\t\n\f\r\"\\";
  constexpr std::string_view kNames = "btnfr\"\\";
  const std::size_t named =
      code < 0x80 ? kNamed.find(static_cast<char>(code)) : std::string_view::npos;
  const auto append_unit = [&](char32_t unit) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(unit));
  };
  if (named != std::string_view::npos) {
    out.append(1, '\\').append(1, kNames[named]);
  } else if (code < 0x10000) {
    append_unit(code);
  } else {
    // UTF-16
    append_unit(0xd7c0 + (code >> 10));
    append_unit(0xdc00 + (code & 0x3ff));
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  constexpr char32_t kReplacement = 0xfffd;
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  out += '"';
  while (!text.empty()) {
    const auto* const plain_end = std::find_if_not(text.begin(), text.end(), is_plain);
    out.append(text.begin(), plain_end);
    text.remove_prefix(static_cast<std::size_t>(plain_end - text.begin()));
    if (text.empty()) break;
    const auto [code, length] = first_character(text);
    append_json_escape(out, length == 0 ? kReplacement : code);
    text.remove_prefix(length == 0 ? replaced_length(text) : length);
  }
  out += '"';
}

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    if (text.front() == '\\') out += '\\';
    move_character(out, text);
  }
}

void make_harmless(std::string& text, std::size_t begin) {
  const auto is_plain = [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; };
  const auto first =
      std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), is_plain);
  if (first == text.end()) return;
  const std::string unsafe(first, text.end());
  text.erase(first, text.end());
  for (std::string_view rest = unsafe; !rest.empty();) {
    // lines of CSV end so
    const std::size_t end = rest.starts_with('\n') ? 1 : rest.starts_with("\r\n") ? 2 : 0;
    text += rest.substr(0, end);
    rest.remove_prefix(end);
    if (end == 0) move_character(text, rest);
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

}  // namespace pobpf
