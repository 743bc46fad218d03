// SPDX-License-Identifier: GPL-2.0-only
// Members of JSON that a listing, `stacks` and `pobpf page` share; docs/json.md is the contract.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/json_writer.h"
#include "format/page_formatter.h"

namespace pobpf {

/// The value of "stack": frames, innermost first; an import may have their names alone.
void write_frames(JsonWriter& json, const Stack& stack);
/// The same; null if the frames could not be read.
void write_frames(JsonWriter& json, const Stack* stack);
/// "comm", and "comm_hex" if that is not UTF-8.
void write_comm(JsonWriter& json, std::string_view comm);
/// "gfp_mask", "gfp_flags" and "migratetype".
void write_gfp(JsonWriter& json, std::uint32_t gfp_mask, const KernelFacts& facts);
/// "last_migrate_reason"
void write_migrate_reason(JsonWriter& json, int reason, const KernelFacts& facts);

/// A cgroup that a page is charged to.
struct JsonCharge {
  std::optional<std::string_view> name = {};  ///< no value: it could not be read
  std::optional<std::string> path = {};       ///< likewise
  std::uint64_t cgroup_id = 0;
  unsigned memcg_flags = 0;
};
/// "memcg"
void write_memcg(JsonWriter& json, const JsonCharge& charge, const KernelFacts& facts);

}  // namespace pobpf
