// SPDX-License-Identifier: GPL-2.0-only
#include "sum/allocator.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace pobpf {
namespace {

constexpr std::uint64_t kSlabFlag = 1ULL << 9;
constexpr std::uint64_t kReservedFlag = 1ULL << 11;
constexpr std::uint64_t kSwapBackedFlag = 1ULL << 19;

KernelFacts facts_6_1() {
  KernelFacts facts;
  facts.page_flag_names = {
      {kSlabFlag, "slab"}, {kReservedFlag, "reserved"}, {kSwapBackedFlag, "swapbacked"}};
  return facts;
}

/// Types are bits that are cleared; slab is a page flag, hugetlb is nothing.
PageTypes types_6_1() { return make_page_types({}); }

/// Types are the top byte; include/linux/page-flags.h of 7.3: enum pagetype.
PageTypes types_7_3() {
  return make_page_types({{"PGTY_buddy", 0xf0},
                          {"PGTY_offline", 0xf1},
                          {"PGTY_table", 0xf2},
                          {"PGTY_guard", 0xf3},
                          {"PGTY_hugetlb", 0xf4},
                          {"PGTY_slab", 0xf5},
                          {"PGTY_zsmalloc", 0xf6},
                          {"PGTY_unaccepted", 0xf7},
                          {"PGTY_large_kmalloc", 0xf8}});
}

class Allocator : public ::testing::Test {
 protected:
  std::string of(const std::vector<const char*>& symbols) const {
    std::vector<Frame> frames;
    for (const char* symbol : symbols)
      frames.push_back({0xffffffff81000000, std::string(symbol) + "+0x1/0x2"});
    return allocator_of(key, frames, types, facts);
  }
  std::string of_module(const char* module) const {
    const std::vector<Frame> frames = {{1, "get_page_from_freelist+0x1/0x2"},
                                       {2, std::string("f+0x1/0x2 [") + module + "]"}};
    return allocator_of(key, frames, types, facts);
  }
  pobpf_group_key key{};
  PageTypes types = types_7_3();
  KernelFacts facts = facts_6_1();
};

TEST_F(Allocator, IsToldByTheTypeInTheTopByte) {
  const std::pair<std::uint32_t, const char*> expected[] = {
      {0xf2000000, "page tables"}, {0xf3000000, "guard pages"}, {0xf4000000, "hugetlb"},
      {0xf5000000, "slab"},        {0xf6000000, "zsmalloc"},    {0xf8000000, "slab"},
      {0xf1000000, "offline"},     {0xf9000000, "unknown"}};
  for (const auto& [type, name] : expected) {
    key.page_type = type;
    EXPECT_EQ(of({}), name) << std::hex << type;
  }
}

TEST_F(Allocator, IsToldByTheTypeInClearedBits) {
  types = types_6_1();
  key.page_type = 0xffffffff & ~0x200U;
  EXPECT_EQ(of({}), "page tables");
  key.page_type = 0xffffffff & ~0x400U;
  EXPECT_EQ(of({}), "guard pages");
  key.page_type = 0xffffffff & ~0x100U;
  EXPECT_EQ(of({}), "offline");
}

TEST_F(Allocator, TypeOutweighsFlagsMappingAndStack) {
  key.page_type = 0xf2000000;
  key.page_flags = kSlabFlag;
  key.mapping = POBPF_MAPPING_FILE;
  EXPECT_EQ(of({"vmalloc_noprof"}), "page tables");
}

TEST_F(Allocator, IsToldByFlags) {
  // struct slab has a pointer where a page has its mapping
  key.mapping = POBPF_MAPPING_FILE;
  key.page_flags = kSlabFlag;
  EXPECT_EQ(of({}), "slab");
  key.mapping = POBPF_MAPPING_NONE;
  key.page_flags = kReservedFlag;
  EXPECT_EQ(of({"cma_alloc"}), "reserved");
}

TEST_F(Allocator, IsToldByTheMapping) {
  key.mapping = POBPF_MAPPING_ANON;
  EXPECT_EQ(of({}), "anonymous");
  key.mapping = POBPF_MAPPING_KSM;
  EXPECT_EQ(of({}), "anonymous");
  key.mapping = POBPF_MAPPING_MOVABLE;
  EXPECT_EQ(of({}), "movable");
  key.mapping = POBPF_MAPPING_FILE;
  EXPECT_EQ(of({}), "page cache");
  key.page_flags = kSwapBackedFlag;
  EXPECT_EQ(of({}), "shmem");
}

TEST_F(Allocator, HugetlbIsToldByTheStackWhereNothingElseDoes) {
  types = types_6_1();
  for (const char* function :
       {"alloc_fresh_huge_page", "alloc_fresh_hugetlb_folio", "alloc_buddy_huge_page",
        "alloc_buddy_hugetlb_folio", "alloc_pool_huge_page", "alloc_surplus_huge_page",
        "only_alloc_fresh_hugetlb_folio", "alloc_migrate_huge_page"})
    EXPECT_EQ(of({"get_page_from_freelist", "__alloc_pages", function}), "hugetlb") << function;
  key.mapping = POBPF_MAPPING_FILE;
  EXPECT_EQ(of({"alloc_pool_huge_page"}), "hugetlb");
}

TEST_F(Allocator, KernelStacksAreToldByWhoAsksForThem) {
  EXPECT_EQ(of({"__alloc_pages_bulk", "__vmalloc_node_range", "alloc_thread_stack_node",
                "dup_task_struct"}),
            "kernel stacks");
  // the two are inlined on 6.1, 6.12 and 7.3
  EXPECT_EQ(
      of({"get_page_from_freelist", "__vmalloc_node_range_noprof", "copy_process", "kernel_clone"}),
      "kernel stacks");
  EXPECT_EQ(of({"get_page_from_freelist", "__pte_alloc_kernel", "__vmalloc_node_range_noprof",
                "copy_process"}),
            "page tables");
  EXPECT_EQ(of({"get_page_from_freelist", "pgd_alloc", "mm_init", "copy_process"}), "page tables");
}

TEST_F(Allocator, IsToldByTheStack) {
  const std::pair<const char*, std::vector<const char*>> expected[] = {
      {"page tables", {"pte_alloc_one", "__pte_alloc", "__handle_mm_fault"}},
      {"page tables", {"__pmd_alloc"}},
      {"page tables", {"__pud_alloc"}},
      {"page tables", {"pgd_alloc"}},
      {"page tables", {"get_zeroed_page_noprof", "spp_getpage"}},
      {"page tables", {"alloc_pages_noprof", "__change_page_attr_set_clr"}},
      {"percpu", {"pcpu_populate_chunk", "pcpu_alloc_noprof", "__vmalloc_node_noprof"}},
      {"percpu", {"pcpu_alloc"}},
      {"vmalloc", {"__vmalloc_node_range_noprof", "bpf_prog_load"}},
      {"vmalloc", {"vm_area_alloc_pages"}},
      {"vmalloc", {"vzalloc_noprof"}},
      {"cma", {"__alloc_contig_pages", "cma_alloc"}},
      {"cma", {"__cma_alloc_frozen"}},
      {"slab", {"___kmalloc_large_node", "__kmalloc_noprof"}},
      {"slab", {"kmalloc_large"}},
      {"early boot", {"register_early_stack"}}};
  for (const auto& [name, symbols] : expected)
    EXPECT_EQ(of(symbols), name) << symbols.front() << "...";
}

TEST_F(Allocator, WhatNothingTellsIsOfItsModuleOrUnaccounted) {
  EXPECT_EQ(of_module("brd"), "module brd");
  EXPECT_EQ(of({"get_page_from_freelist", "pipe_write"}), "unaccounted");
  // the stack depot's own memory, which page_owner does not look at closer
  EXPECT_EQ(of({"register_dummy_stack", "init_page_owner"}), "unaccounted");
  EXPECT_EQ(of({}), "unaccounted");
}

TEST_F(Allocator, KindFactsAskForWhatTheRulesNeed) {
  const auto old = make_kind_facts(types_6_1(), facts);
  EXPECT_EQ(old.flags, kSlabFlag | kReservedFlag | kSwapBackedFlag);
  EXPECT_EQ(old.type_base, 0xf0000000U);
  EXPECT_EQ(old.type_mask, 0xffffffffU);
  EXPECT_EQ(old.stack_order_min, 1U);
  const auto now = make_kind_facts(types_7_3(), facts);
  EXPECT_EQ(now.type_base, 0xf0000000U);
  EXPECT_EQ(now.type_mask, 0xff000000U);
  EXPECT_EQ(now.stack_order_min, UINT32_MAX);
}

}  // namespace
}  // namespace pobpf
