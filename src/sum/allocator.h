// SPDX-License-Identifier: GPL-2.0-only
// Tells what memory is used for, in the terms of /proc/meminfo; docs/top.md lists the rules.
#pragma once

#include <cstring>
#include <span>
#include <string>

#include "format/page_formatter.h"
#include "model/kernel_facts.h"
#include "model/page_types.h"
#include "pobpf/sums.h"

namespace pobpf {

/// For maps by keys, whose bytes are all set.
struct GroupKeyEqual {
  bool operator()(const pobpf_group_key& a, const pobpf_group_key& b) const {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  }
};

/// Sets what allocator_of() tells the use of a page from. `stack_order_min` is that of
/// make_kind_facts().
void set_kind(pobpf_group_key& key, const pobpf_page& page, const pobpf_page_detail& detail,
              std::uint32_t stack_order_min);

/// "slab", "page cache", "shmem", "anonymous", "page tables", "hugetlb", "vmalloc",
/// "kernel stacks", "percpu", "cma", "early boot", "reserved", "module NAME", a page type that this
/// kernel has and we have no rule for, or "unaccounted": what no counter of /proc/meminfo explains.
/// `key` is one with POBPF_GROUP_KIND; `frames` those of its handle, empty without one.
[[nodiscard]] std::string allocator_of(const pobpf_group_key& key, std::span<const Frame> frames,
                                       const PageTypes& types, const KernelFacts& facts);

}  // namespace pobpf
