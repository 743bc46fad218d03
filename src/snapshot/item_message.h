// SPDX-License-Identifier: GPL-2.0-only
// A zstd frame holds a message Snapshot with one item.
#pragma once

#include <string_view>

#include "snapshot.pb.h"

namespace pobpf {

/// False unless the item is all of `content`.
[[nodiscard]] bool parse_item(std::string_view content, snapshot::Item& item);

/// Whether an item without any content that this pobpf knows has some that it does not know.
[[nodiscard]] bool has_unknown_content(const snapshot::Item& item);

}  // namespace pobpf
