// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/item_message.h"

#include <cstdint>

#include "snapshot/format.h"

namespace pobpf {

bool parse_item(std::string_view content, snapshot::Item& item) {
  if (content.empty() || content.front() != kItemTag) return false;
  content.remove_prefix(1);
  std::uint64_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (content.empty() || shift > 28) return false;
    const auto byte = static_cast<unsigned char>(content.front());
    content.remove_prefix(1);
    length |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) break;
  }
  return length == content.size() &&
         item.ParseFromArray(content.data(), static_cast<int>(content.size()));
}

bool has_unknown_content(const snapshot::Item& item) {
  snapshot::Item known;
  known.set_index(item.index());
  return item.ByteSizeLong() != known.ByteSizeLong();
}

}  // namespace pobpf
