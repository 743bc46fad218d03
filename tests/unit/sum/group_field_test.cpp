// SPDX-License-Identifier: GPL-2.0-only
#include "sum/group_field.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "pobpf/sums.h"

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(GroupField, NamesAreReadInTheirOrder) {
  EXPECT_THAT(parse_group_fields("tgid,stack,comm").value(),
              ElementsAre(GroupField::kTgid, GroupField::kStack, GroupField::kComm));
}

TEST(GroupField, EachNameIsReadAsItself) {
  const auto names = group_field_names();
  EXPECT_EQ(names.size(), 15U);
  for (const std::string& name : names) {
    const auto fields = parse_group_fields(name);
    ASSERT_TRUE(fields) << name;
    ASSERT_EQ(fields->size(), 1U);
    EXPECT_EQ(group_field_name(fields->front()), name);
  }
  EXPECT_EQ(parse_group_fields(fmt::format("{}", fmt::join(names, ","))).value().size(),
            names.size());
}

TEST(GroupField, WrongListsAreUsageErrors) {
  for (const char* text : {"", ",", "tgid,", ",tgid", "tgid,,comm", "tgid comm", "TGID", "tgi",
                           "tgid,tgid", "stack,nid,stack"}) {
    const auto fields = parse_group_fields(text);
    ASSERT_FALSE(fields) << text;
    EXPECT_EQ(fields.error().kind, ErrorKind::kUsage) << text;
  }
}

TEST(GroupField, ErrorsNameTheNearestAndTheRepeatedOne) {
  EXPECT_THAT(parse_group_fields("migratetyp").error().hint,
              HasSubstr("did you mean 'migratetype'?"));
  EXPECT_THAT(parse_group_fields("comm,alocator").error().hint,
              HasSubstr("did you mean 'allocator'?"));
  EXPECT_THAT(parse_group_fields("xyzzy").error().hint, HasSubstr("there are stack, function"));
  EXPECT_EQ(parse_group_fields("nid,zone,nid").error().what, "nid is named twice");
}

TEST(GroupField, TheKernelTellsApartWhatRowsNeed) {
  const auto bits = [](std::string_view text) {
    return kernel_group_fields(parse_group_fields(text).value());
  };
  for (const char* by_stack : {"stack", "function", "module"})
    EXPECT_EQ(bits(by_stack), POBPF_GROUP_HANDLE) << by_stack;
  EXPECT_EQ(bits("allocator"), POBPF_GROUP_KIND);
  EXPECT_EQ(bits("tgid"), POBPF_GROUP_TGID);
  EXPECT_EQ(bits("pid"), POBPF_GROUP_PID);
  EXPECT_EQ(bits("comm"), POBPF_GROUP_COMM);
  EXPECT_EQ(bits("order"), POBPF_GROUP_ORDER);
  EXPECT_EQ(bits("gfp"), POBPF_GROUP_GFP);
  EXPECT_EQ(bits("migratetype"), POBPF_GROUP_MIGRATETYPE);
  EXPECT_EQ(bits("nid"), POBPF_GROUP_NID);
  EXPECT_EQ(bits("zone"), POBPF_GROUP_ZONE);
  EXPECT_EQ(bits("memcg"), POBPF_GROUP_MEMCG);
  EXPECT_EQ(bits("migrate_reason"), POBPF_GROUP_MIGRATE_REASON);
  EXPECT_EQ(bits("freed"), POBPF_GROUP_FREED);
  EXPECT_EQ(bits("stack,module,nid"), POBPF_GROUP_HANDLE | POBPF_GROUP_NID);
}

}  // namespace
}  // namespace pobpf
