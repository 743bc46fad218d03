// SPDX-License-Identifier: GPL-2.0-only
// The stacks are those of records that 6.1, 6.12 and 7.3 printed in the VM.
#include "sum/call_site.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

std::vector<Frame> frames(std::initializer_list<const char*> symbols) {
  std::vector<Frame> result;
  for (const char* symbol : symbols) result.push_back({0xffffffff81000000, symbol});
  return result;
}

TEST(FrameFunction, LeavesOutWhatTheCompilerAdded) {
  EXPECT_EQ(frame_function("shmem_get_folio_gfp+0x1/0x2"), "shmem_get_folio_gfp");
  EXPECT_EQ(frame_function("shmem_get_folio_gfp.isra.0+0x1/0x2"), "shmem_get_folio_gfp");
  EXPECT_EQ(frame_function("do_fault.part.0.isra.0+0x1/0x2"), "do_fault");
  EXPECT_EQ(frame_function("do_fault.constprop.0+0x1/0x2"), "do_fault");
  EXPECT_EQ(frame_function("do_fault.cold+0x1/0x2"), "do_fault");
  EXPECT_EQ(frame_function("do_fault.llvm.1234567+0x1/0x2"), "do_fault");
  EXPECT_EQ(frame_function("brd_insert_page.part.0+0x1/0x2 [brd]"), "brd_insert_page");
}

/// As bots and scripts/decode_stacktrace.sh show frames.
TEST(FrameFunction, IsInFrontOfTheLinesOfFiles) {
  EXPECT_EQ(frame_function("prep_new_page mm/page_alloc.c:1858 [inline]"), "prep_new_page");
  EXPECT_EQ(frame_function("f+0x1/0x2 mm/a.b.c:18"), "f");
  EXPECT_EQ(frame_function("alloc.constprop.0 (mm/slub.c:2181 mm/slub.c:2343)"), "alloc");
}

TEST(FrameOffset, IsBehindThePlus) {
  EXPECT_EQ(frame_offset("f.isra.0+0x1fe/0x200 [m]"), 0x1feU);
  EXPECT_EQ(frame_offset("f+0xffffffffffffffff/0x1"), 0xffffffffffffffffU);
  for (const char* symbol :
       {"", "0xffffffff81000000", "f", "f+0x", "f+12/0x20", "f+0x10000000000000000/0x1"})
    EXPECT_EQ(frame_offset(symbol), std::nullopt) << symbol;
}

TEST(FrameFunction, OfANumberIsTheNumber) {
  EXPECT_EQ(frame_function("0xffffffffc0001234"), "0xffffffffc0001234");
  EXPECT_EQ(frame_function(""), "");
}

TEST(FrameModule, StandsInBrackets) {
  EXPECT_EQ(frame_module("brd_insert_page+0x1/0x2 [brd]"), "brd");
  EXPECT_EQ(frame_module("brd_insert_page+0x1/0x2"), "");
  EXPECT_EQ(frame_module("0xffffffffc0001234"), "");
  EXPECT_EQ(frame_module("f+0x1/0x2 [brd"), "");
  EXPECT_EQ(frame_module("prep_new_page mm/page_alloc.c:1858 [inline]"), "");
  EXPECT_EQ(frame_module(""), "");
}

TEST(ModuleOf, IsTheInnermostOne) {
  EXPECT_EQ(module_of(frames({"f+0x1/0x2", "a+0x1/0x2 [one]", "b+0x1/0x2 [two]"})), "one");
  EXPECT_EQ(module_of(frames({"f+0x1/0x2"})), "");
  EXPECT_EQ(module_of({}), "");
}

TEST(CallSite, IsTheInnermostFunctionThatAllocatesForItself) {
  EXPECT_EQ(call_site(frames({"post_alloc_hook+0x1/0x2", "get_page_from_freelist+0x1/0x2",
                              "asked.isra.0+0x1/0x2", "kmalloc_wrapper+0x1/0x2"})),
            "asked");
}

