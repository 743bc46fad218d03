// SPDX-License-Identifier: GPL-2.0-only
// The columns of one message back into pages. The message may say anything.
#pragma once

#include <cstdint>
#include <vector>

#include "pobpf/abi.h"
#include "pobpf/error.h"
#include "pobpf/page_fields.h"
#include "snapshot.pb.h"

namespace pobpf {

/// Pages of a block; what they lack is zero, and its bit is not in `fields`.
struct DecodedBlock {
  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;  ///< one each; empty if it has neither of their fields
  PageFields fields = 0;
};

/// Fills `block` anew, with the fields that are `wanted`; others stay zero, though `block.fields`
/// has all that are known. Errors say in which way the message contradicts itself; then `block`
/// holds nothing of use.
[[nodiscard]] Status decode_block(const snapshot::Pages& message, DecodedBlock& block,
                                  PageFields wanted = kEveryPageField);

}  // namespace pobpf
