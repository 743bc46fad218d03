// SPDX-License-Identifier: GPL-2.0-only
// Expects that what was written is read, also by any library for Protocol Buffers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdio>
#include <limits>

#include "made_up_pages.h"
#include "read_snapshot.h"
#include "snapshot/format.h"
#include "snapshot/header_message.h"

namespace pobpf {
namespace {

using test::is_same;
using test::made_snapshot;
using test::RandomPages;
using test::read_snapshot;
using ::testing::HasSubstr;

/// All frames, as `zstd -dc` writes them.
std::string decompressed(std::string_view file) {
  std::string all;
  while (!file.empty()) {
    const std::size_t size = ZSTD_findFrameCompressedSize(file.data(), file.size());
    if (ZSTD_isError(size) != 0) return {};
    std::string content(ZSTD_getFrameContentSize(file.data(), size), '\0');
    if (ZSTD_decompress(content.data(), content.size(), file.data(), size) != content.size())
      return {};
    all += content;
    file.remove_prefix(size);
  }
  return all;
}

TEST(Snapshot, HoldsEveryFieldOfEveryPage) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto pages = RandomPages(seed).take(1 + seed * 97);
    const auto read = read_snapshot(made_snapshot(pages));
    ASSERT_FALSE(read.error) << read.error->what;
    EXPECT_TRUE(is_same(read.pages, pages)) << "seed " << seed;
    EXPECT_EQ(read.fields, kAllPageFields);
  }
}

bool is_same_detail(const pobpf_page_detail& a, const pobpf_page_detail& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

TEST(Snapshot, HoldsEveryDetailOfEveryPage) {
  constexpr std::size_t kNrPages = kBlockPagesMax + 100;
  const auto pages = RandomPages(1).take(kNrPages);
  const auto details = test::random_details(2, kNrPages);
  const auto read = read_snapshot(made_snapshot(pages, kLevelDefault, details));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(is_same(read.pages, pages));
  EXPECT_TRUE(std::ranges::equal(read.details, details, is_same_detail));
  EXPECT_EQ(read.fields,
            kAllPageFields | PageField::kKind | PageField::kFreeSide | PageField::kProcess);
}

TEST(Snapshot, HoldsFreeSidesOnRequestOnly) {
  const auto pages = RandomPages(1).take(100);
  auto details = test::random_details(2, 100);
  const auto read =
      read_snapshot(made_snapshot(pages, kLevelDefault, details, FreeSidePolicy::kOmit));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.fields, kAllPageFields | PageField::kKind | PageField::kProcess);
  for (pobpf_page_detail& detail : details) {
    detail.free_handle = 0;
    detail.free_pid = detail.free_tgid = 0;
    detail.has_free_pid = 0;
  }
  EXPECT_TRUE(std::ranges::equal(read.details, details, is_same_detail));
}

TEST(Snapshot, HoldsFreeSidesOfAKernelThatNamesNobody) {
  const auto pages = RandomPages(1).take(100);
  auto details = test::random_details(2, 100);
  for (pobpf_page_detail& detail : details) {
    detail.free_pid = detail.free_tgid = 0;
    detail.has_free_pid = 0;
  }
  const auto read = read_snapshot(made_snapshot(pages, kLevelDefault, details));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(std::ranges::equal(read.details, details, is_same_detail));
}

TEST(Snapshot, PagesWithAndWithoutDetailsShareNoBlock) {
  const auto pages = RandomPages(1).take(10);
  const auto details = test::random_details(2, 10);
  samples::MadeUpContext context;
  test::fill(context);
  std::string file;
  SnapshotWriter writer(context, file, 1);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(pages));
  ASSERT_TRUE(writer.append(pages, kAllPageFields, details));
  ASSERT_TRUE(writer.append(pages));
  ASSERT_TRUE(writer.end(std::nullopt));
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.footer->nr_blocks, 3);
  EXPECT_EQ(read.pages.size(), 30);
  EXPECT_EQ(read.details.size(), 10);
}

