// SPDX-License-Identifier: GPL-2.0-only
// The columns of one message back into pages. The message may say anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/page_fields.h"
#include "pobpf/stream.h"
#include "snapshot.pb.h"
#include "util/error.h"

namespace pobpf {

/// Pages of a block; what they lack is zero, and its bit is not in `fields`.
struct DecodedBlock {
  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;  ///< one each; empty if it has neither of their fields
  PageFields fields = 0;
};

/// Sums of which the pages are not known: records[i] has what the allocations of group i have in
/// common, or one of them that stands for all. The columns are as long as the records, or empty:
/// not known.
struct DecodedGroups {
  DecodedBlock records;
  std::vector<std::uint64_t> nr_allocations;
  std::vector<std::uint64_t> nr_pages;  ///< base pages
  std::vector<std::string> labels;      ///< what else they are by: "allocated by SLAB"; untrusted
};

[[nodiscard]] Status decode_groups(const snapshot::Groups& message, DecodedGroups& groups);

/// Fills `block` anew, with the fields that are `wanted`; others stay zero, though `block.fields`
/// has all that are known. Errors say in which way the message contradicts itself; then `block`
/// holds nothing of use.
[[nodiscard]] Status decode_block(const snapshot::Pages& message, DecodedBlock& block,
                                  PageFields wanted = kEveryPageField);

}  // namespace pobpf
