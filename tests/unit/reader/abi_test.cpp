// SPDX-License-Identifier: GPL-2.0-only
// The layout of abi.h and pin_abi.h as the BPF compiler sees it, against the C++ compiler's; and
// the objects that share a skeleton type, against each other.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "pobpf/abi.h"
#include "pobpf/pin_abi.h"

namespace pobpf {
namespace {

struct BtfDeleter {
  void operator()(btf* object) const { btf__free(object); }
};

std::string object_path(std::string_view name) {
  return std::string(POBPF_BPF_DIRECTORY) + "/" + std::string(name) + ".bpf.o";
}

class AbiOf : public testing::Test {
 protected:
  explicit AbiOf(std::string_view object) : path_(object_path(object)) {}

  void SetUp() override {
    btf_.reset(btf__parse_elf(path_.c_str(), nullptr));
    ASSERT_TRUE(btf_) << path_;
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

  std::string path_;
  std::unique_ptr<btf, BtfDeleter> btf_;
};

class Abi : public AbiOf {
 protected:
  Abi() : AbiOf("page_owner") {}
};

class PinAbi : public AbiOf {
 protected:
  PinAbi() : AbiOf("page_text") {}
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

TEST_F(Abi, DetailedPageHasOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_detailed_page"), 2);
  EXPECT_SAME_OFFSET(pobpf_detailed_page, detail);
  EXPECT_EQ(bpf_nr_members("pobpf_page_detail"), 8);
  EXPECT_SAME_OFFSET(pobpf_page_detail, kind_flags);
  EXPECT_SAME_OFFSET(pobpf_page_detail, page_type);
  EXPECT_SAME_OFFSET(pobpf_page_detail, free_handle);
  EXPECT_SAME_OFFSET(pobpf_page_detail, free_pid);
  EXPECT_SAME_OFFSET(pobpf_page_detail, free_tgid);
  EXPECT_SAME_OFFSET(pobpf_page_detail, mapping);
  EXPECT_SAME_OFFSET(pobpf_page_detail, has_free_pid);
}

TEST_F(Abi, WindowHasOneLayout) { EXPECT_EQ(bpf_nr_members("pobpf_window"), 3); }

TEST_F(Abi, ParametersHaveOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_params"), 24);
  EXPECT_SAME_OFFSET(pobpf_params, nid_mask);
  EXPECT_SAME_OFFSET(pobpf_params, comm);
  EXPECT_SAME_OFFSET(pobpf_params, flags_all);
  EXPECT_SAME_OFFSET(pobpf_params, flags_any);
  EXPECT_SAME_OFFSET(pobpf_params, flags_none);
  EXPECT_SAME_OFFSET(pobpf_params, ts_min);
  EXPECT_SAME_OFFSET(pobpf_params, ts_max);
  EXPECT_SAME_OFFSET(pobpf_params, age_min);
  EXPECT_SAME_OFFSET(pobpf_params, age_max);
  EXPECT_SAME_OFFSET(pobpf_params, order_mask);
  EXPECT_SAME_OFFSET(pobpf_params, active);
  EXPECT_SAME_OFFSET(pobpf_params, mode);
  EXPECT_SAME_OFFSET(pobpf_params, zone_mask);
  EXPECT_SAME_OFFSET(pobpf_params, migratetype_mask);
  EXPECT_SAME_OFFSET(pobpf_params, block_migratetype_mask);
  EXPECT_SAME_OFFSET(pobpf_params, gfp_all);
  EXPECT_SAME_OFFSET(pobpf_params, gfp_any);
  EXPECT_SAME_OFFSET(pobpf_params, gfp_none);
  EXPECT_SAME_OFFSET(pobpf_params, wanted_sets);
  EXPECT_SAME_OFFSET(pobpf_params, wanted_hits);
  EXPECT_SAME_OFFSET(pobpf_params, nr_stack_ranges);
  EXPECT_SAME_OFFSET(pobpf_params, dead);
  EXPECT_SAME_OFFSET(pobpf_params, mixed);
  EXPECT_SAME_OFFSET(pobpf_params, group_by);
  EXPECT_EQ(bpf_nr_members("pobpf_comm_states"), 4);
  EXPECT_SAME_OFFSET(pobpf_comm_states, start);
  EXPECT_SAME_OFFSET(pobpf_comm_states, loops);
  EXPECT_SAME_OFFSET(pobpf_comm_states, wanted);
  EXPECT_SAME_OFFSET(pobpf_comm_states, rejected);
}

TEST_F(Abi, AccountHasOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_account"), 16);
  EXPECT_SAME_OFFSET(pobpf_account, kind);
  EXPECT_SAME_OFFSET(pobpf_account, nr_pages);
  EXPECT_SAME_OFFSET(pobpf_account, emitted);
  EXPECT_SAME_OFFSET(pobpf_account, absent);
  EXPECT_SAME_OFFSET(pobpf_account, offline);
  EXPECT_SAME_OFFSET(pobpf_account, free);
  EXPECT_SAME_OFFSET(pobpf_account, unowned);
  EXPECT_SAME_OFFSET(pobpf_account, freed);
  EXPECT_SAME_OFFSET(pobpf_account, tail);
  EXPECT_SAME_OFFSET(pobpf_account, no_handle);
  EXPECT_SAME_OFFSET(pobpf_account, torn);
  EXPECT_SAME_OFFSET(pobpf_account, errors);
  EXPECT_SAME_OFFSET(pobpf_account, cgroup_errors);
  EXPECT_SAME_OFFSET(pobpf_account, mode);
  EXPECT_SAME_OFFSET(pobpf_account, reserved);
  EXPECT_SAME_OFFSET(pobpf_account, filtered);
}

TEST_F(Abi, SumsHaveOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_group_key"), 18);
  EXPECT_SAME_OFFSET(pobpf_group_key, cgroup_id);
  EXPECT_SAME_OFFSET(pobpf_group_key, page_flags);
  EXPECT_SAME_OFFSET(pobpf_group_key, comm);
  EXPECT_SAME_OFFSET(pobpf_group_key, handle);
  EXPECT_SAME_OFFSET(pobpf_group_key, gfp_mask);
  EXPECT_SAME_OFFSET(pobpf_group_key, tgid);
  EXPECT_SAME_OFFSET(pobpf_group_key, pid);
  EXPECT_SAME_OFFSET(pobpf_group_key, page_type);
  EXPECT_SAME_OFFSET(pobpf_group_key, nid);
  EXPECT_SAME_OFFSET(pobpf_group_key, zone);
  EXPECT_SAME_OFFSET(pobpf_group_key, order);
  EXPECT_SAME_OFFSET(pobpf_group_key, migratetype);
  EXPECT_SAME_OFFSET(pobpf_group_key, mapping);
  EXPECT_SAME_OFFSET(pobpf_group_key, memcg_flags);
  EXPECT_SAME_OFFSET(pobpf_group_key, is_other);
  EXPECT_SAME_OFFSET(pobpf_group_key, was_freed);
  EXPECT_SAME_OFFSET(pobpf_group_key, reserved);
  EXPECT_SAME_OFFSET(pobpf_group_key, last_migrate_reason);
  EXPECT_EQ(bpf_nr_members("pobpf_group_sum"), 3);
  EXPECT_SAME_OFFSET(pobpf_group_sum, pages);
  EXPECT_SAME_OFFSET(pobpf_group_sum, allocations);
  EXPECT_SAME_OFFSET(pobpf_group_sum, ts_sum);
  EXPECT_EQ(bpf_nr_members("pobpf_kind_facts"), 5);
  EXPECT_SAME_OFFSET(pobpf_kind_facts, flags);
  EXPECT_SAME_OFFSET(pobpf_kind_facts, type_base);
  EXPECT_SAME_OFFSET(pobpf_kind_facts, type_mask);
  EXPECT_SAME_OFFSET(pobpf_kind_facts, stack_order_min);
  EXPECT_SAME_OFFSET(pobpf_kind_facts, reserved);
  EXPECT_SAME_OFFSET(pobpf_cgroup, name);
  EXPECT_SAME_OFFSET(pobpf_cgroup, name_address);
  EXPECT_SAME_OFFSET(pobpf_cgroup, name_hash);
}

TEST_F(Abi, LayoutOfTheKernelHasOneLayout) {
  EXPECT_SAME_OFFSET(pobpf_layout, mem_section_roots);
  EXPECT_SAME_OFFSET(pobpf_layout, stack_pools);
  EXPECT_SAME_OFFSET(pobpf_layout, section_root_shift);
  EXPECT_SAME_OFFSET(pobpf_layout, pageblock_order);
  EXPECT_SAME_OFFSET(pobpf_layout, handle_offset_mask);
}

TEST_F(PinAbi, TextFactsHaveOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_flag_name"), 2);
  EXPECT_SAME_OFFSET(pobpf_flag_name, mask);
  EXPECT_SAME_OFFSET(pobpf_flag_name, name);
  EXPECT_EQ(bpf_nr_members("pobpf_flag_field"), 4);
  EXPECT_SAME_OFFSET(pobpf_flag_field, mask);
  EXPECT_SAME_OFFSET(pobpf_flag_field, shift);
  EXPECT_SAME_OFFSET(pobpf_flag_field, is_hex);
  EXPECT_SAME_OFFSET(pobpf_flag_field, name);
  EXPECT_EQ(bpf_nr_members("pobpf_text_facts"), 14);
  EXPECT_SAME_OFFSET(pobpf_text_facts, gfp_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, page_flag_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, page_flag_fields);
  EXPECT_SAME_OFFSET(pobpf_text_facts, migratetype_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, migrate_reason_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, named_page_flags);
  EXPECT_SAME_OFFSET(pobpf_text_facts, nr_gfp_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, nr_page_flag_names);
  EXPECT_SAME_OFFSET(pobpf_text_facts, nr_page_flag_fields);
  EXPECT_SAME_OFFSET(pobpf_text_facts, migrate_reason_never);
  EXPECT_SAME_OFFSET(pobpf_text_facts, is_pre_v68_text);
  EXPECT_SAME_OFFSET(pobpf_text_facts, reserved);
  EXPECT_SAME_OFFSET(pobpf_text_facts, record_bytes_max);
  EXPECT_SAME_OFFSET(pobpf_text_facts, frame_bytes_max);
}

TEST_F(PinAbi, PinsAndPositionsHaveOneLayout) {
  EXPECT_EQ(bpf_nr_members("pobpf_pfn_range"), 2);
  EXPECT_SAME_OFFSET(pobpf_pfn_range, begin);
  EXPECT_SAME_OFFSET(pobpf_pfn_range, end);
  EXPECT_EQ(bpf_nr_members("pobpf_position"), 7);
  EXPECT_SAME_OFFSET(pobpf_position, session);
  EXPECT_SAME_OFFSET(pobpf_position, start);
  EXPECT_SAME_OFFSET(pobpf_position, next);
  EXPECT_SAME_OFFSET(pobpf_position, start_range);
  EXPECT_SAME_OFFSET(pobpf_position, next_range);
  EXPECT_SAME_OFFSET(pobpf_position, ticket);
  EXPECT_SAME_OFFSET(pobpf_position, is_at_end);
  EXPECT_EQ(bpf_nr_members("pobpf_pin"), 6);
  EXPECT_SAME_OFFSET(pobpf_pin, magic);
  EXPECT_SAME_OFFSET(pobpf_pin, version);
  EXPECT_SAME_OFFSET(pobpf_pin, abi);
  EXPECT_SAME_OFFSET(pobpf_pin, nr_ranges);
  EXPECT_SAME_OFFSET(pobpf_pin, nr_pages);
  EXPECT_SAME_OFFSET(pobpf_pin, view);
}

/// Other versions of pobpf read it: what stands before `abi` never changes.
TEST(PinAbiOfAllVersions, NeverChanges) {
  EXPECT_EQ(offsetof(pobpf_pin, magic), 0U);
  EXPECT_EQ(offsetof(pobpf_pin, version), 8U);
  EXPECT_EQ(offsetof(pobpf_pin, abi), 40U);
  EXPECT_EQ(sizeof(pobpf_pin::version), 32U);
  EXPECT_EQ(POBPF_PIN_MAGIC, 0x6e6970667062706fULL);
  EXPECT_STREQ(POBPF_PIN_MAP, "pobpf_pin");
}

struct ObjectDeleter {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

/// An object as libbpf opens it, which needs no privileges: offsets of variables are known then.
class SharedSkeleton : public testing::Test {
 protected:
  using Object = std::unique_ptr<bpf_object, ObjectDeleter>;
  using Variable = std::tuple<std::string, std::uint32_t, std::uint32_t>;  // name, offset, bytes

