// SPDX-License-Identifier: GPL-2.0-only
#include "reader/pin_name.h"

#include <gtest/gtest.h>

#include <climits>

namespace pobpf {
namespace {

TEST(PinName, TakesWhatBpffsTakes) {
  for (const char* name : {"a", "node1", "node-1_x", "~a", "with space", "\xc3\xa4"})
    EXPECT_TRUE(check_pin_name(name)) << name;
  EXPECT_TRUE(check_pin_name(std::string(NAME_MAX - 1, 'a')));
}

TEST(PinName, RefusesTheRestAsWrongUsage) {
  using std::string_literals::operator""s;
  for (const std::string& name : {""s, "a/b"s, "/"s, "."s, ".."s, "a.b"s, "a\nb"s, "a\x1b"s,
                                  "a\x7f"s, "a\0b"s, "a~"s, std::string(NAME_MAX, 'a')}) {
    const auto status = check_pin_name(name);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().kind, ErrorKind::kUsage);
    EXPECT_FALSE(status.error().hint.empty());
  }
}

TEST(PinName, TemporaryNamesAreNoUsersNames) {
  const std::string name = temporary_pin_name(4194304);
  EXPECT_TRUE(is_temporary_pin_name(name));
  EXPECT_FALSE(check_pin_name(name));
  EXPECT_EQ(task_of_temporary_pin(name), 4194304);
}

TEST(PinName, OnlyTemporaryNamesHaveATask) {
  for (const char* name : {"1", "~", "a~", "1a~", "a1~", "-1~", "0~", "99999999999~", "1~~"})
    EXPECT_FALSE(task_of_temporary_pin(name)) << name;
}

}  // namespace
}  // namespace pobpf
