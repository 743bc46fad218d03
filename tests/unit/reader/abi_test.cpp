// SPDX-License-Identifier: GPL-2.0-only
// The structs of abi.h and pin_abi.h as the C++ compiler sees them, against what the BPF compiler
// makes of the same headers and against each BPF object; and the objects that share a skeleton
// type, against each other.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "../kernel/libbpf_btf.h"
#include "pobpf/abi.h"
#include "pobpf/pin_abi.h"

namespace pobpf {
namespace {

using test::Btf;

std::string object_path(std::string_view name) {
  return std::string(POBPF_BPF_DIRECTORY) + "/" + std::string(name) + ".bpf.o";
}

struct Member {
  std::string name;
  std::uint32_t bit_offset;
  std::uint32_t nr_bits;
  bool operator==(const Member&) const = default;
};

void PrintTo(const Member& member, std::ostream* out) {
  *out << member.name << ": " << member.nr_bits << " bits at bit " << member.bit_offset;
}

struct Struct {
  std::uint32_t nr_bytes = 0;
  std::vector<Member> members;
  bool operator==(const Struct&) const = default;
};

void PrintTo(const Struct& layout, std::ostream* out) {
  *out << layout.nr_bytes << " bytes: " << testing::PrintToString(layout.members);
}

using Structs = std::map<std::string, Struct>;

/// The structs that are named as those of the headers.
Structs structs_of(const btf* types) {
  Structs result;
  for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    const std::string name = btf__name_by_offset(types, type->name_off);
    if (!btf_is_struct(type) || !name.starts_with("pobpf_")) continue;
    Struct layout{type->size, {}};
    const std::span members(btf_members(type), btf_vlen(type));
    for (__u32 i = 0; i < members.size(); ++i) {
      const __u32 of_bitfield = btf_member_bitfield_size(type, i);
      const __s64 nr_bytes = btf__resolve_size(types, members[i].type);
      layout.members.push_back(
          {btf__name_by_offset(types, members[i].name_off), btf_member_bit_offset(type, i),
           of_bitfield != 0 ? of_bitfield : static_cast<std::uint32_t>(8 * nr_bytes)});
    }
    EXPECT_TRUE(result.emplace(name, std::move(layout)).second) << name << " is there twice";
  }
  return result;
}

Structs structs_in_file(const std::string& path) {
  const Btf types(btf__parse(path.c_str(), nullptr));
  EXPECT_TRUE(types) << path;
  return types ? structs_of(types.get()) : Structs();
}

class SharedStructs : public testing::Test {
 protected:
  /// The oracle is the compiler itself, so nothing of the headers is written down here.
  void expect_as_declared(const Structs& structs) const {
    for (const auto& [name, layout] : structs) {
      ASSERT_TRUE(host_.contains(name)) << name << " is not of the headers that both read";
      EXPECT_EQ(layout, host_.at(name)) << name;
    }
  }

  // fewer would say that a compiler left out what nothing uses
  static constexpr std::size_t kNrStructsMin = 20;
  const Structs host_ = structs_in_file(POBPF_HOST_BTF);
};

TEST_F(SharedStructs, AreTheSameToBothCompilers) {
  const Structs target = structs_in_file(POBPF_TARGET_BTF);
  EXPECT_GE(host_.size(), kNrStructsMin);
  EXPECT_EQ(target.size(), host_.size());
  expect_as_declared(target);
}

/// An object is compiled with macros of its own, after other headers.
TEST_F(SharedStructs, AreTheSameInEachObject) {
  std::set<std::string> seen;
  std::istringstream paths(POBPF_BPF_OBJECTS);
  for (std::string path; std::getline(paths, path, ':');) {
    SCOPED_TRACE(path);
    const Structs structs = structs_in_file(path);
    for (const auto& [name, layout] : structs) seen.insert(name);
    expect_as_declared(structs);
  }
  EXPECT_GE(seen.size(), kNrStructsMin);
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
    // libbpf finds these by name; nothing in user space asks for the steps of loops
    auto maps = names_of_maps(right.get());
    maps.erase("loop_steps");
    EXPECT_EQ(names_of_maps(left.get()), maps);
    EXPECT_EQ(names_of_programs(left.get()), names_of_programs(right.get()));
  }
};

TEST_F(SharedSkeleton, OfThePageWalkers) {
  for (const char* other : {"page_owner_each", "page_owner_probe", "page_owner_goto"})
    expect_fits("page_owner", other);
}

TEST_F(SharedSkeleton, OfThePinPrinters) {
  for (const char* other : {"page_text_each", "page_text_probe"}) expect_fits("page_text", other);
}

/// No type of these elements is in the object, as they are declared by size.
TEST_F(SharedSkeleton, InnerMapsHaveTheSizesThatUserSpaceWrites) {
  struct Sizes {
    const char* map;
    std::size_t key;
    std::size_t value;
  };
  for (const char* name : {"page_owner", "page_owner_each", "page_owner_probe", "page_owner_goto",
                           "page_text", "page_text_each", "page_text_probe"}) {
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

}  // namespace
}  // namespace pobpf