  static Object open(const char* name) {
    Object object(bpf_object__open_file(object_path(name).c_str(), nullptr));
    EXPECT_TRUE(object) << name;
    return object;
  }

  /// Variables that the skeleton type has, those of functions left out.
  static std::set<Variable> variables(const bpf_object* object, const char* section_name) {
    std::set<Variable> result;
    const btf* types = bpf_object__btf(object);
    const int id = btf__find_by_name_kind(types, section_name, BTF_KIND_DATASEC);
    if (id < 0) {
      ADD_FAILURE() << "no section " << section_name;
      return result;
    }
    const btf_type* section = btf__type_by_id(types, static_cast<__u32>(id));
    for (const btf_var_secinfo& found : std::span(btf_var_secinfos(section), btf_vlen(section))) {
      const btf_type* variable = btf__type_by_id(types, found.type);
      if (btf_var(variable)->linkage == BTF_VAR_STATIC) continue;
      result.emplace(btf__name_by_offset(types, variable->name_off), found.offset, found.size);
    }
    return result;
  }

  static std::set<std::string> names_of_maps(const bpf_object* object) {
    std::set<std::string> result;
    for (const bpf_map* map = bpf_object__next_map(object, nullptr); map != nullptr;
         map = bpf_object__next_map(object, map)) {
      // those of variables have a part of the object's name in front
      const std::string name = bpf_map__name(map);
      result.insert(name.substr(std::min(name.size(), name.find('.'))));
    }
    return result;
  }

