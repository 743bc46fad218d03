// SPDX-License-Identifier: GPL-2.0-only
// Every collected dump (tests/data/dumps, with origins), and values that were read in it by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "imported.h"
#include "model/flag_text.h"
#include "util/file.h"

namespace pobpf {
namespace {

using test::Imported;
using test::ImportedPage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string dump(const std::string& name) {
  auto text = read_file(std::filesystem::path(POBPF_TEST_DATA) / "dumps" / (name + ".txt"),
                        std::size_t{1} << 20);
  EXPECT_TRUE(text) << text.error().what;
  return text.value_or("");
}

/// A letter for each field that is known.
std::string letters(PageFields fields) {
  constexpr std::pair<PageField, char> kLetters[] = {{PageField::kHandle, 'h'},
                                                     {PageField::kOrder, 'o'},
                                                     {PageField::kGfpMask, 'g'},
                                                     {PageField::kPid, 'p'},
                                                     {PageField::kTgid, 't'},
                                                     {PageField::kComm, 'c'},
                                                     {PageField::kTsNsec, 's'},
                                                     {PageField::kFreeTsNsec, 'f'},
                                                     {PageField::kFlags, 'F'},
                                                     {PageField::kFlagNames, 'L'},
                                                     {PageField::kPageblockMigratetype, 'b'},
                                                     {PageField::kLastMigrateReason, 'r'},
                                                     {PageField::kMemcg, 'm'},
                                                     {PageField::kPfn, 'P'}};
  std::string text;
  for (const auto& [field, letter] : kLetters)
    if (has_field(fields, field)) text += letter;
  return text;
}

struct Expected {
  std::uint64_t nr_pages;
  std::uint64_t nr_groups;
  std::uint64_t nr_unknown_lines;
  std::uint64_t nr_dropped;
  std::uint64_t nr_joined;
  const char* fields;  // of the last page, or group if there is no page
};

const std::map<std::string, Expected>& expectations() {
  static const std::map<std::string, Expected> expectations_of_dumps = {
      {"alloc_tag-v6.9-allocinfo-top", {0, 0, 11, 0, 0, ""}},
      {"android-4.19-mtk-gunzip-wrapped-flags", {1, 0, 0, 0, 1, "hogFbrP"}},
      {"android-4.4-msm-arm64-cma-rawptr", {1, 0, 0, 0, 0, "hogFbrP"}},
      {"android-6.12-cma-two", {2, 0, 0, 0, 0, "hogptcsFbrmP"}},
      {"dmesg-v4.7-proposal-bad-page", {1, 0, 0, 0, 0, "hogFP"}},
      {"dmesg-v5.18-arm64-never-set", {0, 0, 0, 0, 0, ""}},
      {"dmesg-v5.2-ppc64-migration-failure", {1, 0, 1, 0, 2, "hogF"}},
      {"dmesg-v6.1-lkp-i386-alloc-free", {1, 0, 0, 0, 0, "hogptcsf"}},
      {"dmesg-v6.9-syzbot-jfs-order3", {1, 0, 0, 0, 0, "hogptcsf"}},
      {"memleak-bcc-v0.x-kernel-output", {0, 0, 11, 0, 0, ""}},
      {"memstrack-module-report", {0, 0, 37, 0, 0, ""}},
      {"rhel7-page_owner_stat-summary", {0, 0, 17, 1, 0, ""}},
      {"rhel9-crash-owner-ext", {3, 0, 4, 0, 0, "hogptcsfP"}},
      {"v2.6.11-sort-nosymsize", {0, 1, 0, 0, 0, "hog"}},
      {"v2.6.25-ppc64-positional-flags", {1, 0, 0, 0, 0, "hogLbP"}},
      {"v4.2-sort-times-addr", {0, 9, 0, 0, 0, "hog"}},
      {"v4.5-migrate-reason", {1, 0, 0, 0, 0, "hogFbrP"}},
      {"v5.10-x86-vm-head", {3, 0, 1, 0, 0, "hogpsFbrP"}},
      {"v5.14-memcg-v1-pid-only", {1, 0, 0, 0, 0, "hogpsfFbrP"}},
      {"v5.15-arm64-module-order3", {1, 0, 0, 0, 0, "hogpsfFbrP"}},
      {"v5.16rc5-doc-sort-example", {1, 1, 0, 0, 0, "hogpsfFbrP"}},
      {"v5.17-sort-cull-allocator", {0, 4, 0, 0, 0, ""}},
      {"v5.19-stackcollapse-example", {1, 0, 0, 0, 0, "hogpsfFbrP"}},
      {"v5.9-sort-order3-nopages", {0, 1, 0, 0, 0, "hog"}},
      {"v6.17-mfo-stacks-handles-triple", {0, 3, 3, 0, 0, "h"}},
      {"v6.19-mfo-show_handles", {0, 1, 0, 0, 0, "h"}},
      {"v6.19-mfo-show_stacks", {0, 1, 0, 0, 0, "h"}},
      {"v6.19-mfo-show_stacks_handles", {0, 1, 0, 0, 0, "h"}},
      {"v6.7-jeffxie-file-page-ext", {1, 0, 0, 0, 1, "hogptcsFbrmP"}},
      {"v6.7-jeffxie-slab-page-ext", {2, 0, 0, 0, 1, "hogptcsFbrmP"}},
      {"v6.8rc-show_stacks-PoC-4stacks", {0, 4, 0, 0, 0, "h"}},
      {"v6.8rc-show_stacks-stack_count", {0, 2, 0, 0, 0, "h"}},
      {"v7.1-zhenni-v7-handle-mode", {1, 0, 0, 0, 2, "hogptcsFbrmP"}},
      {"console-6.12-squashfs-cut-line", {1, 0, 1, 0, 0, "hogFP"}},
      {"console-6.15-cut-mask", {1, 0, 1, 0, 0, "hoP"}},
      {"decoded-6.9-jfs", {1, 0, 3, 0, 0, "hogptcFP"}},
      {"dmesg-4.15-lock-page-stall", {1, 0, 0, 0, 0, "hogF"}},
      {"dmesg-5.2-arm64-xfs-dentry", {1, 0, 0, 0, 2, "hogF"}},
      {"dmesg-5.3-swapcache-quoted", {1, 0, 3, 0, 3, "hogF"}},
      {"dmesg-two-pages-anonflags", {1, 0, 0, 0, 0, "hogptcsfFP"}},
      {"dmesg-two-pages-no-pfn", {1, 0, 0, 0, 0, "hogptcsfF"}},
      {"gdb-6.6-arm64-lx-dump-page-owner", {1, 0, 1, 0, 0, "hogptcsfFP"}},
      {"hotremove-6.18-wrapped-anonflags", {1, 0, 6, 0, 4, "hogFP"}},
      {"kasan-5.11-freed-page-quoted", {1, 0, 12, 0, 2, "hogpsFP"}},
      {"kasan-5.2-arm64-swtags-wrapped", {1, 0, 4, 0, 2, "hogF"}},
      {"kasan-6.19-v4l-freed-two-brackets", {1, 0, 1, 0, 0, "hogptcsfFP"}},
      {"router-ath11k-arm-raw", {1, 0, 0, 0, 0, "hogpsfFbrP"}},
      {"sort2021-elided-mask", {2, 1, 6, 0, 3, "hogpsf"}},
      {"sort6-cull-pid-name", {0, 4, 0, 0, 0, "pc"}},
      {"sort6-default-two-sums", {0, 2, 0, 0, 0, "hogptcm"}},
      {"swapoff-6.9-arm64-quoted6", {1, 0, 4, 0, 4, "hogptcsfFP"}},
      {"syzbot-6.18-whole-anonflags", {1, 0, 42, 0, 0, "hogptcsfFP"}},
      {"thp-6.12-quoted-comment", {0, 0, 2, 1, 0, ""}},
      {"v2.6.11rc2-no-mask", {0, 3, 0, 0, 0, "ho"}},
      {"v2.6.19-sort-commented", {0, 2, 5, 0, 0, "hog"}},
      {"v3.18-arm-fallback-letters", {1, 0, 0, 0, 0, "hogLbP"}},
      {"v3.6-sort-dotdot", {0, 2, 0, 0, 0, "hog"}},
      {"v7.3-doc-stacks-handles", {0, 4, 9, 0, 0, "h"}}};
  return expectations_of_dumps;
}

TEST(ImportDialects, EveryDumpGivesWhatIsInIt) {
  for (const auto& [name, expected] : expectations()) {
    SCOPED_TRACE(name);
    const Imported imported = test::import_bytes(dump(name));
    ASSERT_FALSE(imported.error) << imported.error->what;
    EXPECT_EQ(imported.report.nr_pages, expected.nr_pages);
    EXPECT_EQ(imported.report.nr_groups, expected.nr_groups);
    EXPECT_EQ(imported.report.nr_unknown_lines, expected.nr_unknown_lines);
    EXPECT_EQ(imported.report.nr_dropped_records, expected.nr_dropped);
    EXPECT_EQ(imported.report.nr_joined_lines, expected.nr_joined);
    const std::string text = dump(name);
    EXPECT_EQ(imported.report.nr_lines, std::count(text.begin(), text.end(), '\n'));
    EXPECT_EQ(imported.report.nr_bytes, text.size());
    PageFields fields = 0;
    if (!imported.groups.empty()) fields = imported.groups.back().record.fields;
    if (!imported.pages.empty()) fields = imported.pages.back().fields;
    EXPECT_EQ(letters(fields), expected.fields);
  }
}

TEST(ImportDialects, NoDumpIsLeftOut) {
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(POBPF_TEST_DATA) / "dumps"))
    if (file.path().extension() == ".txt") {
      EXPECT_TRUE(expectations().contains(file.path().stem().string())) << file.path();
    }
}