TEST(CallSite, OfAllocatorsOnlyIsTheOutermostOne) {
  EXPECT_EQ(call_site(frames({"get_page_from_freelist+0x1/0x2", "__alloc_pages+0x1/0x2"})),
            "__alloc_pages");
}

TEST(CallSite, OfNoStackIsEmpty) { EXPECT_EQ(call_site({}), ""); }

TEST(CallSite, OfAnUnknownAddressIsTheAddress) {
  EXPECT_EQ(call_site(frames({"__alloc_pages+0x1/0x2", "0xffffffffc0001234", "f+0x1/0x2"})),
            "0xffffffffc0001234");
}

TEST(CallSite, OfInlinedFunctions) {
  const auto stack = frames({"set_page_owner include/linux/page_owner.h:32 [inline]",
                             "post_alloc_hook+0x240/0x2a0 mm/page_alloc.c:1850",
                             "__kmalloc_noprof+0x471/0x7f0 mm/slub.c:5654",
                             "kzalloc_noprof include/linux/slab.h:1094 [inline]",
                             "tomoyo_encode2 security/tomoyo/realpath.c:45 [inline]",
                             "tomoyo_encode+0x28b/0x550 security/tomoyo/realpath.c:80"});
  EXPECT_EQ(call_site(stack), "tomoyo_encode2");
  EXPECT_EQ(module_of(stack), "");
}

TEST(CallSite, OfShmemOn61) {
  EXPECT_EQ(call_site(frames(
                {"get_page_from_freelist+0x12c9/0x1310", "__alloc_pages+0x174/0x310",
                 "__folio_alloc+0x12/0x40", "vma_alloc_folio+0x7d/0x320",
                 "shmem_alloc_folio+0x6c/0xa0", "shmem_get_folio_gfp.constprop.0+0x3ac/0x990",
                 "shmem_write_begin+0x48/0xc0", "generic_perform_write+0xca/0x200",
                 "__generic_file_write_iter+0xb3/0xc0", "generic_file_write_iter+0x58/0xc0",
                 "do_iter_readv_writev+0xc9/0x100", "do_iter_write+0x78/0x140",
                 "iter_file_splice_write+0x24e/0x3a0", "direct_splice_actor+0x24/0x30",
                 "splice_direct_to_actor+0xc4/0x210", "do_splice_direct+0x80/0xb0"})),
            "shmem_alloc_folio");
}

TEST(CallSite, OfSlabOn61) {
  EXPECT_EQ(
      call_site(frames({"get_page_from_freelist+0x12c9/0x1310", "__alloc_pages+0x174/0x310",
                        "alloc_page_interleave+0xa/0x70", "allocate_slab+0x1c1/0x270",
                        "___slab_alloc.constprop.0+0x3d4/0x560", "kmem_cache_alloc+0x3db/0x480",
                        "__kernfs_new_node+0x48/0x1d0", "kernfs_new_node+0x4d/0x70",
                        "__kernfs_create_file+0x20/0xb0", "sysfs_add_file_mode_ns+0x65/0x110",
                        "internal_create_group+0x10d/0x370", "param_sysfs_init+0x15e/0x18c",
                        "do_one_initcall+0x4c/0x1e0", "kernel_init_freeable+0x186/0x1ce",
                        "kernel_init+0x11/0x110", "ret_from_fork+0x1f/0x30"})),
      "__kernfs_new_node");
}

TEST(CallSite, OfAKernelStackOn61) {
  EXPECT_EQ(call_site(frames({"get_page_from_freelist+0x12c9/0x1310", "__alloc_pages+0x174/0x310",
                              "__alloc_pages_bulk+0x427/0x6f0", "__vmalloc_node_range+0x24e/0x8b0",
                              "copy_process+0x28c/0x1860", "kernel_clone+0xaa/0x3a0",
                              "kernel_thread+0x4d/0x60", "kthreadd+0xd0/0x120",
                              "ret_from_fork+0x1f/0x30"})),
            "copy_process");
}