/// As of a kernel whose clock counts ticks: the file is hardly larger than that of a few pages.
TEST(Snapshot, HoldsManyPagesThatAreAlike) {
  pobpf_page page{};
  page.kind = POBPF_ITEM_PAGE;
  page.handle = 16;
  std::vector<pobpf_page> pages(300'000, page);
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i].pfn = i;
  const std::string file = made_snapshot(pages);
  EXPECT_LT(file.size(), 16 * 1024);
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(is_same(read.pages, pages));
}

TEST(Snapshot, HoldsSeveralBlocks) {
  const auto pages = RandomPages(1).take(2 * kBlockPagesMax + 1);
  const auto read = read_snapshot(made_snapshot(pages));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(is_same(read.pages, pages));
  EXPECT_EQ(read.footer->nr_blocks, 3);
  EXPECT_EQ(read.footer->nr_pages, pages.size());
}

/// The limit of a frame is one that no block can meet.
TEST(Snapshot, HoldsABlockOfPagesThatHaveNothingInCommon) {
  std::mt19937_64 random(5);
  std::vector<pobpf_page> pages(kBlockPagesMax);
  for (pobpf_page& page : pages) {
    page.kind = POBPF_ITEM_PAGE;
    page.order = static_cast<__u16>(random() % (kOrderMax + 1));
    page.last_migrate_reason = static_cast<__s16>(random());
    page.pageblock_migratetype = static_cast<__u8>(random() | 0x80);
    page.memcg_flags = 0xf5;
    page.pfn = random();
    page.flags = random();
    page.ts_nsec = random();
    page.free_ts_nsec = random();
    page.cgroup_id = random();
    page.gfp_mask = static_cast<__u32>(random() | 0x80000000);
    page.handle = 1 + static_cast<__u32>(random() % test::kNrStacks);
    page.pid = static_cast<__s32>(random());
    page.tgid = static_cast<__s32>(random());
    samples::set_comm(page, std::string(POBPF_COMM_BYTES, static_cast<char>(1 + random() % 255)));
  }
  std::vector<pobpf_page_detail> details(kBlockPagesMax);
  for (pobpf_page_detail& detail : details) {
    detail.kind_flags = random() | std::uint64_t{1} << 63;
    detail.page_type = static_cast<__u32>(random());
    detail.mapping = POBPF_MAPPING_FILE;
    detail.free_handle = 1 + static_cast<__u32>(random() % test::kNrStacks);
    detail.free_pid = static_cast<__s32>(random() | 0x40000000);
    detail.free_tgid = static_cast<__s32>(random() | 0x40000000);
    detail.has_free_pid = 1;
  }
  const auto read = read_snapshot(made_snapshot(pages, kLevelDefault, details));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(is_same(read.pages, pages));
}

TEST(Snapshot, HoldsTheLargestDifferences) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  std::vector<pobpf_page> pages(6);
  for (pobpf_page& page : pages) {
    page.kind = POBPF_ITEM_PAGE;
    page.handle = 1;
  }
  pages[1].pfn = pages[1].ts_nsec = pages[1].free_ts_nsec = kMax;
  pages[2].pfn = pages[2].ts_nsec = pages[2].free_ts_nsec = 1;
  pages[3].pfn = pages[3].ts_nsec = pages[3].free_ts_nsec = kMax / 2 + 1;
  pages[4].pfn = pages[4].ts_nsec = pages[4].free_ts_nsec = 1;
  pages[5].order = kOrderMax;
  const auto read = read_snapshot(made_snapshot(pages));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(is_same(read.pages, pages));
}

/// Zero where it is not known.
pobpf_page known_part(const pobpf_page& page, PageFields fields) {
  pobpf_page part{};
  part.kind = page.kind;
  const auto copy = [&](PageField field, auto member) {
    if (has_field(fields, field)) part.*member = page.*member;
  };
  copy(PageField::kHandle, &pobpf_page::handle);
  copy(PageField::kOrder, &pobpf_page::order);
  copy(PageField::kGfpMask, &pobpf_page::gfp_mask);
  copy(PageField::kPid, &pobpf_page::pid);
  copy(PageField::kTgid, &pobpf_page::tgid);
  copy(PageField::kTsNsec, &pobpf_page::ts_nsec);
  copy(PageField::kFreeTsNsec, &pobpf_page::free_ts_nsec);
  copy(PageField::kFlags, &pobpf_page::flags);
  copy(PageField::kPageblockMigratetype, &pobpf_page::pageblock_migratetype);
  copy(PageField::kLastMigrateReason, &pobpf_page::last_migrate_reason);
  copy(PageField::kMemcg, &pobpf_page::memcg_flags);
  copy(PageField::kMemcg, &pobpf_page::cgroup_id);
  copy(PageField::kPfn, &pobpf_page::pfn);
  if (has_field(fields, PageField::kComm)) std::memcpy(part.comm, page.comm, sizeof(page.comm));
  return part;
}