std::string comm_of(const pobpf_page& page) {
  const auto* comm = reinterpret_cast<const char*>(page.comm);
  return {comm, strnlen(comm, sizeof(page.comm))};
}

std::string page_flags_of(const Imported& imported, const ImportedPage& page) {
  std::string text;
  append_page_flags(text, page.page.flags, imported.facts());
  return text;
}
std::string gfp_of(const Imported& imported, const ImportedPage& page) {
  std::string text;
  append_gfp_mask(text, page.page.gfp_mask, imported.facts());
  return text;
}
std::string migratetype_of(const Imported& imported, const ImportedPage& page) {
  const unsigned index = gfp_migratetype(page.page.gfp_mask, imported.facts());
  return index == kUnknownMigratetype ? "unknown" : imported.facts().migratetype_names.at(index);
}
std::string block_type_of(const Imported& imported, const ImportedPage& page) {
  return imported.facts().migratetype_names.at(page.page.pageblock_migratetype);
}
std::string reason_of(const Imported& imported, const ImportedPage& page) {
  const int reason = page.page.last_migrate_reason;
  return reason < 0 ? "never"
                    : imported.facts().migrate_reason_names.at(static_cast<std::size_t>(reason));
}

TEST(ImportDialects, Android612) {
  const Imported imported = test::import_bytes(dump("android-6.12-cma-two"));
  const ImportedPage& first = imported.pages[0];
  EXPECT_EQ(first.page.order, 9);
  EXPECT_EQ(first.page.pfn, 0x23d200);
  EXPECT_EQ(comm_of(first.page), "swapper/0");
  EXPECT_EQ(migratetype_of(imported, first), "Unmovable");
  EXPECT_EQ(block_type_of(imported, first), "CMA");
  EXPECT_EQ(imported.facts().pageblock_order, 9);
  const ImportedPage& second = imported.pages[1];
  EXPECT_EQ(second.page.pid, 1198);
  EXPECT_EQ(second.page.tgid, 1194);
  EXPECT_EQ(second.page.ts_nsec, 17918751965);
  EXPECT_EQ(reason_of(imported, second), "compaction");
  EXPECT_EQ(second.page.memcg_flags, POBPF_MEMCG_CHARGED);
  EXPECT_EQ(imported.reader->cgroup_name(second.page.cgroup_id).value(), "/");
  EXPECT_EQ(page_flags_of(imported, second),
            "0x4020000000008224(referenced|lru|workingset|private|zone=1|kasantag=0x0)");
  EXPECT_EQ(page_flag_field(second.page.flags, "zone", imported.facts()), 1);
  EXPECT_THAT(imported.stack_of(second), StartsWith(" post_alloc_hook+0x23c/0x254\n"));
}

