// SPDX-License-Identifier: GPL-2.0-only
// Amounts of bytes as users write them.
#pragma once

#include <cstdint>
#include <string_view>

#include "util/error.h"

namespace pobpf {

/// A number, with a fraction or not, and one of the units K, M, G, T, P, powers of 1024 ("1.5G",
/// "500M"; "KiB" and so on are the same), or none: bytes. kUsage for anything else, and for 2^63
/// bytes and more.
[[nodiscard]] Result<std::uint64_t> parse_byte_size(std::string_view text);

/// So many bytes, or such a share of some total: the larger of both.
struct ByteShare {
  std::uint64_t bytes = 0;
  double percent = 0;
  [[nodiscard]] std::uint64_t of(double total_bytes) const;
};

/// A size, or "10%": from 0 to 99 percent, with fractions. kUsage for anything else; `what` names
/// the total in the message.
[[nodiscard]] Result<ByteShare> parse_byte_share(std::string_view text, const char* what);

}  // namespace pobpf
