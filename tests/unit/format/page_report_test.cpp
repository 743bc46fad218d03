// SPDX-License-Identifier: GPL-2.0-only
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "format/page_report_formatter.h"
#include "kernel_facts_samples.h"

namespace pobpf {
namespace {

using nlohmann::json;
using samples::MadeUpContext;
using testing::HasSubstr;
using testing::Not;

template <std::size_t kBytes>
void set(char (&to)[kBytes], const char* text) {
  std::snprintf(to, kBytes, "%s", text);
}

class PageReportText : public testing::Test {
 protected:
  PageReportText() {
    context_.add_stack(7, {"post_alloc_hook+0x23c/0x254", "f+0x1/0x2 [m]"});
    context_.add_stack(8, {"free_pages\x1b[31m+0x1/0x2"});
    context_.cgroups[1] = "/a/system.slice";
    names_.types =
        make_page_types({{"PGTY_buddy", 0xf0}, {"PGTY_table", 0xf2}, {"PGTY_slab", 0xf5}});
    names_.zones = {"DMA32", "Normal"};
    // an anonymous page, once freed, charged
    pobpf_page_dump& raw = dump_.raw;
    raw.pfn = raw.compound_pfn = raw.owner_head_pfn = 0x207233;
    raw.page.flags = 0x4000000000000024;
    raw.page.mapping = 0xffff888000000001;
    raw.page.index = 0x7f0001234;
    raw.page.page_type = 1;
    raw.page.refcount = 3;
    raw.head = raw.page;
    raw.pageblock_migratetype = 1;
    raw.memcg_flags = POBPF_MEMCG_CHARGED;
    raw.cgroup_id = 1;
    raw.owner.bits =
        POBPF_OWNER_PRESENT | POBPF_OWNER_SET | POBPF_OWNER_ALLOCATED | POBPF_OWNER_FREE_PID;
    raw.owner.gfp_mask = 0x140c48;
    raw.owner.handle = 7;
    raw.owner.ts_nsec = 17918751965;
    raw.owner.pid = 1198;
    raw.owner.tgid = 1194;
    raw.owner.free_handle = 8;
    raw.owner.free_pid = 22;
    raw.owner.free_tgid = 21;
    raw.owner.free_ts_nsec = 1000000001;
    raw.owner.last_migrate_reason = -1;
    std::snprintf(reinterpret_cast<char*>(raw.owner.comm), sizeof(raw.owner.comm), "a\nb");
    dump_.now_ns = 20918751965;
  }

  std::string text() {
    std::string out;
    status_ = append_page_report(out, dump_, {facts_, names_, context_});
    EXPECT_TRUE(out.ends_with("\n\n"));
    return out;
  }
  json object() {
    std::string out;
    status_ = append_page_report_json(out, dump_, {facts_, names_, context_});
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
    return json::parse(out);
  }