TEST(ImportDialects, Android419) {
  const Imported imported = test::import_bytes(dump("android-4.19-mtk-gunzip-wrapped-flags"));
  EXPECT_EQ(page_flags_of(imported, imported.pages[0]),
            "0x4003c(referenced|uptodate|dirty|lru|swapbacked)");
  EXPECT_EQ(imported.pages[0].page.pfn, 262199);
  EXPECT_EQ(gfp_of(imported, imported.pages[0]), "0x6200ca(GFP_HIGHUSER_MOVABLE)");
}

/// Addresses stand where names should.
TEST(ImportDialects, Android44) {
  const Imported imported = test::import_bytes(dump("android-4.4-msm-arm64-cma-rawptr"));
  EXPECT_EQ(gfp_of(imported, imported.pages[0]), "0x8");
  EXPECT_EQ(page_flags_of(imported, imported.pages[0]), "0x0");
  EXPECT_EQ(imported.facts().pageblock_order, 10);
  EXPECT_EQ(block_type_of(imported, imported.pages[0]), "CMA");
  const auto stack = imported.reader->stack(imported.pages[0].page.handle);
  ASSERT_EQ((*stack)->frames.size(), 5);
  EXPECT_EQ((*stack)->frames[0].address, 0xffffff9b64989c14);
  EXPECT_EQ((*stack)->frames[0].symbol, "post_alloc_hook+0x70/0x80");
  EXPECT_EQ((*stack)->frames[1].symbol, "...");
}

