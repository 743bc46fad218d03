// SPDX-License-Identifier: GPL-2.0-only
// The kernel's nodelist syntax, as lib/bitmap.c: bitmap_parselist() reads it.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "pobpf/types.h"
#include "util/error.h"

namespace pobpf {

/// A set of NUMA nodes; bit n is node n.
using NodeSet = std::bitset<POBPF_MAX_NODES>;

/// Parses `text` like the kernel's nodelist_parse(): regions separated by commas or white space, a
/// region being `N`, `N-M`, `N-M:used/group`, `N` meaning the last possible node, or `all`.
/// `max_nodes` is MAX_NUMNODES of the kernel concerned (1 ... POBPF_MAX_NODES). Empty text is an
/// empty set. Errors are kUsage and say which part of the text is wrong. Unlike the kernel, which
/// silently ignores what follows a region's line end, this reads on: a line end is white space.
[[nodiscard]] Result<NodeSet> parse_nodelist(std::string_view text, unsigned max_nodes);

/// The shortest kernel form of `nodes` ("0,2-4"), as bitmap_print_list_to_buf() prints it.
[[nodiscard]] std::string format_nodelist(const NodeSet& nodes);

}  // namespace pobpf
