// SPDX-License-Identifier: GPL-2.0-only
// The columns of one message back into pages. The message may say anything.
#pragma once

#include <cstdint>
#include <vector>

#include "pobpf/abi.h"
#include "pobpf/error.h"
#include "snapshot.pb.h"

namespace pobpf {

/// Fields of struct pobpf_page that a block can lack.
enum class PageField : std::uint32_t {
  kHandle = 1U << 0,
  kOrder = 1U << 1,
  kGfpMask = 1U << 2,
  kPid = 1U << 3,
  kTgid = 1U << 4,
  kComm = 1U << 5,
  kTsNsec = 1U << 6,
  kFreeTsNsec = 1U << 7,
  kFlags = 1U << 8,
  kPageblockMigratetype = 1U << 9,
  kLastMigrateReason = 1U << 10,
  kMemcg = 1U << 11,
};
using PageFields = std::uint32_t;
constexpr PageFields kAllPageFields = (1U << 12) - 1;

constexpr PageFields operator|(PageFields fields, PageField field) {
  return fields | static_cast<PageFields>(field);
}

/// Pages of a block; what they lack is zero, and its bit is not in `fields`.
struct DecodedBlock {
  std::vector<pobpf_page> pages;
  PageFields fields = 0;
};

/// Fills `block` anew. Errors say in which way the message contradicts itself; then `block` holds
/// nothing of use.
[[nodiscard]] Status decode_block(const snapshot::Pages& message, DecodedBlock& block);

}  // namespace pobpf
