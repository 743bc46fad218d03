// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/memory_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../util/temp_dir.h"

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kPages = 0x8000000 / 4096;

class MemoryBlocksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_.write("block_size_bytes", "8000000\n");
    for (const char* name : {"memory0", "memory1", "memory3", "memory32"})
      std::filesystem::create_directory(dir_.path() / name);
    std::filesystem::create_directory(dir_.path() / "power");
  }
  Result<MemoryBlocks> find(const std::vector<IdRange>& wanted) {
    return find_memory_blocks(dir_.path(), wanted, 4096);
  }
  test::TempDir dir_;
};

TEST_F(MemoryBlocksTest, AreFoundByTheirNumbers) {
  const auto blocks = find({{0, 1}, {32, 32}});
  ASSERT_TRUE(blocks) << blocks.error().what;
  EXPECT_EQ(blocks->block_pages, kPages);
  EXPECT_THAT(blocks->pfns,
              ElementsAre(PfnRange{0, 2 * kPages}, PfnRange{32 * kPages, 33 * kPages}));
}

TEST_F(MemoryBlocksTest, HolesInARangeAreNone) {
  const auto blocks = find({{1, 0xffffff}});
  ASSERT_TRUE(blocks) << blocks.error().what;
  EXPECT_THAT(blocks->pfns,
              ElementsAre(PfnRange{kPages, 2 * kPages}, PfnRange{3 * kPages, 4 * kPages},
                          PfnRange{32 * kPages, 33 * kPages}));
}

TEST_F(MemoryBlocksTest, ThatAreMissingAreNamed) {
  const auto one = find({{2, 2}});
  ASSERT_FALSE(one);
  EXPECT_EQ(one.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(one.error().what, "there is no memory block 2");
  const auto several = find({{0, 0}, {40, 50}});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().what, "there are no memory blocks 40-50");
}

TEST_F(MemoryBlocksTest, NeedAKernelThatHasThem) {
  const auto blocks = find_memory_blocks(dir_.path() / "power", {{0, 0}}, 4096);
  ASSERT_FALSE(blocks);
  EXPECT_EQ(blocks.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(blocks.error().hint, HasSubstr("CONFIG_MEMORY_HOTPLUG"));
}

TEST_F(MemoryBlocksTest, OfAStrangeSizeAreRefused) {
  for (const char* size : {"", "x\n", "0\n", "1000\n", "7000000\n"}) {
    dir_.write("block_size_bytes", size);
    EXPECT_FALSE(find({{0, 0}})) << size;
  }
}

}  // namespace
}  // namespace pobpf