TEST(ImportDialects, KernelMessages) {
  const Imported lkp = test::import_bytes(dump("dmesg-v6.1-lkp-i386-alloc-free"));
  EXPECT_EQ(lkp.pages[0].page.ts_nsec, 25780391126);
  EXPECT_EQ(lkp.pages[0].page.free_ts_nsec, 25780421356);
  EXPECT_EQ(comm_of(lkp.pages[0].page), "systemd-udevd");
  EXPECT_EQ(migratetype_of(lkp, lkp.pages[0]), "Unmovable");
  // of the allocation, not of what freed it
  EXPECT_THAT(lkp.stack_of(lkp.pages[0]), ::testing::EndsWith(" do_SYSENTER_32+0x15/0x20\n"));
  EXPECT_EQ(lkp.reader->stack(1).value()->frames.size(), 16);

  const Imported syzbot = test::import_bytes(dump("dmesg-v6.9-syzbot-jfs-order3"));
  EXPECT_EQ(syzbot.pages[0].page.order, 3);
  EXPECT_EQ(comm_of(syzbot.pages[0].page), "syz-executor352");
  EXPECT_EQ(migratetype_of(syzbot, syzbot.pages[0]), "Reclaimable");
  EXPECT_THAT(syzbot.stack_of(syzbot.pages[0]),
              StartsWith(" set_page_owner include/linux/page_owner.h:32 [inline]\n"
                         " post_alloc_hook+0x1f3/0x230 mm/page_alloc.c:1500\n"));

  const Imported power = test::import_bytes(dump("dmesg-v5.2-ppc64-migration-failure"));
  EXPECT_EQ(gfp_of(power, power.pages[0]), "0x100cca(GFP_HIGHUSER_MOVABLE)");
  EXPECT_EQ(power.reader->stack(1).value()->frames.size(), 11);

  // what was said of the page before
  const Imported bad = test::import_bytes(dump("dmesg-v4.7-proposal-bad-page"));
  EXPECT_EQ(bad.pages[0].page.pfn, 0xbae1d);
  EXPECT_EQ(page_flags_of(bad, bad.pages[0]), "0x4000000000000000()");
}

/// The facts that are known of a record, as texts; empty: not known.
struct Facts {
  const char* name;
  std::uint64_t pfn;  ///< 0: not known
  const char* flags;
  unsigned order;
  const char* gfp;
  const char* migratetype;
  const char* comm;
  std::size_t nr_frames;
  bool is_freed = false;
};