  static std::set<std::string> names_of_programs(const bpf_object* object) {
    std::set<std::string> result;
    for (bpf_program* program = bpf_object__next_program(object, nullptr); program != nullptr;
         program = bpf_object__next_program(object, program))
      result.insert(bpf_program__name(program));
    return result;
  }

  /// src/reader sees `other` through the skeleton type of `base`.
  static void expect_fits(const char* base, const char* other) {
    SCOPED_TRACE(std::string(other) + " as " + base);
    const Object left = open(base);
    const Object right = open(other);
    ASSERT_TRUE(left && right);
    for (const char* section : {".bss", ".rodata"}) {
      EXPECT_THAT(variables(left.get(), section), testing::Not(testing::IsEmpty())) << section;
      EXPECT_EQ(variables(left.get(), section), variables(right.get(), section)) << section;
    }
    // libbpf finds these by name; there may be more of them
    EXPECT_THAT(names_of_maps(right.get()), testing::IsSupersetOf(names_of_maps(left.get())));
    EXPECT_EQ(names_of_programs(left.get()), names_of_programs(right.get()));
  }
};

TEST_F(SharedSkeleton, OfThePageWalkers) {
  for (const char* other : {"page_owner_probe", "page_owner_goto", "page_owner_filters",
                            "page_owner_filters_probe", "page_owner_filters_goto"})
    expect_fits("page_owner", other);
}

TEST_F(SharedSkeleton, OfThePinPrinters) { expect_fits("page_text", "page_text_probe"); }

/// No type of these elements is in the object, as they are declared by size.
TEST_F(SharedSkeleton, InnerMapsHaveTheSizesThatUserSpaceWrites) {
  struct Sizes {
    const char* map;
    std::size_t key;
    std::size_t value;
  };
  for (const char* name :
       {"page_owner_filters", "page_owner_filters_probe", "page_text", "page_text_probe"}) {
    const Object object = open(name);
    ASSERT_TRUE(object);
    for (const Sizes& sizes : {Sizes{"reader_sets", sizeof(pobpf_set_key), sizeof(__u32)},
                               {"reader_comm_tables", sizeof(__u32), sizeof(pobpf_comm_table)},
                               {"reader_stack_ranges", sizeof(__u32), sizeof(pobpf_stack_range)}}) {
      SCOPED_TRACE(std::string(name) + " " + sizes.map);
      bpf_map* outer = bpf_object__find_map_by_name(object.get(), sizes.map);
      ASSERT_NE(outer, nullptr);
      EXPECT_EQ(bpf_map__max_entries(outer), static_cast<__u32>(POBPF_MAX_READERS));
      const bpf_map* inner = bpf_map__inner_map(outer);
      ASSERT_NE(inner, nullptr);
      EXPECT_EQ(bpf_map__key_size(inner), sizes.key);
      EXPECT_EQ(bpf_map__value_size(inner), sizes.value);
    }
  }
}

TEST(PageDumpAbi, HasOneLayout) {
  const std::unique_ptr<btf, BtfDeleter> object(
      btf__parse_elf(object_path("page_dump").c_str(), nullptr));
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
