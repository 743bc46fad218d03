// SPDX-License-Identifier: GPL-2.0-only
#include "model/blocker_kind.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

constexpr std::uint64_t kLruBit = 1U << 5;
constexpr std::uint64_t kReservedBit = 1U << 6;
constexpr std::uint64_t kSlabBit = 1U << 7;
constexpr std::uint64_t kMlockedBit = 1U << 8;

class BlockerKindTest : public ::testing::Test {
 protected:
  void SetUp() override {
    facts_.page_flag_names = {
        {kLruBit, "lru"}, {kReservedBit, "reserved"}, {kSlabBit, "slab"}, {kMlockedBit, "mlocked"}};
    types_ = make_page_types({{"PGTY_table", 0xf2},
                              {"PGTY_hugetlb", 0xf4},
                              {"PGTY_slab", 0xf5},
                              {"PGTY_zsmalloc", 0xf6},
                              {"PGTY_offline", 0xf1},
                              {"PGTY_large_kmalloc", 0xf8}});
  }
  pobpf_blocker_kind kind(std::uint64_t flags, const pobpf_page_detail& detail = {},
                          std::uint8_t pageblock_migratetype = 0) {
    pobpf_page page{};
    page.flags = flags;
    page.pageblock_migratetype = pageblock_migratetype;
    return BlockerKinds(facts_, types_).of(page, &detail);
  }
  static pobpf_page_detail type(std::uint32_t value) {
    pobpf_page_detail detail{};
    detail.page_type = value << 24;
    return detail;
  }
  static pobpf_page_detail mapped(pobpf_mapping mapping) {
    pobpf_page_detail detail{};
    detail.mapping = static_cast<__u8>(mapping);
    return detail;
  }

  KernelFacts facts_;
  PageTypes types_;
};

TEST_F(BlockerKindTest, IsToldByFlagsTypesAndMappings) {
  EXPECT_EQ(kind(0), POBPF_BLOCKER_UNMOVABLE);
  EXPECT_EQ(kind(0, {}, 1), POBPF_BLOCKER_MIXED);
  EXPECT_EQ(kind(kReservedBit | kLruBit), POBPF_BLOCKER_RESERVED);
  EXPECT_EQ(kind(kSlabBit), POBPF_BLOCKER_SLAB);
  EXPECT_EQ(kind(kSlabBit, {}, 1), POBPF_BLOCKER_SLAB);
  EXPECT_EQ(kind(0, type(0xf5)), POBPF_BLOCKER_SLAB);
  EXPECT_EQ(kind(0, type(0xf8)), POBPF_BLOCKER_SLAB);
  EXPECT_EQ(kind(0, type(0xf2)), POBPF_BLOCKER_PAGE_TABLE);
  EXPECT_EQ(kind(0, type(0xf4)), POBPF_BLOCKER_HUGETLB);
  EXPECT_EQ(kind(0, type(0xf1)), POBPF_BLOCKER_UNMOVABLE);
  EXPECT_EQ(kind(0, type(0xf6)), POBPF_MOVABLE);
  EXPECT_EQ(kind(kLruBit), POBPF_MOVABLE);
  for (const auto mapping : {POBPF_MAPPING_ANON, POBPF_MAPPING_KSM, POBPF_MAPPING_FILE}) {
    EXPECT_EQ(kind(0, mapped(mapping)), POBPF_MOVABLE);
    EXPECT_EQ(kind(kMlockedBit, mapped(mapping)), POBPF_BLOCKER_MLOCKED);
  }
  EXPECT_EQ(kind(0, mapped(POBPF_MAPPING_MOVABLE)), POBPF_MOVABLE);
}

TEST_F(BlockerKindTest, OfTheHeadCountsForItsTails) {
  pobpf_page_detail detail{};
  detail.kind_flags = kReservedBit;
  EXPECT_EQ(kind(0, detail), POBPF_BLOCKER_RESERVED);
}

TEST_F(BlockerKindTest, WithoutDetailsTheLruTellsWhatCanBeMoved) {
  pobpf_page page{};
  const BlockerKinds kinds(facts_, types_);
  EXPECT_EQ(kinds.of(page, nullptr), POBPF_BLOCKER_UNMOVABLE);
  page.flags = kLruBit;
  EXPECT_EQ(kinds.of(page, nullptr), POBPF_MOVABLE);
}

TEST(TypeTest, FitsWordsOfThatTypeOnly) {
  const auto fits = [](const pobpf_type_test& test, std::uint32_t word) {
    return (word & test.mask) == test.value;
  };
  const PageTypes top = make_page_types({{"PGTY_slab", 0xf5}, {"PGTY_table", 0xf2}});
  EXPECT_TRUE(fits(top.test_for("slab"), 0xf5000123));
  EXPECT_FALSE(fits(top.test_for("slab"), 0xf2000123));
  const PageTypes bits = make_page_types({});
  EXPECT_TRUE(fits(bits.test_for("table"), ~0x200U));
  EXPECT_FALSE(fits(bits.test_for("table"), ~0x80U));
  EXPECT_FALSE(fits(bits.test_for("table"), UINT32_MAX));
  for (const std::uint32_t word : {0U, 1U, UINT32_MAX, 0xf5000000U})
    EXPECT_FALSE(fits(bits.test_for("slab"), word)) << "there is no such type";
}

}  // namespace
}  // namespace pobpf