/// Messages as they come: with other messages around, wrapped, quoted, cut off, decoded.
TEST(ImportDialects, AllThatAMessageSaysIsOfItsPage) {
  const Facts messages[] = {
      {"dmesg-two-pages-no-pfn", 0,
       "0x5fff0000002091c(referenced|uptodate|dirty|active|owner_2|swapbacked|node=1|zone=3)", 0,
       "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", "Movable", "hmm-swap", 2},
      {"dmesg-two-pages-anonflags", 0x22222,
       "0x5fff0000002091c(referenced|uptodate|dirty|active|owner_2|swapbacked|node=1|zone=3|"
       "lastcpupid=0x7ff)",
       0, "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", "Movable", "hmm-swap", 2},
      {"dmesg-4.15-lock-page-stall", 0, "0x1fffff800010a9(locked|waiters|uptodate|lru|private)", 0,
       "0x1c2004a(GFP_NOFS|__GFP_HIGHMEM|__GFP_HARDWALL|__GFP_MOVABLE|__GFP_WRITE)", "Movable", "",
       14},
      {"dmesg-5.2-arm64-xfs-dentry", 0,
       "0x7ffffc00000887(locked|waiters|referenced|uptodate|arch_1)", 0,
       "0x62124a(GFP_NOFS|__GFP_HIGHMEM|__GFP_NOWARN|__GFP_NORETRY|__GFP_HARDWALL|"
       "__GFP_MOVABLE)",
       "Movable", "", 9},
      {"dmesg-5.3-swapcache-quoted", 0,
       "0x5fffe000080454(uptodate|lru|workingset|owner_priv_1|swapbacked)", 0,
       "0x100cca(GFP_HIGHUSER_MOVABLE)", "Movable", "", 13},
      {"kasan-5.2-arm64-swtags-wrapped", 0, "0x17ffffffc000200(slab)", 0,
       "0x12800(GFP_NOWAIT|__GFP_NOWARN|__GFP_NORETRY)", "Unmovable", "", 10},
      {"kasan-5.11-freed-page-quoted", 0xbe453, "0xfffffc0000000()", 0,
       "0x100dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO)", "Movable", "", 9, true},
      {"kasan-6.19-v4l-freed-two-brackets", 0x71dac,
       "0xfff00000000000(node=0|zone=1|lastcpupid=0x7ff)", 0,
       "0x440dc0(GFP_KERNEL_ACCOUNT|__GFP_ZERO|__GFP_COMP)", "Unmovable", "v4l_id", 4, true},
      {"swapoff-6.9-arm64-quoted6", 0x1b30a6,
       "0x2000000000081009(locked|uptodate|owner_priv_1|swapbacked|zone=1|kasantag=0x0)", 0,
       "0x2140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)", "Movable", "swapoff", 9},
      {"hotremove-6.18-wrapped-anonflags", 0x442b6a,
       "0x5fff0000002091c(referenced|uptodate|dirty|active|owner_2|swapbacked|node=1|zone=3|"
       "lastcpupid=0x7ff)",
       0, "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", "Movable", "", 9},
      {"console-6.12-squashfs-cut-line", 0x2022c,
       "0x200000000000012d(locked|referenced|uptodate|lru|active|zone=1)", 0, "0x152c4a", "Movable",
       "", 11},
      {"console-6.15-cut-mask", 0x10dcf0, "", 3, "", "unknown", "", 11},
      {"syzbot-6.18-whole-anonflags", 0x1107b, "0xfff00000000000(node=0|zone=1|lastcpupid=0x7ff)",
       0, "0x52c40(GFP_NOFS|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP)", "Unmovable", "syz-executor",
       19},
      {"decoded-6.9-jfs", 0x15b4b, "0xfff00000000800(slab|node=0|zone=1|lastcpupid=0x7ff)", 0,
       "0x92800(GFP_NOWAIT|__GFP_NORETRY|__GFP_NOMEMALLOC)", "Unmovable", "a.out", 9},
      {"gdb-6.6-arm64-lx-dump-page-owner", 655360, "0x3fffc0000000000", 0, "0x8", "unknown",
       "swapper/0", 11},
      {"router-ath11k-arm-raw", 264212, "0x0(zone=0)", 0, "0x4000(__GFP_RETRY_MAYFAIL)",
       "Unmovable", "", 8},
      {"sort2021-elided-mask", 0, "", 0, "0x108c48", "unknown", "", 5}};
  for (const Facts& facts : messages) {
    SCOPED_TRACE(facts.name);
    const Imported imported = test::import_bytes(dump(facts.name));
    EXPECT_EQ(imported.report.nr_dropped_records, 0) << imported.report.notes[0].what;
    ASSERT_FALSE(imported.pages.empty());
    const ImportedPage& page = imported.pages[0];
    const auto has = [&](PageField field) { return has_field(page.fields, field); };
    EXPECT_EQ(has(PageField::kPfn), facts.pfn != 0);
    EXPECT_EQ(page.page.pfn, facts.pfn);
    EXPECT_EQ(has(PageField::kFlags) ? page_flags_of(imported, page) : "", facts.flags);
    EXPECT_EQ(is_freed(page.page), facts.is_freed);
    EXPECT_EQ(page.page.order, facts.order);
    EXPECT_EQ(has(PageField::kGfpMask) ? gfp_of(imported, page) : "", facts.gfp);
    EXPECT_EQ(has(PageField::kGfpMask) ? migratetype_of(imported, page) : "unknown",
              facts.migratetype);
    EXPECT_EQ(has(PageField::kComm) ? comm_of(page.page) : "", facts.comm);
    const auto stack = imported.reader->stack(page.page.handle);
    ASSERT_TRUE(stack);
    EXPECT_EQ((*stack)->frames.size(), facts.nr_frames);
  }
}

TEST(ImportDialects, NumbersThatAreCutOffAreNotKnown) {
  const Imported cut = test::import_bytes(dump("decoded-6.9-jfs"));
  EXPECT_EQ(letters(cut.pages[0].fields), "hogptcFP");
  EXPECT_EQ(cut.pages[0].page.ts_nsec, 0);
  EXPECT_EQ(cut.pages[0].page.pid, 8101);
  EXPECT_TRUE(std::ranges::any_of(cut.report.notes, [](const ImportNote& note) {
    return note.line == 8 && note.what == "the end of the line is missing";
  }));
  const Imported whole = test::import_bytes(dump("syzbot-6.18-whole-anonflags"));
  EXPECT_EQ(whole.pages[0].page.ts_nsec, 97923846546);
  EXPECT_EQ(whole.pages[0].page.free_ts_nsec, 97738761799);
}

/// A comment in its middle: what is behind it may belong to anything.
TEST(ImportDialects, AMessageWithoutItsStackIsLeftOut) {
  const Imported imported = test::import_bytes(dump("thp-6.12-quoted-comment"));
  EXPECT_TRUE(imported.report.is_empty());
  EXPECT_EQ(imported.report.nr_dropped_records, 1);
}

TEST(ImportDialects, FramesOfGdbAndOfDecodedStacks) {
  const Imported gdb = test::import_bytes(dump("gdb-6.6-arm64-lx-dump-page-owner"));
  const auto frames = gdb.reader->stack(gdb.pages[0].page.handle).value()->frames;
  EXPECT_EQ(frames[0].symbol, "post_alloc_hook+452");
  EXPECT_EQ(frames[0].address, 0xffff8000086ab964);
  EXPECT_EQ(gdb.pages[0].page.free_ts_nsec, 1011852016);
  const Imported decoded = test::import_bytes(dump("decoded-6.9-jfs"));
  EXPECT_THAT(decoded.stack_of(decoded.pages[0]),
              ::testing::EndsWith(" do_filp_open (fs/namei.c:3827)\n"));
}

