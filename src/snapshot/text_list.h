// SPDX-License-Identifier: GPL-2.0-only
// Fields that hold any number of texts: List of snapshot.proto.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pobpf {

/// Appends the text up to its first NUL, at most `bytes_max` of it.
void append_to_list(std::string& list, std::string_view text, std::size_t bytes_max);

/// Whether the list holds `nr_texts` texts of at most `bytes_max` bytes each, and nothing else.
[[nodiscard]] bool is_list_of(std::string_view list, std::size_t nr_texts, std::size_t bytes_max);

/// Texts of the list, however long they are.
[[nodiscard]] std::size_t nr_texts_of(std::string_view list);

/// Takes the first text off a list that holds one.
[[nodiscard]] std::string_view take_text(std::string_view& list);

}  // namespace pobpf
