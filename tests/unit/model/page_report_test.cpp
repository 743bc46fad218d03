// SPDX-License-Identifier: GPL-2.0-only
#include "model/page_report.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pobpf {
namespace {

constexpr std::uint64_t kLocked = 1;
constexpr std::uint64_t kHead = 1U << 6;
constexpr std::uint64_t kWorkingset = 1U << 9;
constexpr std::uint64_t kReserved = 1U << 11;
constexpr std::uint64_t kSlab = 1U << 12;
constexpr std::uint32_t kUnmapped = 0xffffffff;

const PageTypes kTopByte =
    make_page_types({{"PGTY_buddy", 0xf0}, {"PGTY_table", 0xf2}, {"PGTY_hugetlb", 0xf4}});
const PageTypes kMacros = make_page_types({});

class PageReportOf : public testing::Test {
 protected:
  PageReportOf() {
    facts_.page_flag_names = {{kLocked, "locked"},
                              {kHead, "head"},
                              {kWorkingset, "workingset"},
                              {kReserved, "reserved"},
                              {kSlab, "slab"}};
    raw_.pfn = raw_.compound_pfn = raw_.owner_head_pfn = 100;
    raw_.page.page_type = raw_.head.page_type = kUnmapped;
    raw_.owner.bits = POBPF_OWNER_PRESENT | POBPF_OWNER_SET | POBPF_OWNER_ALLOCATED;
    raw_.bits = POBPF_DUMP_ENTIRE_COUNT;
  }
  PageReport report(const PageTypes& types = kTopByte) {
    return make_page_report(raw_, facts_, types);
  }
  KernelFacts facts_;
  pobpf_page_dump raw_{};
};

TEST(PageTypes, TopByte) {
  EXPECT_EQ(kTopByte.name(0xf2000000), "table");
  EXPECT_EQ(kTopByte.name(0xf2000007), "table");
  EXPECT_EQ(kTopByte.name(0xf9000000), "unknown");
  EXPECT_EQ(kTopByte.name(kUnmapped), "");
  EXPECT_EQ(kTopByte.name(0), "");
  EXPECT_EQ(kTopByte.name(5), "");
}

TEST(PageTypes, ClearedBits) {
  EXPECT_EQ(kMacros.name(~0x80U), "buddy");
  EXPECT_EQ(kMacros.name(~0x200U), "table");
  EXPECT_EQ(kMacros.name(kUnmapped), "");
  EXPECT_EQ(kMacros.name(3), "");
  // v6.11: other bits over another base
  const PageTypes v611 = make_page_types({{"PG_buddy", 0x40000000}, {"PG_slab", 0x10000000}});
  EXPECT_EQ(v611.name(~0x40000000U), "buddy");
  EXPECT_EQ(v611.name(~0x10000000U), "slab");
  EXPECT_EQ(v611.name(kUnmapped), "");
}

TEST(PageTypes, SlabPagesAreToldByFlagOrType) {
  KernelFacts facts;
  facts.page_flag_names = {{kLocked, "locked"}, {kSlab, "slab"}};
  EXPECT_EQ(make_slab_test(kMacros, facts).flag, kSlab);
  EXPECT_EQ(make_slab_test(kMacros, facts).type_mask, 0U);
  const auto top = make_slab_test(make_page_types({{"PGTY_slab", 0xf5}}), KernelFacts());
  EXPECT_EQ(top.flag, 0U);
  EXPECT_EQ(0xf5000003 & top.type_mask, top.type_value);
  EXPECT_NE(kUnmapped & top.type_mask, top.type_value);
  const auto bits = make_slab_test(
      make_page_types({{"PG_buddy", 0x40000000}, {"PG_slab", 0x10000000}}), KernelFacts());
  EXPECT_EQ(~0x10000000U & bits.type_mask, bits.type_value);
  EXPECT_NE(kUnmapped & bits.type_mask, bits.type_value);
}

TEST_F(PageReportOf, StatesFollowReadPageOwner) {
  EXPECT_EQ(report().state, PageState::kAllocated);
  raw_.owner_head_pfn = 96;
  EXPECT_EQ(report().state, PageState::kTail);
  EXPECT_EQ(report().first_pfn, 96U);
  raw_.owner.bits = POBPF_OWNER_PRESENT | POBPF_OWNER_SET;
  EXPECT_EQ(report().state, PageState::kFreed);
  raw_.owner.bits = POBPF_OWNER_PRESENT;
  EXPECT_EQ(report().state, PageState::kUnowned);
  EXPECT_FALSE(report().has_owner);
  // the buddy allocator knows better than page_owner
  raw_.owner.bits = POBPF_OWNER_PRESENT | POBPF_OWNER_SET | POBPF_OWNER_ALLOCATED;
  raw_.bits |= POBPF_DUMP_BUDDY;
  raw_.buddy_pfn = 64;
  EXPECT_EQ(report().state, PageState::kFree);
  EXPECT_EQ(report().first_pfn, 64U);
  EXPECT_EQ(report().kind, "free");
}

TEST_F(PageReportOf, KindsByMapping) {
  EXPECT_EQ(report().kind, "kernel");
  raw_.head.mapping = 0x1001;
  EXPECT_EQ(report().kind, "anonymous");
  raw_.head.mapping = 0x1002;
  EXPECT_EQ(report().kind, "movable");
  raw_.head.mapping = 0x1003;
  EXPECT_EQ(report().kind, "ksm");
  raw_.head.mapping = 0x1000;
  EXPECT_EQ(report().kind, "kernel") << "an address that is not an inode's";
  raw_.bits |= POBPF_DUMP_INODE;
  EXPECT_EQ(report().kind, "file");
}

TEST_F(PageReportOf, HugetlbBeforeItWasAPageType) {
  raw_.bits |= POBPF_DUMP_HUGETLB;
  EXPECT_EQ(report().kind, "kernel") << "a single page has no second one that says so";
  raw_.bits |= POBPF_DUMP_TAIL;
  EXPECT_EQ(report().kind, "hugetlb");
  raw_.head.mapping = 0x1001;
  EXPECT_EQ(report().kind, "hugetlb");
}

TEST_F(PageReportOf, KindsByTypeAndFlags) {
  raw_.head.page_type = 0xf2000000;
  EXPECT_EQ(report().kind, "table");
  EXPECT_EQ(report().page_type, "table");
  raw_.head.page_type = kUnmapped;
  raw_.head.flags = kSlab;
  EXPECT_EQ(report().kind, "slab");
  raw_.head.flags = 0;
  raw_.page.flags = kReserved;
  EXPECT_EQ(report().kind, "reserved");
}

TEST_F(PageReportOf, MapcountOfASinglePage) {
  EXPECT_EQ(report().mapcount, 0);
  raw_.page.page_type = 2;
  EXPECT_EQ(report().mapcount, 3);
  raw_.page.page_type = 0xf2000000;
  EXPECT_EQ(report().mapcount, 0) << "a type is not a count";
}

TEST_F(PageReportOf, MappingsOfTheWholeCountForEachPage) {
  raw_.head.flags = kHead;
  raw_.entire_mapcount = 1;
  raw_.page.page_type = 0;
  EXPECT_TRUE(report().is_compound);
  EXPECT_EQ(report().entire_mapcount, 2);
  EXPECT_EQ(report().mapcount, 3);
  // without the flag there is no second page that holds the count
  raw_.head.flags = 0;
  EXPECT_EQ(report().mapcount, 1);
}

TEST_F(PageReportOf, BeforeFoliosCountedAFilesPagesCountTheMappingsOfTheWhole) {
  raw_.bits = POBPF_DUMP_INODE;
  raw_.head.flags = kHead;
  raw_.entire_mapcount = 0;
  raw_.page.page_type = 0;
  EXPECT_EQ(report(kMacros).mapcount, 1);
  raw_.bits = 0;
  raw_.head.mapping = 0x1001;
  EXPECT_EQ(report(kMacros).mapcount, 2);
  raw_.second_flags = kWorkingset;
  EXPECT_EQ(report(kMacros).mapcount, 1) << "PageDoubleMap()";
}

TEST_F(PageReportOf, IndexOfATailCountsFromTheHead) {
  raw_.head.index = 0x1000;
  raw_.compound_pfn = 96;
  raw_.bits |= POBPF_DUMP_TAIL;
  EXPECT_EQ(report().index, 0x1004U);
}

TEST_F(PageReportOf, CountsAndFlagsMayDifferBetweenTwoReadings) {
  pobpf_page_dump other = raw_;
  other.page.flags ^= kLocked;
  other.head.refcount++;
  other.page.page_type++;
  EXPECT_TRUE(is_same_page(raw_, other));
  other = raw_;
  other.owner.ts_nsec++;
  EXPECT_FALSE(is_same_page(raw_, other));
  other = raw_;
  other.owner.free_handle++;
  EXPECT_FALSE(is_same_page(raw_, other));
  other = raw_;
  other.head.mapping++;
  EXPECT_FALSE(is_same_page(raw_, other));
  other = raw_;
  other.owner_head.pid++;
  EXPECT_FALSE(is_same_page(raw_, other));
}

}  // namespace
}  // namespace pobpf