/// A quoted name is one of gdb alone.
TEST(ImportDialects, NamesInQuotes) {
  const auto comm = [](const std::string& task) {
    const Imported imported = test::import_bytes("Page allocated via order 0, " + task +
                                                 ", ts 5 ns\nPFN: 16, Flags: 0x1\n a+0x1\n\n");
    return imported.pages.empty() ? "none" : comm_of(imported.pages[0].page);
  };
  EXPECT_EQ(comm(R"(mask 0x1, pid 1, tgid 2 ("a"))"), R"("a")");
  EXPECT_EQ(comm(R"(gfp_mask: 0x1, pid: 1, tgid: 2 ("a"))"), "a");
  EXPECT_EQ(comm(R"(gfp_mask: 0x1, pid: 1, tgid: 2 ("a\"\303\244", '\000' <repeats 11 times>))"),
            "a\"\xc3\xa4");
  EXPECT_EQ(comm(R"(gfp_mask: 0x1, pid: 1, tgid: 2 ("a\tb\000c"))"), "a\tb");
}

/// `pobpf report` prints what there is, and that is understood again.
TEST(ImportDialects, WhatIsReportedIsUnderstoodAgain) {
  for (const char* name : {"dmesg-4.15-lock-page-stall", "console-6.15-cut-mask",
                           "kasan-6.19-v4l-freed-two-brackets", "v3.18-arm-fallback-letters",
                           "v2.6.25-ppc64-positional-flags", "dmesg-v6.1-lkp-i386-alloc-free"}) {
    SCOPED_TRACE(name);
    const Imported first = test::import_bytes(dump(name));
    const std::string text = test::reported(first.snapshot, POBPF_MODE_STACK);
    const Imported again = test::import_bytes(text);
    EXPECT_TRUE(again.report.is_complete()) << text;
    EXPECT_EQ(again.pages.size(), first.pages.size());
    EXPECT_EQ(test::reported(again.snapshot, POBPF_MODE_STACK), text);
  }
}

/// All that a message may have in front, and stacks that are not the allocation's.
TEST(ImportDialects, KernelMessagesWithTimeStamps) {
  const std::string head =
      "page last allocated via order 0, migratetype Movable, gfp_mask 0x8(__GFP_MOVABLE), pid 1, "
      "tgid 2 (a) b), ts 3, free_ts 4";
  const std::vector<std::string> lines = {
      "BUG: Bad page state in process x  pfn:00012",
      "page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x12",
      "flags: 0x20(lru|node=0|zone=1)",
      "page_owner tracks the page as freed",
      "page last allocated via order 0, migratetype Movable, gfp_mask 0x8(__GFP_MOVABLE), pid 1, "
      "tgid "
      "2 (a) b), ts 3, free_ts 4",
      " a+0x1/0x2",
      " b+0x1/0x2 [ext4]",
      "page last free pid 3 tgid 3 stack trace:",
      " c+0x1/0x2",
      "Call Trace:",
      " d+0x1/0x2"};
  for (const std::string prefix :
       {"[   12.345678] ", "[   12.345678][  T123] ", "<4>[   12.345678] ",
        "Nov 23 10:00:00 host kernel: [   12.345678] ", "[Mon Nov 23 16:32:20 2026] ",
        "> [   12.345678] [    C1] "}) {
    std::string text;
    for (const std::string& line : lines) text += prefix + line + "\n";
    const Imported imported = test::import_bytes(text);
    EXPECT_TRUE(imported.report.is_complete()) << prefix;
    ASSERT_EQ(imported.pages.size(), 1) << prefix;
    const ImportedPage& page = imported.pages[0];
    EXPECT_EQ(letters(page.fields), "hogptcsfFP");
    EXPECT_EQ(page.page.pfn, 0x12);
    EXPECT_EQ(comm_of(page.page), "a) b");
    EXPECT_EQ(page.page.tgid, 2);
    EXPECT_EQ(page.page.free_ts_nsec, 4);
    EXPECT_EQ(page_flags_of(imported, page), "0x20(lru|node=0|zone=1)");
    EXPECT_EQ(imported.stack_of(page), " a+0x1/0x2\n b+0x1/0x2 [ext4]\n");
  }
}