  KernelFacts facts_ = samples::android_6_12();
  PageNames names_;
  MadeUpContext context_;
  PageDump dump_;
  Status status_;
};

TEST_F(PageReportText, ShowsBothSidesOfThePage) {
  EXPECT_EQ(text(),
            "PFN 0x207233 (2126387), physical address 0x207233000\n"
            "  state:          allocated\n"
            "  kind:           anonymous\n"
            "  zone:           Normal, node 0\n"
            "  pageblock:      4153, Movable\n"
            "  flags:          0x4000000000000024(referenced|lru|zone=1|kasantag=0x0)\n"
            "  refcount:       3\n"
            "  mapcount:       2\n"
            "  index:          0x7f0001234\n"
            "  memcg:          /a/system.slice (id 1)\n"
            "  allocated:      order 0, 1 page\n"
            "    gfp:          0x140c48(GFP_NOFS|__GFP_COMP|__GFP_HARDWALL|__GFP_MOVABLE), "
            "migratetype Movable\n"
            "    by:           pid 1198, tgid 1194 (a\\x0ab)\n"
            "    at:           17.918751965 s, 3.000000000 s ago\n"
            "    stack:        handle 7\n"
            "      post_alloc_hook+0x23c/0x254\n"
            "      f+0x1/0x2 [m]\n"
            "  freed before:\n"
            "    by:           pid 22, tgid 21\n"
            "    at:           1.000000001 s, 19.918751964 s ago\n"
            "    stack:        handle 8\n"
            "      free_pages\\x1b[31m+0x1/0x2\n"
            "\n");
  EXPECT_TRUE(status_);
}

TEST_F(PageReportText, AFreePageTellsItsLastOwner) {
  dump_.raw.bits = POBPF_DUMP_BUDDY;
  dump_.raw.buddy_pfn = 0x207200;
  dump_.raw.buddy_order = 6;
  dump_.raw.owner.bits &= ~static_cast<__u32>(POBPF_OWNER_ALLOCATED);
  const std::string out = text();
  EXPECT_THAT(out, HasSubstr("free, in the buddy lists: block of order 6 at PFN 0x207200"));
  EXPECT_THAT(out, HasSubstr("\n  last allocated: order 0"));
  EXPECT_THAT(out, HasSubstr("\n  freed:\n"));
}

TEST_F(PageReportText, KernelsThatDoNotRecordWhoFreedSaySo) {
  dump_.raw.owner.bits &= ~static_cast<__u32>(POBPF_OWNER_FREE_PID);
  EXPECT_THAT(text(), HasSubstr("not recorded by this kernel"));
  EXPECT_TRUE(object()["free"]["pid"].is_null());
}

TEST_F(PageReportText, ATailTellsItsHeadsOwner) {
  pobpf_page_dump& raw = dump_.raw;
  raw.owner.order = 9;
  raw.owner_head_pfn = 0x207200;
  raw.owner_head = raw.owner;
  EXPECT_THAT(text(), HasSubstr("tail: page 51 of the allocation at PFN 0x207200"));
  EXPECT_THAT(text(), HasSubstr("PFN 0x207200, the same allocation"));
  EXPECT_EQ(object()["head_allocation"]["tgid"], 1194);
  raw.owner_head.tgid = raw.owner_head.pid = 5;
  EXPECT_THAT(text(), HasSubstr("pid 5, tgid 5"));
  raw.owner_head.bits = POBPF_OWNER_PRESENT | POBPF_OWNER_SET;
  EXPECT_THAT(text(), HasSubstr("PFN 0x207200 is not allocated (any more)"));
  EXPECT_TRUE(object()["head_allocation"].is_null());
}

TEST_F(PageReportText, WhatThisKernelDoesNotRecordIsAbsent) {
  dump_.live_fields &= ~(PageField::kComm | PageField::kTgid);
  EXPECT_THAT(text(), HasSubstr("by:           pid 1198\n"));
  const json allocation = object()["allocation"];
  EXPECT_EQ(allocation["pid"], 1198);
  EXPECT_FALSE(allocation.contains("tgid"));
  EXPECT_FALSE(allocation.contains("comm"));
}

TEST_F(PageReportText, PinsAreSaidWhereTheyAreKnown) {
  dump_.raw.bits |= POBPF_DUMP_TAIL;
  dump_.raw.pincount = 2;
  EXPECT_THAT(text(), HasSubstr(" as a whole, pinned 2 times\n"));
  EXPECT_EQ(object()["compound"]["pincount"], 2);
  dump_.raw.bits |= POBPF_DUMP_NO_PINCOUNT;
  EXPECT_THAT(text(), HasSubstr(" as a whole\n"));
  EXPECT_FALSE(object()["compound"].contains("pincount"));
}

TEST_F(PageReportText, NothingIsSaidOfPagesThatAreNotThere) {
  dump_.raw = {};
  dump_.raw.pfn = 9;
  dump_.raw.bits = POBPF_DUMP_ABSENT;
  EXPECT_EQ(text(),
            "PFN 0x9 (9), physical address 0x9000\n"
            "  state:          absent: no memory there\n\n");
  EXPECT_EQ(object(), (json{{"pfn", 9}, {"state", "absent"}, {"changed", false}}));
  dump_.raw.bits = POBPF_DUMP_OFFLINE;
  EXPECT_EQ(object()["state"], "offline");
}

TEST_F(PageReportText, AChangeIsSaid) {
  dump_.has_changed = true;
  EXPECT_THAT(text(), HasSubstr("changed while it was read"));
  EXPECT_EQ(object()["changed"], true);
}

TEST_F(PageReportText, AStackThatCannotBeReadIsNoReasonToSayNothing) {
  dump_.raw.owner.handle = 99;
  EXPECT_THAT(text(), HasSubstr("handle 99 cannot be read"));
  EXPECT_FALSE(status_);
  EXPECT_TRUE(object()["allocation"]["stack"].is_null());
  EXPECT_FALSE(status_);
}

TEST_F(PageReportText, FilesAreNamedAndEscaped) {
  pobpf_page_dump& raw = dump_.raw;
  raw.head.mapping = 0xffff888000000000;
  raw.bits |= POBPF_DUMP_INODE;
  raw.inode = 42;
  set(raw.s_id, "sda1");
  set(raw.filesystem, "ext4");
  set(raw.file_name,
      "a\x1b"
      "b");
  EXPECT_THAT(text(), HasSubstr("kind:           file, \"a\\x1bb\" on ext4 (sda1), inode 42\n"));
  const json mapping = object()["mapping"];
  EXPECT_EQ(mapping["inode"], 42);
  EXPECT_EQ(mapping["superblock"], "sda1");
  raw.file_name[0] = '\0';
  EXPECT_THAT(text(), HasSubstr("without a name"));
  EXPECT_TRUE(object()["mapping"]["file_name"].is_null());
}

TEST_F(PageReportText, NoAgeIsBetterThanAWrongOne) {
  dump_.now_ns = 5;
  EXPECT_THAT(text(), Not(HasSubstr("ago")));
  EXPECT_TRUE(object()["allocation"]["age_nsec"].is_null());
  dump_.now_ns.reset();
  EXPECT_THAT(text(), Not(HasSubstr("ago")));
}

/// Reports a page of a snapshot: a record as it was written, and what it has besides.
class RecordedPageReport : public PageReportText {
 protected:
  RecordedPageReport() {
    page_.pfn = 0x207233;
    page_.fields = kAllPageFields | PageField::kKind | PageField::kFreeSide;
    page_.record = samples::android_migrated();
    page_.record.free_ts_nsec = 1000000001;
    page_.detail.mapping = POBPF_MAPPING_ANON;
    page_.detail.free_handle = 8;
    page_.detail.has_free_pid = 1;
    page_.detail.free_pid = 22;
    page_.detail.free_tgid = 21;
  }
  std::string text() {
    dump_ = make_page_dump(page_, 20918751965);
    return PageReportText::text();
  }
  json object() {
    dump_ = make_page_dump(page_, 20918751965);
    return PageReportText::object();
  }
  std::vector<std::string> keys() {
    const json got = object();
    std::vector<std::string> keys;
    for (const auto& [key, value] : got.items()) keys.push_back(key);
    return keys;
  }