TEST(CallSite, OfExactPagesOn61) {
  EXPECT_EQ(call_site(frames({"get_page_from_freelist+0x12c9/0x1310", "__alloc_pages+0x174/0x310",
                              "alloc_page_interleave+0xa/0x70", "alloc_pages_exact+0x2d/0x80",
                              "vring_alloc_queue+0x3a/0x70", "vring_alloc_queue_split+0xb3/0x140",
                              "vring_create_virtqueue+0x57/0x340", "setup_vq+0xbd/0x130",
                              "vp_setup_vq+0x62/0xf0", "vp_find_vqs+0x12a/0x190",
                              "vp_modern_find_vqs+0x12/0x60", "virtcons_probe+0x297/0x550",
                              "virtio_dev_probe+0x1a3/0x2e0", "really_probe+0xb9/0x2b0",
                              "driver_probe_device+0x1a/0xd0", "__driver_attach+0x78/0x170"})),
            "vring_alloc_queue");
}

TEST(CallSite, OfAKernelStackOn612) {
  EXPECT_EQ(call_site(frames(
                {"get_page_from_freelist+0x1587/0x1640", "__alloc_pages_noprof+0x147/0x320",
                 "alloc_pages_mpol_noprof+0xcd/0x1b0", "__vmalloc_node_range_noprof+0x37c/0x800",
                 "copy_process+0xbe8/0x1f90", "kernel_clone+0xa9/0x390", "kernel_thread+0x55/0x60",
                 "kthreadd+0xe1/0x140", "ret_from_fork+0x28/0x40", "ret_from_fork_asm+0x11/0x20"})),
            "copy_process");
}

TEST(CallSite, OfAMempoolOn612) {
  EXPECT_EQ(
      call_site(frames(
          {"get_page_from_freelist+0x1587/0x1640", "__alloc_pages_noprof+0x147/0x320",
           "alloc_pages_mpol_noprof+0xcd/0x1b0", "allocate_slab+0x1fd/0x2c0",
           "___slab_alloc.constprop.0+0x4b0/0x790", "kmem_cache_alloc_noprof+0x195/0x270",
           "mempool_init_node+0x87/0xb0", "mempool_init_noprof+0xd/0x10", "netfs_init+0x123/0x1c0",
           "do_one_initcall+0x4a/0x1e0", "kernel_init_freeable+0x16a/0x290",
           "kernel_init+0x11/0x190", "ret_from_fork+0x28/0x40", "ret_from_fork_asm+0x11/0x20"})),
      "netfs_init");
}

TEST(CallSite, OfAnAnonVmaOn612) {
  EXPECT_EQ(call_site(frames(
                {"get_page_from_freelist+0x1587/0x1640", "__alloc_pages_noprof+0x147/0x320",
                 "alloc_pages_mpol_noprof+0xcd/0x1b0", "allocate_slab+0x1fd/0x2c0",
                 "___slab_alloc.constprop.0+0x4b0/0x790", "kmem_cache_alloc_noprof+0x195/0x270",
                 "__anon_vma_prepare+0xe9/0x1b0", "__vmf_anon_prepare+0x5b/0xc0",
                 "__handle_mm_fault+0x16ca/0x21e0", "handle_mm_fault+0x6e/0x240",
                 "__get_user_pages+0x398/0xe70", "get_user_pages_remote+0xe8/0x590",
                 "get_arg_page+0x75/0x260", "copy_string_kernel+0xc6/0x1c0",
                 "do_execveat_common+0xf1/0x1b0", "__x64_sys_execve+0x29/0x30"})),
            "__anon_vma_prepare");
}

TEST(CallSite, OfReadAheadOn73) {
  EXPECT_EQ(
      call_site(frames({"get_page_from_freelist+0x1b0b/0x1bb0",
                        "__alloc_frozen_pages_noprof+0x1ae/0x3b0", "alloc_pages_mpol+0xa5/0x170",
                        "folio_alloc_noprof+0x3c/0xa0", "page_cache_ra_unbounded+0x11c/0x240",
                        "do_page_cache_ra+0x59/0x70", "filemap_fault+0x5fd/0x13c0",
                        "__do_fault+0x26/0x90", "__handle_mm_fault+0x13d3/0x2320",
                        "handle_mm_fault+0x7e/0x280", "do_user_addr_fault+0x1f1/0x690",
                        "exc_page_fault+0x63/0x120", "asm_exc_page_fault+0x22/0x30"})),
      "page_cache_ra_unbounded");
}

