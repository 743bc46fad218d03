// SPDX-License-Identifier: GPL-2.0-only
// Untrusted bytes (task names, cgroups, symbols, arguments) as text that is safe on a terminal, and
// in JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pobpf {

/// Appends `text` with every byte that is not printable UTF-8 as \xNN and a backslash as two:
/// control characters (C0, DEL, C1), invalid sequences, surrogates, and the characters that turn
/// the direction of text around.
void append_escaped(std::string& out, std::string_view text);
[[nodiscard]] std::string escaped(std::string_view text);

/// Makes what `text` holds from `begin` on harmless for a terminal, whatever it was made of: as
/// append_escaped() does, but lines stay lines and a backslash stays one.
void make_harmless(std::string& text, std::size_t begin = 0);

/// Appends `text` as a string of JSON, with its quotes. All of it is printable ASCII, so that it
/// controls no terminal: the rest is \uXXXX. What cannot be the beginning of a UTF-8 sequence, and
/// each sequence that is cut off, is one U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace pobpf
