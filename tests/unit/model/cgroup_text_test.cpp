// SPDX-License-Identifier: GPL-2.0-only
#include "model/cgroup_text.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(ParseCgroupId, TakesNumbersBehindId) {
  EXPECT_EQ(parse_cgroup_id("id:1").value(), 1U);
  EXPECT_EQ(parse_cgroup_id("id:18446744073709551615").value(), UINT64_MAX);
  for (const char* path : {"/id:1", "id", "/", "a/id:1", "ID:1"})
    EXPECT_EQ(parse_cgroup_id(path).value(), std::nullopt) << path;
  for (const char* wrong :
       {"id:", "id:0", "id:-1", "id: 1", "id:1x", "id:0x1", "id:18446744073709551616"}) {
    const auto id = parse_cgroup_id(wrong);
    ASSERT_FALSE(id) << wrong;
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace pobpf