TEST(ImportDialects, Debuggers) {
  const Imported imported = test::import_bytes(
      "Page allocated via order 1, gfp_mask: 0x100cca, pid: 1, tgid: 2 (x y), ts 5 ns, free_ts 6 "
      "ns\n"
      "PFN: 16, Flags: 0x1\n a+0x1\n\n");
  EXPECT_TRUE(imported.report.is_complete());
  ASSERT_EQ(imported.pages.size(), 1);
  EXPECT_EQ(imported.pages[0].page.tgid, 2);
  EXPECT_EQ(imported.pages[0].page.pfn, 16);
  EXPECT_EQ(page_flags_of(imported, imported.pages[0]), "0x1");
}

TEST(ImportDialects, CrashOwner) {
  const Imported imported = test::import_bytes(dump("rhel9-crash-owner-ext"));
  const pobpf_page& page = imported.pages[0].page;
  EXPECT_EQ(page.pfn, 471552);
  EXPECT_EQ(page.order, 9);
  EXPECT_EQ(page.free_ts_nsec, 23514284799158);
  EXPECT_EQ(gfp_of(imported, imported.pages[0]), "0x346cca");
  EXPECT_EQ(imported.reader->stack(page.handle).value()->frames.size(), 14);
  EXPECT_EQ(imported.pages[1].page.pfn, 256);
  EXPECT_EQ(comm_of(imported.pages[2].page), "khugepaged");
}

TEST(ImportDialects, Kernel26) {
  const Imported imported = test::import_bytes(dump("v2.6.25-ppc64-positional-flags"));
  const ImportedPage& page = imported.pages[0];
  EXPECT_EQ(page.page.pfn, 30625);
  EXPECT_EQ(block_type_of(imported, page), "2");
  EXPECT_EQ(migratetype_of(imported, page), "unknown");
  EXPECT_EQ(imported.facts().texts->page_flags.at(page.page.flags), "lru");
  EXPECT_EQ(imported.facts().pageblock_order, 12);
  const auto stack = imported.reader->stack(page.page.handle);
  EXPECT_EQ((*stack)->frames[0].address, 0xc0000000000c511c);
  EXPECT_EQ((*stack)->frames[0].symbol, ".alloc_pages_current+208");
  EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK).substr(0, 118),
            "Page allocated via order 0, mask 0x120050\nPFN 30625 Block 7 type 2 Flags (lru)\n"
            " .alloc_pages_current+208\n .__find_get_");
}

TEST(ImportDialects, Kernel510) {
  const Imported imported = test::import_bytes(dump("v5.10-x86-vm-head"));
  EXPECT_EQ(letters(imported.pages[0].fields), "hogpFbrP");
  ASSERT_EQ(imported.report.notes.size(), 1);
  EXPECT_EQ(imported.report.notes[0].line, 1);
  EXPECT_EQ(imported.report.notes[0].text, ", ts 121463164s");
  // the last has no empty line behind it
  EXPECT_EQ(imported.pages[2].page.pfn, 4097);
  EXPECT_EQ(imported.pages[2].page.ts_nsec, 285099128);
  EXPECT_EQ(imported.pages[2].page.handle, imported.pages[1].page.handle);
}

TEST(ImportDialects, VendorsLines) {
  const Imported imported = test::import_bytes(dump("v6.7-jeffxie-slab-page-ext"));
  EXPECT_EQ(imported.report.nr_unkept_lines, 2);
  EXPECT_EQ(imported.pages[1].page.pid, 86);
  EXPECT_EQ(imported.pages[1].page.ts_nsec, 1121118666);
  EXPECT_EQ(comm_of(imported.pages[1].page), "linuxrc");
}

TEST(ImportDialects, SortedByPageOwnerSort) {
  const Imported imported = test::import_bytes(dump("v4.2-sort-times-addr"));
  EXPECT_EQ(imported.groups[0].nr_allocations, 699487);
  EXPECT_FALSE(imported.groups[0].nr_pages);
  EXPECT_EQ(imported.groups[0].record.page.gfp_mask, 0x280da);
  // the mark behind the last frame is none
  EXPECT_EQ(imported.stack_of(imported.groups[0].record),
            " __alloc_pages_nodemask+0x1de/0xb00\n handle_mm_fault+0x11bb/0x1480\n"
            " __do_page_fault+0x178/0x480\n do_page_fault+0x2b/0x40\n page_fault+0x28/0x30\n");
  const Imported both = test::import_bytes(dump("v5.16rc5-doc-sort-example"));
  EXPECT_EQ(both.groups[0].nr_allocations, 1);
  EXPECT_EQ(both.groups[0].nr_pages, 1);
  EXPECT_EQ(both.groups[0].record.page.pid, 1159);
  EXPECT_EQ(both.pages[0].page.pfn, 5124);
  const Imported culled = test::import_bytes(dump("v5.17-sort-cull-allocator"));
  EXPECT_EQ(culled.groups[1].nr_allocations, 1384);
  EXPECT_EQ(culled.groups[1].nr_pages, 1545);
  EXPECT_EQ(culled.groups[1].label, "allocated by SLAB");
}