TEST(CallSite, OfAPrefilledSheafOn73) {
  EXPECT_EQ(call_site(frames({"get_page_from_freelist+0x1b0b/0x1bb0",
                              "__alloc_frozen_pages_noprof+0x1ae/0x3b0", "allocate_slab+0x8d/0x490",
                              "refill_objects+0xb2/0x220", "__prefill_sheaf_pfmemalloc+0x5b/0xb0",
                              "kmem_cache_prefill_sheaf+0xab/0x270", "mas_store_gfp+0x31c/0x3e0",
                              "early_irq_init+0xe6/0x140", "start_kernel+0x43c/0x8a0",
                              "x86_64_start_reservations+0x14/0x30",
                              "x86_64_start_kernel+0x108/0x120", "common_startup_64+0x129/0x138"})),
            "mas_store_gfp");
}

TEST(CallSite, OfVmallocsOwnMemoryOn73) {
  EXPECT_EQ(
      call_site(frames({"get_page_from_freelist+0x1b0b/0x1bb0",
                        "__alloc_frozen_pages_noprof+0x1ae/0x3b0", "allocate_slab+0x8d/0x490",
                        "refill_objects+0xb2/0x220", "__pcs_replace_empty_main+0x1e4/0x350",
                        "kmem_cache_alloc_node_noprof+0x32d/0x3a0", "alloc_vmap_area+0x2d1/0xc40",
                        "__get_vm_area_node+0xd5/0x130", "__vmalloc_node_range_noprof+0x113/0x8c0",
                        "__vmalloc_node_noprof+0x3f/0x50", "copy_process+0x3bc/0x2180",
                        "kernel_clone+0xc7/0x3f0", "kernel_thread+0x58/0x60", "kthreadd+0xf2/0x180",
                        "ret_from_fork+0x15c/0x190", "ret_from_fork_asm+0x11/0x20"})),
      "copy_process");
}

TEST(CallSite, OfSheavesOn73) {
  EXPECT_EQ(call_site(frames(
                {"get_page_from_freelist+0x1b0b/0x1bb0", "__alloc_frozen_pages_noprof+0x1ae/0x3b0",
                 "allocate_slab+0x8d/0x490", "refill_objects+0xb2/0x220",
                 "__pcs_replace_empty_main+0x1e4/0x350", "__kmalloc_flags_noprof+0x487/0x4f0",
                 "__pcs_replace_empty_main+0x2b1/0x350", "kmem_cache_alloc_noprof+0x363/0x3a0",
                 "__radix_tree_preload+0x6b/0xc0", "idr_preload+0xa/0x20", "alloc_pid+0x1d0/0x4d0",
                 "copy_process+0x1859/0x2180", "kernel_clone+0xc7/0x3f0", "kernel_thread+0x58/0x60",
                 "kthreadd+0xf2/0x180", "ret_from_fork+0x15c/0x190"})),
            "__radix_tree_preload");
}

TEST(HasFunction, LooksAtNamesWithoutSuffixesAndOffsets) {
  const auto stack = frames(
      {"post_alloc_hook+0x1/0x2", "do_fault.isra.0+0x1/0x2", "brd_insert_page+0x1/0x2 [brd]"});
  EXPECT_TRUE(has_function(stack, {"nothing", "do_fault"}));
  EXPECT_TRUE(has_function(stack, {"brd_*"}));
  EXPECT_FALSE(has_function(stack, {"do_faul", "brd", "*+0x1*"}));
  EXPECT_FALSE(has_function(stack, {}));
  EXPECT_FALSE(has_function({}, {"*"}));
}

}  // namespace
}  // namespace pobpf
