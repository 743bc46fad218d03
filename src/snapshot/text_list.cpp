// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/text_list.h"

#include <algorithm>

namespace pobpf {

void append_to_list(std::string& list, std::string_view text, std::size_t bytes_max) {
  list.append(text.substr(0, std::min(text.find('\0'), bytes_max))).push_back('\0');
}

std::size_t nr_texts_of(std::string_view list) {
  return static_cast<std::size_t>(std::count(list.begin(), list.end(), '\0'));
}

std::string_view take_text(std::string_view& list) {
  const std::string_view text = list.substr(0, list.find('\0'));
  list.remove_prefix(std::min(list.size(), text.size() + 1));
  return text;
}

bool is_list_of(std::string_view list, std::size_t nr_texts, std::size_t bytes_max) {
  if (nr_texts_of(list) != nr_texts || (!list.empty() && list.back() != '\0')) return false;
  while (!list.empty())
    if (take_text(list).size() > bytes_max) return false;
  return true;
}

}  // namespace pobpf