TEST(ImportDialects, SortedWithoutTimesOrMasks) {
  const Imported sorted = test::import_bytes(dump("sort6-default-two-sums"));
  EXPECT_TRUE(sorted.report.is_complete());
  ASSERT_EQ(sorted.groups.size(), 2);
  EXPECT_EQ(sorted.groups[0].nr_allocations, 12);
  EXPECT_EQ(sorted.groups[0].nr_pages, 12);
  EXPECT_EQ(sorted.groups[0].label, "allocated by OTHERS");
  EXPECT_EQ(letters(sorted.groups[0].record.fields), "hogptc");
  EXPECT_EQ(comm_of(sorted.groups[0].record.page), "my (odd) task");
  EXPECT_EQ(letters(sorted.groups[1].record.fields), "hogptcm");
  EXPECT_EQ(sorted.groups[1].nr_pages, 24);

  const Imported tasks = test::import_bytes(dump("sort6-cull-pid-name"));
  ASSERT_EQ(tasks.groups.size(), 4);
  EXPECT_EQ(letters(tasks.groups[3].record.fields), "pc");
  EXPECT_EQ(comm_of(tasks.groups[3].record.page), "systemd");
  EXPECT_EQ(tasks.groups[3].nr_pages, 2232);

  const Imported old = test::import_bytes(dump("v2.6.11rc2-no-mask"));
  EXPECT_TRUE(old.report.is_complete());
  ASSERT_EQ(old.groups.size(), 3);
  EXPECT_EQ(old.groups[2].nr_allocations, 67641);
  EXPECT_EQ(letters(old.groups[2].record.fields), "ho");
  EXPECT_EQ(old.reader->stack(2).value()->frames.size(), 8);
}

TEST(ImportDialects, PageOwnerStacks) {
  const Imported counts = test::import_bytes(dump("v6.8rc-show_stacks-PoC-4stacks"));
  EXPECT_EQ(counts.groups[2].nr_allocations, 6781);
  EXPECT_FALSE(counts.groups[2].nr_pages);
  EXPECT_THAT(counts.stack_of(counts.groups[2].record),
              HasSubstr(" ext4_write_begin+0xbd/0x4b0 [ext4]\n"));
  const Imported pages = test::import_bytes(dump("v6.19-mfo-show_stacks"));
  EXPECT_EQ(pages.groups[0].nr_pages, 9643);
  EXPECT_FALSE(pages.groups[0].nr_allocations);
  const Imported handles = test::import_bytes(dump("v6.19-mfo-show_handles"));
  EXPECT_EQ(handles.groups[0].record.page.handle, 27000838);
  EXPECT_THAT(handles.stack_of(handles.groups[0].record), HasSubstr("only numbers"));
  const Imported both =
      test::import_bytes(dump("v6.19-mfo-show_handles") + dump("v6.19-mfo-show_stacks_handles"));
  EXPECT_EQ(both.groups[0].nr_pages, 9643);
  EXPECT_THAT(both.stack_of(both.groups[0].record), HasSubstr("filemap_fault+0x305/0x1000"));
}

/// A number that stands further down is that of the stack; others are given around it.
TEST(ImportDialects, NumbersOfTheTextAreKept) {
  const Imported imported = test::import_bytes(dump("v7.3-doc-stacks-handles"));
  std::vector<std::uint32_t> handles;
  for (const auto& group : imported.groups) handles.push_back(group.record.page.handle);
  EXPECT_THAT(handles, ElementsAre(1, 42, 42, 42));
  const std::string later = "PFN 2 Block 0 type 0 Flags K\n b+1\nhandle: 1\n\n";
  const Imported taken = test::import_bytes(
      "Page allocated via order 0, mask 0x1\n a+1\n\n"
      "Page allocated via order 0, mask 0x1\n" +
      later);
  ASSERT_EQ(taken.pages.size(), 2);
  EXPECT_EQ(taken.pages[0].page.handle, 2);
  EXPECT_EQ(taken.stack_of(taken.pages[1]), " b+1\n");
  EXPECT_EQ(taken.pages[1].page.handle, 1);
  const Imported one = test::import_bytes(dump("v6.17-mfo-stacks-handles-triple"));
  for (const auto& group : one.groups) EXPECT_EQ(group.record.page.handle, 1);
}

TEST(ImportDialects, HandleInPlaceOfAStack) {
  const Imported imported = test::import_bytes(dump("v7.1-zhenni-v7-handle-mode"));
  EXPECT_EQ(imported.pages[0].page.handle, 17432583);
  EXPECT_EQ(page_flags_of(imported, imported.pages[0]),
            "0x3fffe800000084(referenced|lru|active|private|node=0|zone=1)");
  EXPECT_EQ(imported.stack_of(imported.pages[0]),
            "the imported text has only numbers in place of stacks");
}

}  // namespace
}  // namespace pobpf
