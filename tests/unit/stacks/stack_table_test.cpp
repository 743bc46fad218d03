// SPDX-License-Identifier: GPL-2.0-only
#include "stacks/stack_table.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

namespace pobpf {
namespace {

class MadeUpStacks final : public StackSource {
 public:
  Result<std::vector<std::uint64_t>> frames(std::uint32_t handle) override {
    ++nr_stack_reads;
    const auto found = stacks.find(handle);
    if (found == stacks.end()) return fail(ErrorKind::kFailed, "no such stack");
    return found->second;
  }
  Result<std::vector<std::string>> symbols(std::span<const std::uint64_t> addresses) override {
    std::vector<std::string> names;
    for (const std::uint64_t address : addresses) {
      named.push_back(address);
      names.push_back(fmt::format("{}{:x}+0x1/0x2", prefix, address));
    }
    return names;
  }
  std::map<std::uint32_t, std::vector<std::uint64_t>> stacks;
  std::string prefix = "f";
  std::vector<std::uint64_t> named;
  int nr_stack_reads = 0;
};

TEST(StackTable, PrintsAFramePerLineAsStackDepotSnprintDoes) {
  MadeUpStacks source;
  source.stacks[5] = {0x10, 0x20};
  StackTable table(source);
  const auto stack = table.get(5);
  ASSERT_TRUE(stack);
  EXPECT_EQ((*stack)->kernel_text, " f10+0x1/0x2\n f20+0x1/0x2\n");
  ASSERT_EQ((*stack)->frames.size(), 2U);
  EXPECT_EQ((*stack)->frames[1].address, 0x20U);
}

TEST(StackTable, ReadsAStackOnceAndNamesAnAddressOnce) {
  MadeUpStacks source;
  source.stacks[5] = {0x10, 0x20};
  source.stacks[6] = {0x30, 0x20};
  StackTable table(source);
  const Stack* first = *table.get(5);
  EXPECT_EQ(*table.get(5), first);
  ASSERT_TRUE(table.get(6));
  EXPECT_EQ(source.nr_stack_reads, 2);
  EXPECT_EQ(source.named, (std::vector<std::uint64_t>{0x10, 0x20, 0x30}));
}

TEST(StackTable, NamesAnewWhatItHasForgotten) {
  MadeUpStacks source;
  source.stacks[5] = {0x10};
  StackTable table(source);
  ASSERT_TRUE(table.get(5));
  // a module is gone and another is where it was
  source.prefix = "g";
  EXPECT_EQ((*table.get(5))->frames[0].symbol, "f10+0x1/0x2");
  table.forget_names();
  EXPECT_EQ((*table.get(5))->frames[0].symbol, "g10+0x1/0x2");
  EXPECT_EQ((*table.get(5))->kernel_text, " g10+0x1/0x2\n");
  EXPECT_EQ(source.nr_stack_reads, 1);
}

TEST(StackTable, PassesOnThatAStackCannotBeRead) {
  MadeUpStacks source;
  StackTable table(source);
  EXPECT_FALSE(table.get(7));
}

TEST(StackTable, NamesAnAddressThatStandsTwiceInOneStack) {
  MadeUpStacks source;
  source.stacks[5] = {0x10, 0x10};
  StackTable table(source);
  ASSERT_TRUE(table.get(5));
  EXPECT_EQ((*table.get(5))->frames[1].symbol, "f10+0x1/0x2");
}

}  // namespace
}  // namespace pobpf
