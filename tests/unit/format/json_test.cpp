// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "documented_columns.h"
#include "format/page_columns.h"
#include "format/page_formatter.h"
#include "kernel_facts_samples.h"

namespace pobpf {
namespace {

using nlohmann::json;
using samples::android_6_12;
using samples::android_migrated;
using samples::MadeUpContext;
using samples::set_comm;
using ::testing::HasSubstr;

class JsonLines : public testing::Test {
 protected:
  JsonLines() {
    context_.add_stack(7, {"post_alloc_hook+0x23c/0x254", "f+0x1/0x2 [m]"});
    context_.cgroups[1] = "/a/system.slice";
  }
  json object(const pobpf_page& page, pobpf_mode mode = POBPF_MODE_STACK) {
    std::string out;
    EXPECT_TRUE(make_json_formatter(facts_, mode)->append(page, context_, out));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
    EXPECT_EQ(out.back(), '\n');
    return json::parse(out);
  }
  KernelFacts facts_ = android_6_12();
  MadeUpContext context_;
};

TEST_F(JsonLines, HoldsEveryFieldOfARecord) {
  const json expected = {
      {"pfn", 0x207233},
      {"order", 0},
      {"nr_pages", 1},
      {"handle", 7},
      {"pid", 1198},
      {"tgid", 1194},
      {"comm", "ccci_mdinit"},
      {"ts_nsec", 17918751965},
      {"free_ts_nsec", 0},
      {"gfp_mask", 0x140c48},
      {"gfp_flags", {"GFP_NOFS", "__GFP_COMP", "__GFP_HARDWALL", "__GFP_MOVABLE"}},
      {"migratetype", "Movable"},
      {"pageblock", 4153},
      {"pageblock_migratetype", "CMA"},
      {"flags", "0x4020000000008224"},
      {"page_flags", {"referenced", "lru", "workingset", "private"}},
      {"nid", 0},
      {"zone", 1},
      {"kasantag", 0},
      {"last_migrate_reason", "compaction"},
      {"slab_memcg", false},
      {"memcg",
       {{"name", "system.slice"},
        {"path", "/a/system.slice"},
        {"id", 1},
        {"online", true},
        {"via_objcg", false}}},
      {"stack",
       {{{"address", "0xffffffff81000000"}, {"symbol", "post_alloc_hook+0x23c/0x254"}},
        {{"address", "0xffffffff81000001"}, {"symbol", "f+0x1/0x2 [m]"}}}},
  };
  const json got = object(android_migrated());
  EXPECT_EQ(got, expected) << got.dump(1);
}

TEST(PageColumns, AreThoseOfTheDocument) {
  std::string lines = "| key | type | unit | meaning |\n| --- | --- | --- | --- |\n";
  for (const PageColumnInfo& column : kPageColumns)
    lines += fmt::format("| `{}` | {} | {} | {} |\n", column.key, column.json,
                         unit_name(column.unit), column.meaning);
  EXPECT_THAT(samples::document("json.md"), HasSubstr(lines + "\n"));
}

TEST_F(JsonLines, NoKeyComesTwiceWhateverFieldsAFileNames) {
  for (const char* name : {"pfn", "node", "node", "zone"})
    facts_.page_flag_fields.push_back({1, 0, 1, name, false});
  std::string out;
  ASSERT_TRUE(
      make_json_formatter(facts_, POBPF_MODE_HANDLE)->append(android_migrated(), context_, out));
  for (const char* key : {"\"pfn\":", "\"nid\":", "\"zone\":"})
    EXPECT_EQ(out.find(key), out.rfind(key)) << key << out;
  EXPECT_EQ(json::parse(out)["pfn"], 0x207233);
}

TEST_F(JsonLines, ANodeThatAFileCallsByItsKeyIsNotSaidTwice) {
  facts_.page_flag_fields = {{1, 0, 1, "nid", false}};
  std::string out;
  ASSERT_TRUE(
      make_json_formatter(facts_, POBPF_MODE_HANDLE)->append(android_migrated(), context_, out));
  EXPECT_EQ(out.find("\"nid\":"), out.rfind("\"nid\":")) << out;
}

TEST_F(JsonLines, LeavesTheStackOutInHandleMode) {
  EXPECT_FALSE(object(android_migrated(), POBPF_MODE_HANDLE).contains("stack"));
}

TEST_F(JsonLines, TellsWhoFreedThePageBeforeOnlyIfThatIsKnown) {
  context_.add_stack(8, {"free_frozen_pages+0x1/0x2"});
  pobpf_page_detail detail{};
  detail.free_handle = 8;
  detail.free_pid = 31;
  detail.free_tgid = 30;
  detail.has_free_pid = 1;
  const auto keys = [&](PageFields fields, pobpf_mode mode = POBPF_MODE_STACK) {
    const auto formatter = make_json_formatter(facts_, mode);
    formatter->set_fields(fields);
    std::string out;
    EXPECT_TRUE(formatter->append(android_migrated(), &detail, context_, out));
    const json all = json::parse(out);
    json freed = json::object();
    for (const auto& [key, value] : all.items())
      if (key.starts_with("free_") && key != "free_ts_nsec") freed[key] = value;
    return freed;
  };
  const PageFields with_free_side = kAllPageFields | PageField::kFreeSide;
  const json task = {{"free_handle", 8}, {"free_pid", 31}, {"free_tgid", 30}};
  json all = task;
  all["free_stack"] = {
      {{"address", "0xffffffff81000000"}, {"symbol", "free_frozen_pages+0x1/0x2"}}};
  EXPECT_EQ(keys(with_free_side), all);
  EXPECT_EQ(keys(with_free_side, POBPF_MODE_HANDLE), task);
  EXPECT_EQ(keys(kAllPageFields), json::object());
  // Linux 6.1 to 6.7
  detail.has_free_pid = 0;
  EXPECT_EQ(keys(with_free_side, POBPF_MODE_HANDLE), json({{"free_handle", 8}}));
  detail = {};
  EXPECT_EQ(keys(with_free_side), json({{"free_handle", 0}}));
  detail.free_handle = 99;
  std::string out;
  const auto formatter = make_json_formatter(facts_, POBPF_MODE_STACK);
  formatter->set_fields(with_free_side);
  EXPECT_FALSE(formatter->append(android_migrated(), &detail, context_, out));
  EXPECT_EQ(json::parse(out).at("free_stack"), nullptr);
  EXPECT_TRUE(json::parse(out).at("stack").is_array());
}

TEST_F(JsonLines, AnUnknownCgroupIsNotNull) {
  pobpf_page page = android_migrated();
  page.memcg_flags = POBPF_MEMCG_UNKNOWN;
  EXPECT_EQ(object(page)["memcg"], json({{"name", nullptr}}));
}

TEST_F(JsonLines, HasNullsForWhatIsNot) {
  pobpf_page page = android_migrated();
  page.last_migrate_reason = -1;
  page.memcg_flags = POBPF_MEMCG_SLAB;
  page.gfp_mask = 0;
  page.pageblock_migratetype = 200;
  const json got = object(page);
  EXPECT_TRUE(got["last_migrate_reason"].is_null());
  EXPECT_TRUE(got["memcg"].is_null());
  EXPECT_TRUE(got["pageblock_migratetype"].is_null());
  EXPECT_EQ(got["slab_memcg"], true);
  EXPECT_EQ(got["gfp_flags"], json::array());
}

TEST_F(JsonLines, ParsesBackWhateverTheTaskIsCalled) {
  pobpf_page page = android_migrated();
  set_comm(page, "a\n\"\\\x1b\x01");
  EXPECT_EQ(object(page)["comm"], "a\n\"\\\x1b\x01");
  EXPECT_FALSE(object(page).contains("comm_hex"));
  set_comm(page, "caf\xe9");
  EXPECT_EQ(object(page)["comm"], "caf\xef\xbf\xbd");
  EXPECT_EQ(object(page)["comm_hex"], "636166e9");
}

TEST_F(JsonLines, ParsesBackWhateverCgroupsAndSymbolsAreCalled) {
  context_.cgroups[1] = "x\xff\n";
  context_.add_stack(7, {"f\xfe+0x1/0x2"});
  const json got = object(android_migrated());
  EXPECT_EQ(got["memcg"]["name"], "x\xef\xbf\xbd\n");
  EXPECT_EQ(got["stack"][0]["symbol"], "f\xef\xbf\xbd+0x1/0x2");
}

TEST_F(JsonLines, HoldsOnlyPrintableAsciiWhateverNamesHold) {
  // DEL, CSI as one character (C1), and a right-to-left override
  const std::string evil = "\x7f\xc2\x9b\xe2\x80\xae";
  pobpf_page page = android_migrated();
  set_comm(page, evil);
  context_.cgroups[1] = evil;
  context_.add_stack(7, {evil});
  std::string out;
  ASSERT_TRUE(make_json_formatter(facts_, POBPF_MODE_STACK)->append(page, context_, out));
  for (const char c : out.substr(0, out.size() - 1)) ASSERT_TRUE(c >= ' ' && c <= '~') << out;
  const json got = json::parse(out);
  EXPECT_EQ(got["comm"], evil);
  EXPECT_EQ(got["memcg"]["name"], evil);
  EXPECT_EQ(got["stack"][0]["symbol"], evil);
}

TEST_F(JsonLines, ShowsEachStackOfAnOutputThatHoldsMany) {
  context_.add_stack(8, {"g+0x3/0x4"});
  const auto formatter = make_json_formatter(facts_, POBPF_MODE_STACK);
  pobpf_page page = android_migrated();
  for (const auto& [handle, symbol] :
       {std::pair(7U, "post_alloc_hook+0x23c/0x254"), std::pair(8U, "g+0x3/0x4"),
        std::pair(7U, "post_alloc_hook+0x23c/0x254")}) {
    page.handle = handle;
    std::string out;
    ASSERT_TRUE(formatter->append(page, context_, out));
    EXPECT_EQ(json::parse(out)["stack"][0]["symbol"], symbol);
  }
}

TEST_F(JsonLines, AStackOrCgroupThatCannotBeReadIsNull) {
  std::string out;
  pobpf_page page = android_migrated();
  page.handle = 99;
  page.cgroup_id = 98;
  const auto formatter = make_json_formatter(facts_, POBPF_MODE_STACK);
  EXPECT_FALSE(formatter->append(page, context_, out));
  const json read = json::parse(out);
  EXPECT_EQ(read.at("handle"), 99);
  EXPECT_EQ(read.at("stack"), nullptr);
  EXPECT_EQ(read.at("memcg").at("name"), nullptr);
  EXPECT_EQ(read.at("memcg").at("path"), nullptr);
  EXPECT_EQ(read.at("memcg").at("id"), 98);
  EXPECT_TRUE(formatter->append(android_migrated(), context_, out));
}

}  // namespace
}  // namespace pobpf
