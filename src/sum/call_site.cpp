// SPDX-License-Identifier: GPL-2.0-only
#include "sum/call_site.h"

#include <algorithm>
#include <charconv>

#include "model/glob.h"

namespace pobpf {
namespace {

/// Functions that hand memory out for others: mm/page_alloc.c, mempolicy.c, slub.c, slab_common.c,
/// vmalloc.c, percpu.c, cma.c, util.c, page_owner.c of 6.1 to 7.3. New names of later kernels show
/// as call sites until they are added.
const std::vector<std::string>& allocator_functions() {
  static const std::vector<std::string> patterns = {
      // pages
      "get_page_from_freelist",
      "post_alloc_hook",
      "prep_new_page",
      "*set_page_owner*",
      "__alloc_pages*",
      "alloc_pages*",
      "__alloc_frozen_pages*",
      "alloc_frozen_pages*",
      "alloc_page_interleave*",
      "__get_free_pages*",
      "get_free_pages*",
      "get_zeroed_page*",
      "__folio_alloc*",
      "folio_alloc*",
      "vma_alloc_*folio*",
      "__alloc_contig*",
      "alloc_contig_*",
      "__page_frag_*",
      "page_frag_alloc*",
      "split_map_pages",
      "split_free_pages",
      "cma_alloc*",
      "__cma_alloc*",
      "cma_range_alloc",
      "dma_alloc_contiguous",
      "compaction_alloc*",
      // slab
      "new_slab",
      "allocate_slab",
      "alloc_slab_page",
      "___slab_alloc",
      "__slab_alloc*",
      "*kmem_cache_alloc*",
      "kmem_cache_zalloc*",
      "__kmalloc*",
      "kmalloc*",
      "kzalloc*",
      "kcalloc*",
      "__do_kmalloc*",
      "___kmalloc*",
      "krealloc*",
      "__do_krealloc",
      "__krealloc*",
      "kmemdup*",
      "kstrdup*",
      "kstrndup*",
      "kvmalloc*",
      "kvzalloc*",
      "kvcalloc*",
      "__kvmalloc*",
      "kvrealloc*",
      "kvmemdup*",
      "memdup_user*",
      "refill_objects",
      "refill_sheaf",
      "*_full_sheaf*",
      "alloc_from_pcs*",
      "__pcs_replace_*",
      "barn_*",
      "*prefill_sheaf*",
      "slab_alloc*",
      "mempool_alloc*",
      "mempool_kmalloc",
      "mempool_init*",
      "mempool_create*",
      "radix_tree_node_alloc*",
      "xas_alloc*",
      "kasan_*",
      "__kasan_*",
      // vmalloc, per-CPU
      "__vmalloc*",
      "vmalloc*",
      "vzalloc*",
      "vm_area_alloc_pages",
      "alloc_vmap_area",
      "__get_vm_area_node",
      "pcpu_*",
      "__alloc_percpu*",
  };
  return patterns;
}

}  // namespace

std::string_view frame_function(std::string_view symbol) {
  // "(unreadable stack)"
  if (symbol.starts_with('(')) return symbol;
  // an inlined function has no offset: "name file.c:12 [inline]"
  std::string_view name = symbol.substr(0, symbol.find_first_of("+ "));
  // a number: the kernel has no name for it
  if (name.starts_with("0x")) return name;
  return name.substr(0, name.find('.'));
}

std::string_view frame_module(std::string_view symbol) {
  const std::size_t open = symbol.rfind(" [");
  if (open == std::string_view::npos || !symbol.ends_with(']')) return {};
  const std::string_view module = symbol.substr(open + 2, symbol.size() - open - 3);
  return module == "inline" ? std::string_view() : module;
}

std::optional<std::uint64_t> frame_offset(std::string_view symbol) {
  constexpr std::string_view kPrefix = "+0x";
  const std::size_t plus = symbol.find(kPrefix);
  if (plus == std::string_view::npos) return std::nullopt;
  const std::string_view digits = symbol.substr(plus + kPrefix.size());
  std::uint64_t offset = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), offset, 16);
  if (parsed.ec != std::errc()) return std::nullopt;
  return offset;
}

std::string_view call_site(std::span<const Frame> frames) {
  std::string_view function;
  for (const Frame& frame : frames) {
    function = frame_function(frame.symbol);
    if (!any_glob_matches(allocator_functions(), function)) break;
  }
  return function;
}

std::string_view module_of(std::span<const Frame> frames) {
  for (const Frame& frame : frames)
    if (const auto module = frame_module(frame.symbol); !module.empty()) return module;
  return {};
}

bool has_function(std::span<const Frame> frames, const std::vector<std::string>& patterns) {
  return std::any_of(frames.begin(), frames.end(), [&](const Frame& frame) {
    return any_glob_matches(patterns, frame_function(frame.symbol));
  });
}

}  // namespace pobpf