TEST(Snapshot, HoldsWhatIsKnownOfPages) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto fields = static_cast<PageFields>(std::mt19937_64(seed)() & kAllPageFields);
    auto pages = RandomPages(seed).take(200);
    for (pobpf_page& page : pages) page = known_part(page, fields);
    samples::MadeUpContext context;
    test::fill(context);
    std::string file;
    SnapshotWriter writer(context, file, 1);
    // a block of all fields, and one of some
    ASSERT_TRUE(writer.begin(test::made_up_header()));
    ASSERT_TRUE(writer.append(RandomPages(1).take(3)));
    ASSERT_TRUE(writer.append(pages, fields));
    ASSERT_TRUE(writer.end(std::nullopt));
    const auto read = read_snapshot(file);
    ASSERT_FALSE(read.error) << read.error->what;
    EXPECT_EQ(read.fields, fields);
    EXPECT_EQ(read.footer->nr_blocks, 2);
    EXPECT_TRUE(is_same({read.pages.begin() + 3, read.pages.end()}, pages)) << fields;
  }
}

TEST(Snapshot, HoldsSumsWithoutPages) {
  DecodedGroups groups;
  groups.records.pages = RandomPages(2).take(3);
  groups.records.fields = kAllPageFields;
  groups.nr_pages = {1, kPagesMax / 2, 0};
  groups.labels = {"allocated by SLAB", "", "\xff"};
  samples::MadeUpContext context;
  test::fill(context);
  std::string file;
  SnapshotWriter writer(context, file, 1);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(RandomPages(1).take(3)));
  ASSERT_TRUE(writer.append(groups));
  ASSERT_TRUE(writer.append(RandomPages(3).take(3)));
  ASSERT_TRUE(writer.end(std::nullopt));
  const auto pages = read_snapshot(file);
  EXPECT_EQ(pages.pages.size(), 6);
  EXPECT_EQ(pages.footer->nr_groups, 3);
  EXPECT_EQ(pages.reader->nr_groups(), 3);
  const test::TempDir dir;
  dir.write("file", file);
  const auto reader = SnapshotReader::open(dir / "file", DamagePolicy::kRefuse).value();
  const DecodedGroups& read = *reader->next_groups().value();
  EXPECT_TRUE(is_same(read.records.pages, groups.records.pages));
  EXPECT_TRUE(read.nr_allocations.empty());
  EXPECT_EQ(read.nr_pages, groups.nr_pages);
  EXPECT_EQ(read.labels, groups.labels);
  EXPECT_EQ(reader->next_groups().value(), nullptr);
}

