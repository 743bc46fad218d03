// SPDX-License-Identifier: GPL-2.0-only
#include "sum/allocator.h"

#include <string_view>
#include <utility>
#include <vector>

#include "model/flag_text.h"
#include "model/glob.h"
#include "sum/call_site.h"

namespace pobpf {
namespace {

/// Types that /proc/meminfo has another word for.
std::string type_label(std::string_view type) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"table", "page tables"}, {"large_kmalloc", "slab"}, {"guard", "guard pages"}};
  for (const auto& [name, word] : kWords)
    if (type == name) return std::string(word);
  return std::string(type);
}

struct StackRule {
  const char* label;
  std::vector<std::string> functions;
};

/// hugetlb pages that a kernel before v6.9 does not mark: mm/hugetlb.c.
const StackRule& hugetlb_rule() {
  static const StackRule rule = {
      "hugetlb",
      {"alloc_fresh_huge*", "alloc_fresh_hugetlb*", "alloc_buddy_huge*", "alloc_buddy_hugetlb*",
       "alloc_pool_huge*", "alloc_surplus_huge*", "alloc_migrate_huge*", "only_alloc_fresh_huge*"}};
  return rule;
}

/// Who asks for kernel stacks; dup_task_struct() is mostly inlined. By call site, as page tables of
/// vmalloc are made below the same functions.
const std::vector<std::string>& stack_makers() {
  static const std::vector<std::string> patterns = {"alloc_thread_stack_node", "dup_task_struct",
                                                    "copy_process", "scs_alloc*", "__scs_alloc*"};
  return patterns;
}

/// In this order: page tables come from vmalloc and cma as well.
const std::vector<StackRule>& stack_rules() {
  static const std::vector<StackRule> rules = {
      {"page tables",
       {"*pte_alloc*", "*pmd_alloc*", "*pud_alloc*", "*p4d_alloc*", "*pgd_alloc*", "pgtable_*",
        "vmemmap_populate*", "kernel_ident_mapping_init*", "__change_page_attr*", "spp_getpage"}},
      {"percpu", {"pcpu_alloc*", "pcpu_populate_chunk*", "pcpu_balance*", "pcpu_create_chunk*"}},
      {"vmalloc", {"__vmalloc_*", "vm_area_alloc_pages", "vmalloc*", "vzalloc*"}},
      {"cma", {"cma_alloc*", "__cma_alloc*", "dma_alloc_contiguous"}},
      // v6.14 gives them a type; they count as slab before, too
      {"slab", {"kmalloc_large*", "__kmalloc_large*", "___kmalloc_large*", "kmalloc_order*"}},
      {"early boot", {"register_early_stack"}},
  };
  return rules;
}

}  // namespace

void set_kind(pobpf_group_key& key, const pobpf_page& page, const pobpf_page_detail& detail,
              std::uint32_t stack_order_min) {
  key.page_flags = detail.kind_flags;
  key.page_type = detail.page_type;
  key.mapping = detail.mapping;
  // only its stack can tell
  if (key.page_type == 0 && (key.mapping == 0 || page.order >= stack_order_min))
    key.handle = page.handle;
}

std::string allocator_of(const pobpf_group_key& key, std::span<const Frame> frames,
                         const PageTypes& types, const KernelFacts& facts) {
  if (key.page_type != 0) return type_label(types.name(key.page_type));
  if (has_page_flag(key.page_flags, "slab", facts)) return "slab";
  if (has_page_flag(key.page_flags, "reserved", facts)) return "reserved";
  if (has_function(frames, hugetlb_rule().functions)) return hugetlb_rule().label;
  switch (key.mapping) {
    case POBPF_MAPPING_ANON:
    case POBPF_MAPPING_KSM:
      return "anonymous";
    case POBPF_MAPPING_MOVABLE:
      return "movable";
    case POBPF_MAPPING_FILE:
      return has_page_flag(key.page_flags, "swapbacked", facts) ? "shmem" : "page cache";
    default:
      break;
  }
  if (any_glob_matches(stack_makers(), call_site(frames))) return "kernel stacks";
  for (const StackRule& rule : stack_rules())
    if (has_function(frames, rule.functions)) return rule.label;
  if (const auto module = module_of(frames); !module.empty())
    return "module " + std::string(module);
  return "unaccounted";
}

}  // namespace pobpf
