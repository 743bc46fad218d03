// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/csv_field.h"
#include "format/page_formatter.h"
#include "kernel_facts_samples.h"

namespace pobpf {
namespace {

using samples::android_migrated;
using ::testing::HasSubstr;

class Csv : public ::testing::Test {
 protected:
  Csv() {
    context_.add_stack(7, {"post_alloc_hook+0x23c/0x254", "f+0x1/0x2 [m]"});
    context_.cgroups[1] = "/a/system.slice";
  }
  /// Without its line end.
  std::string line(const pobpf_page& page, pobpf_mode mode = POBPF_MODE_STACK,
                   CommStyle style = CommStyle::kRaw, PageFields fields = kAllPageFields) {
    std::string out;
    const auto formatter = make_csv_formatter(facts_, mode, style);
    formatter->set_fields(fields);
    EXPECT_TRUE(formatter->append(page, context_, out));
    EXPECT_TRUE(out.ends_with("\r\n"));
    return out.substr(0, out.size() - 2);
  }
  std::string header(pobpf_mode mode) {
    std::string out;
    make_csv_formatter(facts_, mode, CommStyle::kRaw)->append_header(out);
    return out;
  }
  KernelFacts facts_ = samples::android_6_12();
  samples::MadeUpContext context_;
};

TEST_F(Csv, HasAColumnForEachField) {
  EXPECT_EQ(header(POBPF_MODE_STACK),
            "pfn,order,nr_pages,handle,pid,tgid,comm,ts_nsec,free_ts_nsec,gfp_mask,gfp_flags,"
            "migratetype,pageblock,pageblock_migratetype,flags,page_flags,nid,zone,lastcpupid,"
            "section,kasantag,last_migrate_reason,slab_memcg,memcg_name,memcg_id,memcg_online,"
            "memcg_via_objcg,stack,free_handle,free_pid,free_tgid,free_stack,freed,memcg_path"
            "\r\n");
  EXPECT_EQ(line(android_migrated()),
            "2126387,0,1,7,1198,1194,ccci_mdinit,17918751965,0,1313864,"
            "GFP_NOFS|__GFP_COMP|__GFP_HARDWALL|__GFP_MOVABLE,Movable,4153,CMA,"
            "0x4020000000008224,referenced|lru|workingset|private,0,1,,,0,compaction,false,"
            "system.slice,1,true,false,post_alloc_hook+0x23c/0x254;f+0x1/0x2 [m],,,,,,"
            "/a/system.slice");
}

TEST_F(Csv, HasNoStackInHandleMode) {
  EXPECT_TRUE(
      header(POBPF_MODE_HANDLE)
          .ends_with(",memcg_via_objcg,free_handle,free_pid,free_tgid,freed,memcg_path\r\n"));
  EXPECT_TRUE(line(android_migrated(), POBPF_MODE_HANDLE)
                  .ends_with(",system.slice,1,true,false,,,,,/a/system.slice"));
}

TEST_F(Csv, TellsWhoFreedThePageBeforeOnlyIfThatIsKnown) {
  context_.add_stack(8, {"free_frozen_pages+0x1/0x2", "g+0x1/0x2"});
  context_.cgroups[1] = "/a";
  pobpf_page_detail detail{};
  detail.free_handle = 8;
  detail.free_pid = 31;
  detail.free_tgid = 30;
  detail.has_free_pid = 1;
  // behind the stack
  const auto end = [&](PageFields fields, pobpf_mode mode = POBPF_MODE_STACK) {
    const auto formatter = make_csv_formatter(facts_, mode, CommStyle::kRaw);
    formatter->set_fields(fields);
    std::string out;
    EXPECT_TRUE(formatter->append(android_migrated(), &detail, context_, out));
    const std::string before =
        mode == POBPF_MODE_HANDLE ? ",true,false," : ",post_alloc_hook+0x23c/0x254;f+0x1/0x2 [m],";
    return out.substr(out.find(before) + before.size());
  };
  const PageFields with_free_side = kAllPageFields | PageField::kFreeSide;
  EXPECT_EQ(end(with_free_side), "8,31,30,free_frozen_pages+0x1/0x2;g+0x1/0x2,,/a\r\n");
  EXPECT_EQ(end(with_free_side, POBPF_MODE_HANDLE), "8,31,30,,/a\r\n");
  EXPECT_EQ(end(kAllPageFields), ",,,,,/a\r\n");
  detail.has_free_pid = 0;
  EXPECT_EQ(end(with_free_side, POBPF_MODE_HANDLE), "8,,,,/a\r\n");
  detail = {};
  EXPECT_EQ(end(with_free_side), "0,,,,,/a\r\n");
}

TEST_F(Csv, ShowsNumbersThatHaveNoName) {
  pobpf_page page = android_migrated();
  page.pageblock_migratetype = 200;
  page.last_migrate_reason = 99;
  EXPECT_THAT(line(page), HasSubstr(",4153,unknown(200),"));
  EXPECT_THAT(line(page), HasSubstr(",unknown(99),"));
}

TEST_F(Csv, LeavesColumnsOfUnknownFieldsEmpty) {
  EXPECT_EQ(line(android_migrated(), POBPF_MODE_STACK, CommStyle::kRaw, 0), std::string(33, ','));
  EXPECT_EQ(line(android_migrated(), POBPF_MODE_STACK, CommStyle::kRaw,
                 PageFields{} | PageField::kTgid | PageField::kPfn),
            "2126387,,,,,1194,,,,,,,4153" + std::string(21, ','));
}

TEST_F(Csv, QuotesWhateverNamesHold) {
  pobpf_page page = android_migrated();
  samples::set_comm(page, "a,\"b\"\r\n");
  EXPECT_THAT(line(page), HasSubstr(",\"a,\"\"b\"\"\r\n\","));
  samples::set_comm(page, "\x1b[m\xff");
  EXPECT_THAT(line(page), HasSubstr(",\x1b[m\xff,"));
  EXPECT_THAT(line(page, POBPF_MODE_STACK, CommStyle::kEscaped), HasSubstr(",\\x1b[m\\xff,"));
}

TEST_F(Csv, IsPrintableOnATerminalWhateverNamesHold) {
  const std::string evil = "\x1b\x7f\xc2\x9b\xe2\x80\xae\n\"";
  pobpf_page page = android_migrated();
  samples::set_comm(page, evil);
  context_.cgroups[1] = evil;
  context_.add_stack(7, {evil});
  facts_.page_flag_names[1].name = evil;
  facts_.gfp_names[1].name = evil;
  facts_.migratetype_names[4] = evil;
  const std::string shown = line(page, POBPF_MODE_STACK, CommStyle::kEscaped);
  for (const char c : shown) ASSERT_TRUE(c >= ' ' && c <= '~') << shown;
}

TEST_F(Csv, AStackOrCgroupThatCannotBeReadIsEmpty) {
  pobpf_page page = android_migrated();
  page.handle = 99;
  page.cgroup_id = 98;
  std::string out;
  const auto formatter = make_csv_formatter(facts_, POBPF_MODE_STACK, CommStyle::kRaw);
  EXPECT_FALSE(formatter->append(page, context_, out));
  EXPECT_FALSE(formatter->append(page, context_, out));
  EXPECT_THAT(out, HasSubstr(",99,"));
  EXPECT_THAT(out, HasSubstr(",,98,true,false,,,,,,,\r\n"));
  EXPECT_TRUE(formatter->append(android_migrated(), context_, out));
}

TEST(CsvField, IsQuotedOnlyIfItMustBe) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"kworker/0:1 'x' [a]", "kworker/0:1 'x' [a]"},
      {"a,b", "\"a,b\""},
      {"\"", "\"\"\"\""},
      {"a\n", "\"a\n\""}};
  for (const auto& [text, field] : cases) {
    std::string out;
    append_csv_field(out, text);
    EXPECT_EQ(out, field);
  }
}

}  // namespace
}  // namespace pobpf
