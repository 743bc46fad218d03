// SPDX-License-Identifier: GPL-2.0-only
// Fields of numbers and of texts: what is written is read again, and nothing else is read.
#include "snapshot/numbers.h"

#include <gtest/gtest.h>

#include <random>

#include "snapshot/text_list.h"

namespace pobpf {
namespace {

using Numbers = std::vector<std::int64_t>;

std::string written(const Numbers& numbers) {
  std::string field;
  write_numbers(numbers, field);
  return field;
}

TEST(Numbers, WhatIsWrittenIsRead) {
  std::mt19937_64 random(7);
  Numbers anything;
  for (int i = 0; i < 10'000; ++i)
    anything.push_back(static_cast<std::int64_t>(random() >> random() % 64));
  for (const Numbers& numbers :
       {Numbers{}, Numbers{0}, Numbers{-1}, Numbers{INT64_MIN, INT64_MAX, 0, 1}, anything}) {
    Numbers read{1, 2, 3};
    ASSERT_TRUE(read_numbers(written(numbers), numbers.size(), read));
    EXPECT_EQ(read, numbers);
  }
}

TEST(Numbers, StandByTheirBytesFromTheLowestOn) {
  EXPECT_EQ(written({0, 0, 0}), std::string(3, '\0'));
  EXPECT_EQ(written({-1, 1, 0x80}), std::string("\x01\x02\x00\x00\x00\x01", 6));
}

TEST(Numbers, DifferencesAreModulo2To64) {
  const std::vector<std::uint64_t> values = {0, UINT64_MAX, 1, UINT64_MAX / 2, UINT64_MAX / 2 + 1};
  std::string field;
  write_differences(values, field);
  std::vector<std::uint64_t> read;
  ASSERT_TRUE(read_differences(field, values.size(), read));
  EXPECT_EQ(read, values);
}

TEST(Numbers, FieldsOfAnotherLengthAreRefused) {
  Numbers read;
  EXPECT_FALSE(read_numbers("", 2, read));
  EXPECT_FALSE(read_numbers("a", 2, read));
  EXPECT_FALSE(read_numbers("abc", 2, read));
  EXPECT_FALSE(read_numbers("a", 0, read));
  EXPECT_TRUE(read_numbers(std::string(16, 'a'), 2, read));
  EXPECT_FALSE(read_numbers(std::string(18, 'a'), 2, read));
}

TEST(TextList, WhatIsAppendedIsTaken) {
  std::string list;
  for (const std::string_view text : {std::string_view("a"), std::string_view(), {"b\xff"}})
    append_to_list(list, text, 10);
  append_to_list(list, {"cut\0off", 7}, 10);
  append_to_list(list, "longer than that", 6);
  EXPECT_TRUE(is_list_of(list, 5, 6));
  EXPECT_FALSE(is_list_of(list, 5, 5));
  EXPECT_FALSE(is_list_of(list, 4, 6));
  std::string_view rest = list;
  for (const char* text : {"a", "", "b\xff", "cut", "longer"}) EXPECT_EQ(take_text(rest), text);
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(take_text(rest), "");
}

TEST(TextList, ATextWithoutItsEndIsRefused) {
  EXPECT_TRUE(is_list_of("", 0, 9));
  EXPECT_FALSE(is_list_of("a", 0, 9));
  EXPECT_FALSE(is_list_of("a", 1, 9));
  EXPECT_FALSE(is_list_of({"a\0b", 3}, 1, 9));
  EXPECT_FALSE(is_list_of({"a\0b", 3}, 2, 9));
}

}  // namespace
}  // namespace pobpf