TEST(Snapshot, HoldsTheTextsOfAnImport) {
  samples::MadeUpContext context;
  std::string file;
  SnapshotWriter writer(context, file, 1);
  SnapshotHeader header;
  header.facts.emplace();
  ASSERT_TRUE(writer.begin(header));
  NewTexts texts;
  for (std::uint32_t i = 0; i < 5000; ++i) texts.page_flags.emplace_back(i, std::to_string(i));
  texts.gfp = {{7, {"A|B", 1}}, {8, {std::nullopt, 0}}};
  texts.migratetypes = {{0, "Movable"}, {3, "CMA"}};
  texts.pageblock_order = 12;
  ASSERT_TRUE(writer.append(texts));
  ASSERT_TRUE(writer.end(std::nullopt));
  // of a kernel that can be asked they are damage
  EXPECT_THAT(read_snapshot(file).error->what, HasSubstr("it has texts of an import"));

  header.facts->texts.emplace();
  file.clear();
  SnapshotWriter import(context, file, 1);
  ASSERT_TRUE(import.begin(header));
  ASSERT_TRUE(import.append(texts));
  ASSERT_TRUE(import.end(std::nullopt));
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  const KernelFacts& facts = *read.reader->header().facts;
  EXPECT_EQ(facts.texts->page_flags.size(), 5000);
  EXPECT_EQ(facts.texts->page_flags.at(4999), "4999");
  EXPECT_EQ(facts.texts->gfp.at(7).names, "A|B");
  EXPECT_FALSE(facts.texts->gfp.at(8).names);
  EXPECT_EQ(facts.migratetype_names, (std::vector<std::string>{"Movable", "", "", "CMA"}));
  EXPECT_EQ(facts.pageblock_order, 12);
}

TEST(Snapshot, HoldsNoPages) {
  const auto read = read_snapshot(made_snapshot({}));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_TRUE(read.pages.empty());
  EXPECT_EQ(read.footer->nr_blocks, 0);
}

TEST(Snapshot, HoldsTheHeader) {
  const auto read = read_snapshot(made_snapshot({}));
  const SnapshotHeader made = test::made_up_header();
  const SnapshotHeader& header = read.reader->header();
  EXPECT_EQ(header.pobpf_version, made.pobpf_version);
  EXPECT_EQ(header.kernel_release, made.kernel_release);
  EXPECT_EQ(header.hostname, made.hostname);
  EXPECT_EQ(header.wall_clock_ns, made.wall_clock_ns);
  EXPECT_EQ(header.local_clock_ns, made.local_clock_ns);
  EXPECT_EQ(header.page_size, made.page_size);
  EXPECT_EQ(header.filters, made.filters);
  EXPECT_EQ(header.max_nodes, made.max_nodes);
  ASSERT_EQ(header.nodes.size(), 2);
  EXPECT_EQ(header.nodes[1].nid, 3);
  EXPECT_EQ(header.nodes[1].pfns, made.nodes[1].pfns);
  EXPECT_EQ(header.page_types.names, made.page_types.names);
  ASSERT_TRUE(header.facts);
  EXPECT_EQ(header.facts->gfp_names.size(), made.facts->gfp_names.size());
  EXPECT_EQ(header.facts->gfp_names[1].name, made.facts->gfp_names[1].name);
  EXPECT_EQ(header.facts->page_flag_fields[4].mask, made.facts->page_flag_fields[4].mask);
  EXPECT_FALSE(header.facts->page_flag_fields[2].is_hex);
  EXPECT_TRUE(header.facts->page_flag_fields[4].is_hex);
  EXPECT_EQ(header.facts->migrate_reason_names, made.facts->migrate_reason_names);
  EXPECT_EQ(header.facts->migrate_reason_never, -1);
}

/// Those of a snapshot without pages, as they are read.
KernelFacts facts_read_back(const SnapshotHeader& made) {
  samples::MadeUpContext context;
  std::string file;
  SnapshotWriter writer(context, file, kLevelMin);
  EXPECT_TRUE(writer.begin(made) && writer.end(std::nullopt));
  const auto read = read_snapshot(file);
  EXPECT_FALSE(read.error) << read.error->what;
  return read.error ? KernelFacts() : *read.reader->header().facts;
}

/// Each by itself, as distributions mix them.
TEST(Snapshot, HoldsHowRecordsArePrinted) {
  for (unsigned bits = 0; bits < 8; ++bits) {
    SnapshotHeader made = test::made_up_header();
    made.facts->text_layout = {.is_pfn_decimal = (bits & 1) != 0,
                               .shows_free_ts = (bits & 2) != 0,
                               .omits_charges = (bits & 4) != 0};
    made.facts->gfp_migratetype_shift = 4 + bits;
    made.facts->gfp_migratetype_mask = 7;
    const KernelFacts facts = facts_read_back(made);
    EXPECT_EQ(facts.text_layout, made.facts->text_layout);
    EXPECT_EQ(facts.gfp_migratetype_shift, 4 + bits);
    EXPECT_EQ(facts.gfp_migratetype_mask, 7U);
  }
}

