// SPDX-License-Identifier: GPL-2.0-only
// The layout of abi.h as the BPF compiler sees it, against the C++ compiler's.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "pobpf/abi.h"

namespace pobpf {
namespace {

struct BtfDeleter {
  void operator()(btf* object) const { btf__free(object); }
};

class Abi : public testing::Test {
 protected:
  void SetUp() override {
    btf_.reset(btf__parse_elf(POBPF_BPF_OBJECT, nullptr));
    ASSERT_TRUE(btf_) << POBPF_BPF_OBJECT;
  }

  /// Byte offset of a member as the BPF object's BTF has it; -1 if there is none.
  int bpf_offset(const char* type, std::string_view member) const {
    const int id = btf__find_by_name_kind(btf_.get(), type, BTF_KIND_STRUCT);
    if (id < 0) return -1;
    const btf_type* found = btf__type_by_id(btf_.get(), static_cast<__u32>(id));
    const std::span members(btf_members(found), btf_vlen(found));
    for (__u32 i = 0; i < members.size(); ++i)
      if (member == btf__name_by_offset(btf_.get(), members[i].name_off))
        return static_cast<int>(btf_member_bit_offset(found, i) / 8);
    return -1;
  }

  int bpf_nr_members(const char* type) const {
    const int id = btf__find_by_name_kind(btf_.get(), type, BTF_KIND_STRUCT);
    return id < 0 ? -1 : btf_vlen(btf__type_by_id(btf_.get(), static_cast<__u32>(id)));
  }

  std::unique_ptr<btf, BtfDeleter> btf_;
};

#define EXPECT_SAME_OFFSET(type, member) \
  EXPECT_EQ(bpf_offset(#type, #member), static_cast<int>(offsetof(type, member))) << #member

TEST_F(Abi, PageHasOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_page"), 15);
  EXPECT_SAME_OFFSET(pobpf_page, kind);
  EXPECT_SAME_OFFSET(pobpf_page, order);
  EXPECT_SAME_OFFSET(pobpf_page, last_migrate_reason);
  EXPECT_SAME_OFFSET(pobpf_page, pageblock_migratetype);
  EXPECT_SAME_OFFSET(pobpf_page, memcg_flags);
  EXPECT_SAME_OFFSET(pobpf_page, pfn);
  EXPECT_SAME_OFFSET(pobpf_page, flags);
  EXPECT_SAME_OFFSET(pobpf_page, ts_nsec);
  EXPECT_SAME_OFFSET(pobpf_page, free_ts_nsec);
  EXPECT_SAME_OFFSET(pobpf_page, cgroup_id);
  EXPECT_SAME_OFFSET(pobpf_page, gfp_mask);
  EXPECT_SAME_OFFSET(pobpf_page, handle);
  EXPECT_SAME_OFFSET(pobpf_page, pid);
  EXPECT_SAME_OFFSET(pobpf_page, tgid);
  EXPECT_SAME_OFFSET(pobpf_page, comm);
}

TEST_F(Abi, WindowAndParametersHaveOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_window"), 3);
  EXPECT_SAME_OFFSET(pobpf_params, nid_mask);
  EXPECT_SAME_OFFSET(pobpf_params, active);
  EXPECT_SAME_OFFSET(pobpf_params, mode);
}

TEST_F(Abi, LayoutOfTheKernelHasOneLayout) {
  EXPECT_SAME_OFFSET(pobpf_layout, mem_section_roots);
  EXPECT_SAME_OFFSET(pobpf_layout, stack_pools);
  EXPECT_SAME_OFFSET(pobpf_layout, section_root_shift);
  EXPECT_SAME_OFFSET(pobpf_layout, pageblock_order);
  EXPECT_SAME_OFFSET(pobpf_layout, handle_offset_mask);
}

TEST(PageDumpAbi, HasOneLayout) {
  const std::unique_ptr<btf, BtfDeleter> object(btf__parse_elf(POBPF_PAGE_DUMP_OBJECT, nullptr));
  ASSERT_TRUE(object);
  const auto expect_size = [&](const char* type, std::size_t size) {
    const int id = btf__find_by_name_kind(object.get(), type, BTF_KIND_STRUCT);
    ASSERT_GE(id, 0) << type;
    EXPECT_EQ(btf__type_by_id(object.get(), static_cast<__u32>(id))->size, size) << type;
  };
  expect_size("pobpf_page_dump", sizeof(pobpf_page_dump));
  expect_size("pobpf_owner", sizeof(pobpf_owner));
  expect_size("pobpf_struct_page", sizeof(pobpf_struct_page));
}

}  // namespace
}  // namespace pobpf
