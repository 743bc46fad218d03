// SPDX-License-Identifier: GPL-2.0-only
#include "reader/text_facts.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

KernelFacts kernel_with_texts() {
  KernelFacts facts;
  facts.gfp_names = {{0xcc0, "GFP_KERNEL"}, {0x40, "__GFP_IO"}};
  facts.page_flag_names = {{1, "locked"}, {0x200, "workingset"}};
  facts.page_flag_fields = {
      {0, 0, 0, "section"}, {10, 54, 0x3ff, "node"}, {21, 31, 0x1fffff, "lastcpupid", true}};
  facts.migratetype_names = {"Unmovable", "Movable"};
  facts.migrate_reason_names = {"compaction", ""};
  facts.migrate_reason_never = 7;
  facts.text_layout = {.is_pfn_decimal = true, .shows_free_ts = false, .omits_charges = true};
  return facts;
}

TEST(TextFacts, HoldWhatTheKernelHas) {
  const auto text = make_text_facts(kernel_with_texts());
  ASSERT_TRUE(text);
  EXPECT_EQ(text->nr_gfp_names, 2U);
  EXPECT_STREQ(text->gfp_names[0].name, "GFP_KERNEL");
  EXPECT_EQ(text->gfp_names[0].mask, 0xcc0U);
  EXPECT_EQ(text->nr_page_flag_names, 2U);
  EXPECT_EQ(text->named_page_flags, 0x201U);
  EXPECT_STREQ(text->migratetype_names[1], "Movable");
  EXPECT_STREQ(text->migrate_reason_names[0], "compaction");
  EXPECT_STREQ(text->migrate_reason_names[1], "");
  EXPECT_EQ(text->migrate_reason_never, 7);
  EXPECT_EQ(text->is_pfn_decimal, 1U);
  EXPECT_EQ(text->shows_free_ts, 0U);
  EXPECT_EQ(text->omits_charges, 1U);
}

TEST(TextFacts, FieldsThatTheKernelLacksAreLeftOut) {
  const auto text = make_text_facts(kernel_with_texts());
  ASSERT_TRUE(text);
  ASSERT_EQ(text->nr_page_flag_fields, 2U);
  EXPECT_STREQ(text->page_flag_fields[0].name, "node");
  EXPECT_EQ(text->page_flag_fields[0].is_hex, 0U);
  EXPECT_STREQ(text->page_flag_fields[1].name, "lastcpupid");
  EXPECT_EQ(text->page_flag_fields[1].is_hex, 1U);
}

TEST(TextFacts, LeaveRoomForOneRecordOfSixteenFrames) {
  const auto text = make_text_facts(kernel_with_texts());
  ASSERT_TRUE(text);
  constexpr std::uint32_t kSeqFileBytes = 32768;
  constexpr std::uint32_t kPageOwnerStackDepth = 16;
  EXPECT_LT(text->record_bytes_max + kPageOwnerStackDepth * text->frame_bytes_max,
            kSeqFileBytes / 2);
}

TEST(TextFacts, RefuseWhatDoesNotFit) {
  auto facts = kernel_with_texts();
  facts.gfp_names[1].name = std::string(POBPF_FLAG_NAME_BYTES, 'x');
  EXPECT_EQ(make_text_facts(facts).error().kind, ErrorKind::kUnsupported);
  facts = kernel_with_texts();
  facts.page_flag_names.resize(POBPF_FLAG_ROWS + 1);
  EXPECT_EQ(make_text_facts(facts).error().kind, ErrorKind::kUnsupported);
  facts = kernel_with_texts();
  facts.migrate_reason_names.resize(POBPF_REASON_ROWS + 1);
  EXPECT_EQ(make_text_facts(facts).error().kind, ErrorKind::kUnsupported);
}

TEST(TextFacts, RefuseAKernelThatPrintsInAWayThatIsNotKnown) {
  auto facts = kernel_with_texts();
  facts.text_layout.reset();
  EXPECT_EQ(make_text_facts(facts).error().kind, ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace pobpf