TEST(Snapshot, HoldsThatItIsNotKnownHowRecordsArePrinted) {
  SnapshotHeader made = test::made_up_header();
  made.facts->text_layout.reset();
  const KernelFacts facts = facts_read_back(made);
  EXPECT_FALSE(facts.text_layout);
  EXPECT_EQ(facts.known_text_layout().error().what,
            "how the kernel prints records is not known: it was not known when they were recorded");
}

/// An earlier pobpf would print records in a way of its own.
TEST(Snapshot, IsOfAnotherVersionWhereTheTextIsNotKnown) {
  for (const bool is_known : {true, false}) {
    SnapshotHeader made = test::made_up_header();
    if (!is_known) made.facts->text_layout.reset();
    snapshot::Header message;
    write_header(made, message);
    EXPECT_EQ(message.format_version(), is_known ? 4U : 5U);
    EXPECT_TRUE(read_header(message));
  }
}

/// Earlier versions wrote the layout of 6.4 for all kernels without page_owner.free_pid.
TEST(Snapshot, AGuessedLayoutIsBelievedOfKernelsThatHaveIt) {
  struct Guess {
    const char* release;
    TextLayout layout;
    bool is_believed;
  };
  constexpr TextLayout kOld{true, true};
  for (const Guess& now :
       {Guess{"6.1.0-40-amd64", kOld, true}, Guess{"5.18.0", kOld, true},
        Guess{"6.4.0-150600.21-default", kOld, true}, Guess{"6.5.0", kOld, false},
        Guess{"6.6.30", kOld, false}, Guess{"5.14.0-427.el9.x86_64", kOld, false},
        Guess{"", kOld, false}, Guess{"6.12.1", {}, true}, Guess{"5.14.0-999", {}, true}}) {
    SCOPED_TRACE(now.release);
    SnapshotHeader made = test::made_up_header();
    made.kernel_release = now.release;
    made.facts->text_layout = now.layout;
    snapshot::Header message;
    write_header(made, message);
    EXPECT_EQ(read_header(message)->facts->text_layout, now.layout);
    message.mutable_tables()->clear_is_text_layout_found();
    const auto header = read_header(message);
    ASSERT_TRUE(header) << header.error().what;
    EXPECT_EQ(header->facts->text_layout.has_value(), now.is_believed);
    if (!now.is_believed) {
      EXPECT_THAT(header->facts->known_text_layout().error().what,
                  HasSubstr("did not look at its format strings"));
    }
    // each record of an import says it
    message.mutable_tables()->set_is_imported(true);
    EXPECT_TRUE(read_header(message)->facts->text_layout);
  }
}

TEST(Snapshot, HoldsTheAccount) {
  const auto pages = RandomPages(1).take(10);
  const auto read = read_snapshot(made_snapshot(pages));
  ASSERT_TRUE(read.footer && read.footer->account);
  EXPECT_TRUE(read.footer->account->is_balanced());
  EXPECT_EQ(read.footer->account->emitted, 10);
  EXPECT_EQ(read.footer->account->filtered[POBPF_FILTER_STACK], 6);
  EXPECT_EQ(read.footer->account->outside, 9);
}

TEST(Snapshot, HoldsStacksAndCgroupsAsTheyWere) {
  const auto read = read_snapshot(made_snapshot(RandomPages(3).take(2000)));
  samples::MadeUpContext context;
  test::fill(context);
  for (const auto& [handle, stack] : context.stacks) {
    const auto same = read.reader->stack(handle);
    ASSERT_TRUE(same) << same.error().what;
    EXPECT_EQ((*same)->kernel_text, stack.kernel_text);
    ASSERT_EQ((*same)->frames.size(), stack.frames.size());
    for (std::size_t i = 0; i < stack.frames.size(); ++i) {
      EXPECT_EQ((*same)->frames[i].address, stack.frames[i].address);
      EXPECT_EQ((*same)->frames[i].symbol, stack.frames[i].symbol);
    }
  }
  EXPECT_EQ(read.reader->cgroup_name(1).value(), context.cgroups[1]);
}

