// SPDX-License-Identifier: GPL-2.0-only
// Records that real kernels printed, made again from their values.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/page_formatter.h"
#include "kernel_facts_samples.h"

namespace pobpf {
namespace {

using samples::android_6_12;
using samples::android_migrated;
using samples::MadeUpContext;
using samples::set_comm;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class KernelText : public testing::Test {
 protected:
  KernelText() {
    context_.add_stack(7, {"post_alloc_hook+0x23c/0x254", "prep_new_page+0x28/0x148"});
    context_.cgroups[1] = "/";
  }
  std::string text(const pobpf_page& page, pobpf_mode mode = POBPF_MODE_STACK,
                   CommStyle style = CommStyle::kRaw) {
    std::string out;
    const auto formatter = make_kernel_text_formatter(facts_, mode, style).value();
    const auto status = formatter->append(page, context_, out);
    EXPECT_TRUE(status) << status.error().what;
    return out;
  }
  KernelFacts facts_ = android_6_12();
  MadeUpContext context_;
};

// Source of both: lkml <20250725050810.1164957-1-akash.tyagi@mediatek.com>, Android 6.12 on arm64.
TEST_F(KernelText, IsThatOfARealMigratedAndChargedRecord) {
  EXPECT_EQ(text(android_migrated()),
            "Page allocated via order 0, mask 0x140c48(GFP_NOFS|__GFP_COMP|__GFP_HARDWALL|"
            "__GFP_MOVABLE), pid 1198, tgid 1194 (ccci_mdinit), ts 17918751965 ns\n"
            "PFN 0x207233 type Movable Block 4153 type CMA Flags 0x4020000000008224(referenced|lru|"
            "workingset|private|zone=1|kasantag=0x0)\n"
            " post_alloc_hook+0x23c/0x254\n"
            " prep_new_page+0x28/0x148\n"
            "Page has been migrated, last migrate reason: compaction\n"
            "Charged to memcg /\n"
            "\n");
}

TEST_F(KernelText, IsThatOfARealHighOrderRecord) {
  pobpf_page page{};
  page.order = 9;
  page.gfp_mask = 0x52dc0;
  page.pid = page.tgid = 1;
  set_comm(page, "swapper/0");
  page.ts_nsec = 1065952310;
  page.pfn = 0x23d200;
  page.pageblock_migratetype = 4;
  page.flags = 0x4000000000000040;
  page.handle = 7;
  page.last_migrate_reason = -1;
  EXPECT_EQ(text(page),
            "Page allocated via order 9, mask 0x52dc0(GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY|"
            "__GFP_COMP|__GFP_ZERO), pid 1, tgid 1 (swapper/0), ts 1065952310 ns\n"
            "PFN 0x23d200 type Unmovable Block 4585 type CMA Flags 0x4000000000000040(head|zone=1|"
            "kasantag=0x0)\n"
            " post_alloc_hook+0x23c/0x254\n"
            " prep_new_page+0x28/0x148\n"
            "\n");
}

TEST_F(KernelText, BeforeV68HasADecimalPfnAndFreeTs) {
  facts_.text_layout = {.is_pfn_decimal = true, .shows_free_ts = true};
  pobpf_page page = android_migrated();
  page.free_ts_nsec = 17;
  EXPECT_THAT(text(page), HasSubstr(", ts 17918751965 ns, free_ts 17 ns\nPFN 2126387 type "));
}

/// Distributions have the one without the other.
TEST_F(KernelText, TheLookOfThePfnSaysNothingOfFreeTs) {
  pobpf_page page = android_migrated();
  page.free_ts_nsec = 17;
  facts_.text_layout = {.is_pfn_decimal = true, .shows_free_ts = false};
  EXPECT_THAT(text(page), HasSubstr(", ts 17918751965 ns\nPFN 2126387 type "));
  facts_.text_layout = {.is_pfn_decimal = false, .shows_free_ts = true};
  EXPECT_THAT(text(page), HasSubstr(", ts 17918751965 ns, free_ts 17 ns\nPFN 0x207233 type "));
}

TEST_F(KernelText, IsRefusedWhereItIsNotKnown) {
  facts_.text_layout.reset();
  const auto made = make_kernel_text_formatter(facts_, POBPF_MODE_STACK, CommStyle::kRaw);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(made.error().what, HasSubstr("how the kernel prints records is not known"));
}

TEST_F(KernelText, BeforeV518HasNoLinesOfCgroups) {
  facts_.text_layout->omits_charges = true;
  pobpf_page page = android_migrated();
  page.memcg_flags |= POBPF_MEMCG_SLAB;
  EXPECT_THAT(text(page), EndsWith("last migrate reason: compaction\n\n"));
}

// Source: v5.15, mm/page_owner.c: print_page_owner()
TEST_F(KernelText, OfV515HasThePidAlone) {
  facts_.text_layout = {.is_pfn_decimal = true, .shows_free_ts = true, .omits_charges = true};
  pobpf_page page = android_migrated();
  page.free_ts_nsec = 17;
  const auto formatter =
      make_kernel_text_formatter(facts_, POBPF_MODE_STACK, CommStyle::kRaw).value();
  formatter->set_fields(kAllPageFields & ~(PageField::kTgid | PageField::kComm));
  std::string out;
  ASSERT_TRUE(formatter->append(page, context_, out));
  EXPECT_THAT(out, HasSubstr("__GFP_MOVABLE), pid 1198, ts 17918751965 ns, free_ts 17 ns\n"
                             "PFN 2126387 type Movable Block 4153 type CMA Flags 0x4020"));
  EXPECT_THAT(out, EndsWith("last migrate reason: compaction\n\n"));
}

TEST_F(KernelText, ShowsTheHandleInsteadOfTheStackOrAfterIt) {
  EXPECT_THAT(text(android_migrated(), POBPF_MODE_HANDLE),
              HasSubstr("kasantag=0x0)\nhandle: 7\nPage has been migrated"));
  EXPECT_THAT(text(android_migrated(), POBPF_MODE_STACK_HANDLE),
              HasSubstr(" prep_new_page+0x28/0x148\nhandle: 7\nPage has been migrated"));
}

TEST_F(KernelText, ShowsAMaskOfZeroAsTheKernelDoes) {
  pobpf_page page = android_migrated();
  page.gfp_mask = 0;
  EXPECT_THAT(text(page), HasSubstr("mask 0x0(), pid"));
}

TEST_F(KernelText, ShowsAllKindsOfMemcgLines) {
  pobpf_page page = android_migrated();
  page.memcg_flags = POBPF_MEMCG_SLAB;
  EXPECT_THAT(text(page), EndsWith("\nSlab cache page\n\n"));
  page.memcg_flags = POBPF_MEMCG_CHARGED | POBPF_MEMCG_OBJCG;
  EXPECT_THAT(text(page), EndsWith("\nCharged (via objcg) to memcg /\n\n"));
  page.memcg_flags = POBPF_MEMCG_CHARGED | POBPF_MEMCG_OBJCG | POBPF_MEMCG_OFFLINE;
  EXPECT_THAT(text(page), EndsWith("\nCharged (via objcg) to offline memcg /\n\n"));
  page.memcg_flags = POBPF_MEMCG_UNKNOWN;
  EXPECT_THAT(text(page), EndsWith("\nCharged to memcg (unknown)\n\n"));
}

TEST_F(KernelText, KnowsNeverByTheKernelsOwnNumber) {
  facts_.migrate_reason_never = 0;
  EXPECT_EQ(text(android_migrated()).find("migrated"), std::string::npos);
}

TEST_F(KernelText, NamesNothingThatIsBeyondATable) {
  pobpf_page page = android_migrated();
  page.pageblock_migratetype = 200;
  page.last_migrate_reason = 99;
  EXPECT_THAT(text(page), HasSubstr(" type unknown(200) Flags"));
  EXPECT_THAT(text(page), HasSubstr("reason: unknown(99)\n"));
  page.last_migrate_reason = -5;
  EXPECT_THAT(text(page), HasSubstr("reason: unknown(-5)\n"));
}

TEST_F(KernelText, TakesATaskNameWithoutANulWhole) {
  pobpf_page page = android_migrated();
  set_comm(page, "0123456789abcdefgh");
  EXPECT_THAT(text(page), HasSubstr(" (0123456789abcdef), ts"));
}

TEST_F(KernelText, PrintsTaskNamesRawOrSafe) {
  pobpf_page page = android_migrated();
  set_comm(page, "a\x1b[31m\nb");
  EXPECT_THAT(text(page), HasSubstr("(a\x1b[31m\nb)"));
  EXPECT_THAT(text(page, POBPF_MODE_STACK, CommStyle::kEscaped), HasSubstr("(a\\x1b[31m\\x0ab)"));
}

TEST_F(KernelText, EscapesCgroupsAndSymbolsToo) {
  context_.cgroups[1] = "evil\x1b]0;";
  context_.add_stack(7, {"f+0x1/0x2 [m\x07]"});
  const std::string safe = text(android_migrated(), POBPF_MODE_STACK, CommStyle::kEscaped);
  EXPECT_EQ(safe.find('\x1b'), std::string::npos);
  EXPECT_THAT(safe, HasSubstr(" f+0x1/0x2 [m\\x07]\n"));
}

TEST_F(KernelText, NamesWhatOfARecordCannotBeRead) {
  for (const pobpf_mode mode : {POBPF_MODE_STACK, POBPF_MODE_STACK_HANDLE}) {
    std::string out;
    const auto formatter = make_kernel_text_formatter(facts_, mode, CommStyle::kRaw).value();
    pobpf_page page = android_migrated();
    page.handle = 99;
    // each record that lacks something counts
    EXPECT_FALSE(formatter->append(page, context_, out));
    EXPECT_FALSE(formatter->append(page, context_, out));
    EXPECT_THAT(out, HasSubstr(")\nhandle: 99\nPage has been migrated"));
    out.clear();
    page.handle = 7;
    page.cgroup_id = 98;
    EXPECT_FALSE(formatter->append(page, context_, out));
    EXPECT_THAT(out, HasSubstr("to memcg unknown(98)\n\n"));
  }
}

// The formatter keeps texts of the last record: none may outlive what it was made of.
TEST_F(KernelText, DoesNotDependOnTheRecordBefore) {
  using Change = void (*)(pobpf_page&);
  const Change changes[] = {
      [](pobpf_page& page) { page.order = 3; },
      [](pobpf_page& page) { page.last_migrate_reason = 1; },
      [](pobpf_page& page) { page.pageblock_migratetype = 1; },
      [](pobpf_page& page) { page.memcg_flags = POBPF_MEMCG_SLAB; },
      [](pobpf_page& page) { page.pfn += 1; },
      [](pobpf_page& page) { page.pfn += 512; },
      [](pobpf_page& page) { page.flags = 0; },
      [](pobpf_page& page) { page.ts_nsec = 1; },
      [](pobpf_page& page) { page.free_ts_nsec = 1; },
      [](pobpf_page& page) { page.cgroup_id = 2; },
      [](pobpf_page& page) { page.gfp_mask = 0xcc0; },
      [](pobpf_page& page) { page.handle = 8; },
      [](pobpf_page& page) { page.pid = 1; },
      [](pobpf_page& page) { page.tgid = 1; },
      [](pobpf_page& page) { set_comm(page, "swapper/0"); },
  };
  context_.cgroups[2] = "system.slice";
  context_.add_stack(8, {"g+0x3/0x4"});
  facts_.text_layout = {.is_pfn_decimal = true, .shows_free_ts = true};
  const pobpf_page before = android_migrated();
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    SCOPED_TRACE(i);
    pobpf_page page = before;
    changes[i](page);
    std::string out;
    const auto formatter =
        make_kernel_text_formatter(facts_, POBPF_MODE_STACK, CommStyle::kRaw).value();
    for (const pobpf_page& next : {before, page, before})
      ASSERT_TRUE(formatter->append(next, context_, out));
    EXPECT_NE(text(page), text(before));
    EXPECT_EQ(out, text(before) + text(page) + text(before));
  }
}

TEST_F(KernelText, IsRightAgainAfterARecordThatLacksItsStack) {
  std::string out;
  const auto formatter =
      make_kernel_text_formatter(facts_, POBPF_MODE_STACK, CommStyle::kRaw).value();
  pobpf_page page = android_migrated();
  ASSERT_TRUE(formatter->append(page, context_, out));
  page.handle = 99;
  std::string unknown;
  EXPECT_FALSE(formatter->append(page, context_, unknown));
  EXPECT_FALSE(formatter->append(page, context_, unknown));
  EXPECT_TRUE(formatter->append(android_migrated(), context_, out));
  EXPECT_EQ(out, text(android_migrated()) + text(android_migrated()));
}

TEST_F(KernelText, StaysRightWhileItsCachesTurnOver) {
  const auto formatter =
      make_kernel_text_formatter(facts_, POBPF_MODE_HANDLE, CommStyle::kRaw).value();
  pobpf_page page = android_migrated();
  for (std::uint64_t word = 0; word < 20'000; ++word) {
    page.flags = word << 20;
    std::string out;
    ASSERT_TRUE(formatter->append(page, context_, out));
    ASSERT_THAT(out, HasSubstr(word == 0 ? std::string("Flags 0x0(zone=0|")
                                         : fmt::format("Flags {:#x}(zone=", page.flags)));
  }
}

}  // namespace
}  // namespace pobpf