  RecordedPage page_;
};

TEST_F(RecordedPageReport, ShowsAllThatARecordHas) {
  EXPECT_EQ(text(),
            "PFN 0x207233 (2126387), physical address 0x207233000\n"
            "  state:          allocated\n"
            "  kind:           anonymous\n"
            "  zone:           Normal, node 0\n"
            "  pageblock:      4153, CMA\n"
            "  flags:          "
            "0x4020000000008224(referenced|lru|workingset|private|zone=1|kasantag=0x0)\n"
            "  memcg:          /a/system.slice (id 1)\n"
            "  allocated:      order 0, 1 page\n"
            "    gfp:          0x140c48(GFP_NOFS|__GFP_COMP|__GFP_HARDWALL|__GFP_MOVABLE), "
            "migratetype Movable\n"
            "    by:           pid 1198, tgid 1194 (ccci_mdinit)\n"
            "    at:           17.918751965 s, 3.000000000 s before the recording\n"
            "    stack:        handle 7\n"
            "      post_alloc_hook+0x23c/0x254\n"
            "      f+0x1/0x2 [m]\n"
            "    migrated:     compaction\n"
            "  freed before:\n"
            "    by:           pid 22, tgid 21\n"
            "    at:           1.000000001 s, 19.918751964 s before the recording\n"
            "    stack:        handle 8\n"
            "      free_pages\\x1b[31m+0x1/0x2\n"
            "\n");
  EXPECT_TRUE(status_);
}

TEST_F(RecordedPageReport, HasTheKeysOfALivePageAsFarAsARecordHasThem) {
  EXPECT_THAT(keys(), testing::UnorderedElementsAre("pfn", "state", "changed", "first_pfn", "kind",
                                                    "page_type", "nid", "zone", "zone_name",
                                                    "pageblock", "pageblock_migratetype", "flags",
                                                    "page_flags", "slab_memcg", "memcg",
                                                    "allocation", "head_allocation", "free"));
  const json got = object();
  EXPECT_EQ(got["allocation"]["tgid"], 1194);
  EXPECT_EQ(got["allocation"]["last_migrate_reason"], "compaction");
  EXPECT_EQ(got["allocation"]["age_nsec"], 3000000000);
  EXPECT_EQ(got["free"]["pid"], 22);
  EXPECT_EQ(got["free"]["stack"].size(), 1U);
  EXPECT_TRUE(got["head_allocation"].is_null());
}

TEST_F(RecordedPageReport, WhatIsNotKnownIsNotShown) {
  page_.fields = PageFields{} | PageField::kPfn;
  EXPECT_EQ(text(),
            "PFN 0x207233 (2126387), physical address 0x207233000\n"
            "  state:          allocated\n"
            "  allocated:      of an order that is not known\n"
            "\n");
  EXPECT_THAT(keys(), testing::UnorderedElementsAre("pfn", "state", "changed", "first_pfn",
                                                    "allocation", "head_allocation"));
  EXPECT_EQ(object()["allocation"], json::object());
  // each field alone shows what it is, and nothing else does
  const std::pair<PageField, const char*> texts[] = {
      {PageField::kOrder, "order 0, 1 page"}, {PageField::kGfpMask, "gfp: "},
      {PageField::kPid, "pid 1198\n"},        {PageField::kTgid, "tgid 1194\n"},
      {PageField::kComm, " (ccci_mdinit)\n"}, {PageField::kTsNsec, "17.918751965 s"},
      {PageField::kHandle, "handle 7\n"},     {PageField::kFlags, "0x4020000000008224"},
      {PageField::kMemcg, "system.slice"},    {PageField::kLastMigrateReason, "compaction"},
      {PageField::kKind, "anonymous"},        {PageField::kFreeTsNsec, "1.000000001 s"},
      {PageField::kFreeSide, "handle 8\n"},   {PageField::kPageblockMigratetype, "4153, CMA"}};
  for (const auto& [field, shown] : texts) {
    page_.fields = PageField::kPfn | field;
    EXPECT_THAT(text(), HasSubstr(shown));
    page_.fields = (kAllPageFields | PageField::kKind | PageField::kFreeSide) &
                   ~static_cast<PageFields>(field);
    EXPECT_THAT(text(), Not(HasSubstr(shown)));
  }
}

TEST_F(RecordedPageReport, WhoFreedItIsOnRequestOnly) {
  page_.fields = kAllPageFields;
  EXPECT_THAT(text(), HasSubstr("    by:           not in the snapshot: pobpf record --free\n"
                                "    at:           1.000000001 s"));
  EXPECT_FALSE(object()["free"].contains("pid"));
  page_.record.free_ts_nsec = 0;
  EXPECT_THAT(text(), HasSubstr("last freed:     never"));
  EXPECT_TRUE(object()["free"].is_null());
}

TEST_F(RecordedPageReport, ATailShowsItsAllocation) {
  page_.record.pfn = 0x207000;
  page_.record.order = 10;
  const std::string out = text();
  EXPECT_THAT(out, HasSubstr("tail: page 563 of the allocation at PFN 0x207000\n"));
  EXPECT_THAT(out, HasSubstr("  head's flags:   0x4020000000008224"));
  EXPECT_THAT(out, HasSubstr("order 10, 1024 pages"));
  // the type of another pageblock than the recorded one
  EXPECT_THAT(out, Not(HasSubstr("pageblock")));
  const json got = object();
  EXPECT_TRUE(got["allocation"].is_null());
  EXPECT_EQ(got["head_allocation"]["order"], 10);
  EXPECT_EQ(got["first_pfn"], 0x207000);
  EXPECT_FALSE(got.contains("flags"));
  page_.record.pfn = 0x207200;
  EXPECT_THAT(text(), HasSubstr("4153, CMA"));
}

TEST_F(RecordedPageReport, KindsAreThoseOfLivePages) {
  const auto kind = [&] { return object()["kind"].get<std::string>(); };
  page_.detail.mapping = POBPF_MAPPING_FILE;
  EXPECT_EQ(kind(), "file");
  page_.detail.mapping = POBPF_MAPPING_KSM;
  EXPECT_EQ(kind(), "ksm");
  page_.detail.mapping = POBPF_MAPPING_NONE;
  EXPECT_EQ(kind(), "kernel");
  page_.detail.page_type = 0xf5000000;
  EXPECT_EQ(kind(), "slab");
  EXPECT_EQ(object()["page_type"], "slab");
  page_.detail.mapping = POBPF_MAPPING_FILE;
  EXPECT_EQ(kind(), "slab");
}

TEST_F(RecordedPageReport, PagesWithoutARecord) {
  page_.fields = 0;
  EXPECT_EQ(text(),
            "PFN 0x207233 (2126387), physical address 0x207233000\n"
            "  state:          not in the snapshot: free, unknown to page_owner, or kept out by a "
            "filter\n\n");
  EXPECT_EQ(object(), (json{{"pfn", 0x207233}, {"state", "unrecorded"}, {"changed", false}}));
}

TEST_F(RecordedPageReport, FurtherRecordsAreSaid) {
  EXPECT_FALSE(object().contains("further_records"));
  page_.nr_further_records = 1;
  EXPECT_THAT(text(), HasSubstr("1 more record of the snapshot has this page\n"));
  page_.nr_further_records = 2;
  EXPECT_THAT(text(), HasSubstr("2 more records of the snapshot have this page\n"));
  EXPECT_EQ(object()["further_records"], 2);
}

TEST_F(RecordedPageReport, ImportsHaveTextsInPlaceOfNumbers) {
  facts_.gfp_names.clear();
  facts_.page_flag_names.clear();
  facts_.page_flag_fields.clear();
  facts_.texts.emplace();
  context_.cgroups[1] = "system.slice";
  facts_.texts->gfp[page_.record.gfp_mask] = {"GFP_X\x1b", std::nullopt};
  facts_.texts->page_flags[page_.record.flags] = "lru|node=0";
  EXPECT_THAT(text(), HasSubstr("gfp:          0x140c48(GFP_X\\x1b)\n"));
  EXPECT_THAT(text(), HasSubstr("flags:          0x4020000000008224(lru|node=0)\n"));
  EXPECT_THAT(text(), HasSubstr("memcg:          system.slice\n"));
  EXPECT_THAT(text(), Not(HasSubstr("zone:")));
  EXPECT_EQ(object()["page_flags"], json{"lru"});
  EXPECT_EQ(object()["allocation"]["gfp_flags"], json{"GFP_X\x1b"});
  EXPECT_FALSE(object()["allocation"].contains("migratetype"));
  // flags that stood there by name only have no word
  page_.fields = (kAllPageFields & ~static_cast<PageFields>(PageField::kFlags)) |
                 static_cast<PageFields>(PageField::kFlagNames);
  EXPECT_THAT(text(), HasSubstr("flags:          (lru|node=0)\n"));
  EXPECT_FALSE(object().contains("flags"));
}

TEST_F(RecordedPageReport, WithoutThePageSizeThereIsNoPhysicalAddress) {
  std::string out;
  const PageReportSource source{facts_, names_, context_, 0};
  ASSERT_TRUE(append_page_report(out, make_page_dump(page_, std::nullopt), source));
  EXPECT_TRUE(out.starts_with("PFN 0x207233 (2126387)\n"));
  EXPECT_THAT(out, Not(HasSubstr("before the recording")));
}

TEST_F(PageReportText, EveryKeyOfTheContract) {
  const json got = object();
  std::vector<std::string> keys;
  for (const auto& [key, value] : got.items()) keys.push_back(key);
  EXPECT_THAT(keys, testing::UnorderedElementsAre(
                        "pfn", "state", "changed", "first_pfn", "free_order", "kind", "page_type",
                        "nid", "zone", "zone_name", "pageblock", "pageblock_migratetype", "flags",
                        "page_flags", "refcount", "mapcount", "mapping", "slab_cache", "compound",
                        "slab_memcg", "memcg", "allocation", "head_allocation", "free"));
  EXPECT_EQ(got["allocation"]["comm"], "a\nb");
  EXPECT_EQ(got["allocation"]["age_nsec"], 3000000000);
  EXPECT_EQ(got["free"]["tgid"], 21);
  EXPECT_EQ(got["zone_name"], "Normal");
}

}  // namespace
}  // namespace pobpf