TEST(Snapshot, HoldsTheCgroupsAboveThoseOfPages) {
  samples::MadeUpContext context;
  context.add_stack(1, {"f+0x1/0x2"});
  context.cgroups = {{1, "/"}, {8, "/a/b"}, {9, "/a"}};
  context.above = {{8, {9, 1}}, {9, {1}}};
  std::vector<pobpf_page> pages(3);
  const std::uint64_t ids[] = {8, 1, 9};
  for (std::size_t i = 0; i < pages.size(); ++i) {
    pages[i].handle = 1;
    pages[i].memcg_flags = POBPF_MEMCG_CHARGED;
    pages[i].cgroup_id = ids[i];
  }
  std::string file;
  SnapshotWriter writer(context, file, 1);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(pages));
  ASSERT_TRUE(writer.end(std::nullopt));
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  using Ids = std::vector<std::uint64_t>;
  EXPECT_EQ(read.reader->cgroups_above(8), (Ids{9, 1}));
  EXPECT_EQ(read.reader->cgroups_above(9), Ids{1});
  EXPECT_EQ(read.reader->cgroups_above(1), Ids());
}

TEST(Snapshot, HoldsWhyAStackCouldNotBeRead) {
  samples::MadeUpContext context;
  std::string file;
  SnapshotWriter writer(context, file, 1);
  pobpf_page page{};
  page.handle = 9;
  page.memcg_flags = POBPF_MEMCG_CHARGED;
  page.cgroup_id = 8;
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(std::span(&page, 1)));
  ASSERT_TRUE(writer.end(std::nullopt));
  EXPECT_EQ(writer.nr_unreadable(), 2);
  EXPECT_EQ(writer.first_error().what, "no such stack");
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_FALSE(read.footer->account);
  EXPECT_EQ(read.reader->stack(9).error().what, "no such stack");
  EXPECT_EQ(read.reader->cgroup_name(8).error().what, "no such cgroup");
}

TEST(Snapshot, LongSymbolsGoIntoSeveralItems) {
  samples::MadeUpContext context;
  std::vector<pobpf_page> pages(500);
  for (std::uint32_t i = 0; i < pages.size(); ++i) {
    pages[i].handle = i + 1;
    context.add_stack(i + 1,
                      std::vector<std::string>(16, std::to_string(i) + std::string(700, 's')));
  }
  std::string file;
  SnapshotWriter writer(context, file, 1);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(pages));
  ASSERT_TRUE(writer.end(std::nullopt));
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.footer->nr_stacks, pages.size());
  EXPECT_EQ(read.reader->stack(500).value()->kernel_text, context.stacks[500].kernel_text);
}

TEST(Snapshot, EveryLevelHoldsTheSame) {
  const auto pages = RandomPages(4).take(3000);
  for (const int level : {kLevelMin, 9, kLevelMax})
    EXPECT_TRUE(is_same(read_snapshot(made_snapshot(pages, level)).pages, pages)) << level;
}

TEST(Snapshot, IsAMessageForProtoc) {
  const auto pages = RandomPages(6).take(100);
  const std::string stream = decompressed(made_snapshot(pages));
  const test::TempDir dir;
  dir.write("stream", stream);
  const std::string command = "'" POBPF_PROTOC "' '--proto_path=" POBPF_SNAPSHOT_PROTO
                              "' --decode=pobpf.snapshot.Snapshot snapshot.proto <'" +
                              (dir / "stream").string() + "' >'" + (dir / "text").string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string text = dir.read("text");
  EXPECT_THAT(text, HasSubstr("pobpf_version: \"0.0.0\""));
  EXPECT_THAT(text, HasSubstr("nr_pages: 100"));
  EXPECT_THAT(text, HasSubstr("f6+0x1/0x2\\000"));
  // nothing that the schema does not name
  EXPECT_EQ(text.find("\n  1: "), std::string::npos);
  // a byte of a name that is not UTF-8
  EXPECT_THAT(text, HasSubstr("kernel_release: \"6.12.0-\\377\""));
}

}  // namespace
}  // namespace pobpf
