// SPDX-License-Identifier: GPL-2.0-only
// Databases of made-up snapshots, looked into with libsqlite3.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "../../cli/command_test.h"
#include "../../snapshot/made_up_pages.h"
#include "database.h"
#include "format/sqlite_formatter.h"
#include "snapshot/format.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

using test::Database;
using test::SqlRow;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

/// As INTEGER has it.
std::string integer(std::uint64_t value) {
  return std::to_string(static_cast<std::int64_t>(value));
}

class SqliteReport : public test::CommandTest {
 protected:
  SqliteReport() { options.format = Format::kSqlite; }

  void make_snapshot(FreeSidePolicy free_sides = FreeSidePolicy::kRecord) const {
    dir.write("snapshot", test::made_snapshot(pages, kLevelDefault, details, free_sides));
  }
  /// Does what pobpf report does; data goes to "db".
  Result<ExitStatus> report(DamagePolicy policy = DamagePolicy::kRefuse) {
    auto snapshot = SnapshotSession::open(dir / "snapshot", policy);
    if (!snapshot) return fail(std::move(snapshot).error());
    auto output = Output::to_named_file(dir / "db");
    if (!output) return fail(std::move(output).error());
    ::testing::internal::CaptureStderr();
    set_up_logging(options.format, options.is_quiet, options.verbosity);
    auto ended = report_pages(**snapshot, options, *output);
    said = ::testing::internal::GetCapturedStderr();
    return ended;
  }
  /// A database of `pages` without a snapshot; `fields` are known of them.
  void write(samples::MadeUpContext& context, PageFields fields = kAllPageFields) const {
    const auto header = test::made_up_header();
    auto output = Output::to_named_file(dir / "db");
    ASSERT_TRUE(output);
    auto formatter = make_sqlite_formatter(listing_source_of(header), *output, nullptr);
    ASSERT_TRUE(formatter) << formatter.error().what;
    (*formatter)->set_fields(fields);
    append(**formatter, context);
    std::string out;
    ASSERT_TRUE((*formatter)->append_end({}, out));
    EXPECT_EQ(out, "");
    formatter->reset();
    ASSERT_TRUE(output->commit());
  }
  void append(PageFormatter& formatter, samples::MadeUpContext& context) const {
    std::string out;
    for (std::size_t i = 0; i < pages.size(); ++i) {
      const auto* const detail = details.empty() ? nullptr : &details[i];
      ASSERT_TRUE(formatter.append(pages[i], detail, context, out));
    }
    ASSERT_TRUE(formatter.status());
    EXPECT_EQ(out, "");
  }
  [[nodiscard]] Database database() const { return Database(dir / "db"); }

  std::vector<pobpf_page> pages = test::RandomPages(5).take(3000);
  std::vector<pobpf_page_detail> details = test::random_details(6, 3000);
  std::string text;
};

SqlRow expected(const pobpf_page& page, const pobpf_page_detail& detail) {
  const auto* bytes = reinterpret_cast<const char*>(page.comm);
  return {integer(page.pfn),
          std::to_string(page.order),
          std::to_string(page.handle),
          std::to_string(page.gfp_mask),
          std::to_string(page.pid),
          std::to_string(page.tgid),
          escaped({bytes, strnlen(bytes, sizeof(page.comm))}),
          integer(page.ts_nsec),
          integer(page.free_ts_nsec),
          integer(page.flags),
          std::to_string(page.pageblock_migratetype),
          std::to_string(page.last_migrate_reason),
          std::to_string(page.memcg_flags),
          integer(page.cgroup_id),
          integer(detail.kind_flags),
          std::to_string(detail.page_type),
          std::to_string(detail.mapping),
          std::to_string(detail.free_handle),
          std::to_string(detail.free_pid),
          std::to_string(detail.free_tgid)};
}

TEST_F(SqliteReport, HoldsEveryFieldOfEveryPage) {
  make_snapshot();
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  EXPECT_EQ(said, "");
  const auto rows = database().rows(
      "SELECT pfn, page_order, handle, gfp_mask, pid, tgid, comm, ts_nsec, free_ts_nsec, flags, "
      "pageblock_migratetype, last_migrate_reason, memcg_flags, cgroup_id, kind_flags, page_type, "
      "mapping, free_handle, free_pid, free_tgid FROM pages JOIN processes ON process = "
      "processes.id JOIN kinds ON kind = kinds.id ORDER BY pages.id");
  ASSERT_EQ(rows.size(), pages.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    ASSERT_EQ(rows[i], expected(pages[i], details[i])) << i;
}

TEST_F(SqliteReport, ListsEveryPageOnceWithItsNames) {
  make_snapshot();
  ASSERT_TRUE(report());
  EXPECT_THAT(database().value("SELECT count(*) FROM page_list"), Optional(std::string("3000")));
  for (const char* view :
       {"by_stack", "by_function", "by_module", "by_task", "by_process", "by_allocator", "by_order",
        "by_gfp", "by_migratetype", "by_zone", "by_memcg"})
    EXPECT_THAT(database().value(fmt::format("SELECT sum(allocations) FROM {}", view)),
                Optional(std::string("3000")))
        << view;
}

TEST_F(SqliteReport, TellsAnUnknownCgroupFromNone) {
  pages = {samples::android_migrated(), samples::android_migrated()};
  pages[0].memcg_flags = POBPF_MEMCG_UNKNOWN;
  pages[1].memcg_flags = 0;
  ++pages[1].pfn;
  for (pobpf_page& page : pages) page.cgroup_id = 0;
  details = {{}, {}};
  samples::MadeUpContext context;
  context.add_stack(7, {"post_alloc_hook+0x23c/0x254"});
  write(context, kEveryPageField);
  EXPECT_EQ(database().rows("SELECT coalesce(name, 'none'), pages FROM by_memcg ORDER BY 1"),
            (std::vector<SqlRow>{{"(unknown)", "1"}, {"none", "1"}}));
}

TEST_F(SqliteReport, NamesWhatIsJoined) {
  pages = {samples::android_migrated()};
  details = {{}};
  details[0].mapping = POBPF_MAPPING_ANON;
  samples::MadeUpContext context;
  context.add_stack(7, {"post_alloc_hook+0x23c/0x254", "f.isra.0+0xa/0xb [m]"});
  context.cgroups[1] = "/a/system.slice";
  write(context, kEveryPageField);
  EXPECT_THAT(
      database().rows("SELECT pfn, nr_pages, comm, gfp_flags, migratetype, pageblock, "
                      "pageblock_migratetype, flags, page_flags, nid, zone, last_migrate_reason, "
                      "slab_memcg, memcg_name, memcg_id, memcg_online, memcg_via_objcg, allocator, "
                      "function, module, memcg_path FROM page_list"),
      ElementsAre(SqlRow{"2126387",
                         "1",
                         "ccci_mdinit",
                         "GFP_NOFS|__GFP_COMP|__GFP_HARDWALL|__GFP_MOVABLE",
                         "Movable",
                         "4153",
                         "CMA",
                         "0x4020000000008224",
                         "referenced|lru|workingset|private",
                         "0",
                         "1",
                         "compaction",
                         "0",
                         "system.slice",
                         "1",
                         "1",
                         "0",
                         "anonymous",
                         "f",
                         "m",
                         "/a/system.slice"}));
  EXPECT_THAT(
      database().rows("SELECT * FROM frames"),
      ElementsAre(SqlRow{"7", "0", "0xffffffff81000000", "post_alloc_hook+0x23c/0x254",
                         "post_alloc_hook", std::nullopt, "572"},
                  SqlRow{"7", "1", "0xffffffff81000001", "f.isra.0+0xa/0xb [m]", "f", "m", "10"}));
  EXPECT_THAT(database().value("SELECT stack FROM stack_texts"),
              Optional(std::string("post_alloc_hook+0x23c/0x254;f.isra.0+0xa/0xb [m]")));
}

TEST_F(SqliteReport, HoldsEachStackOnceWithItsFrames) {
  make_snapshot();
  ASSERT_TRUE(report());
  samples::MadeUpContext context;
  test::fill(context);
  std::vector<SqlRow> wanted;
  for (const auto& [handle, stack] : context.stacks)
    for (std::size_t i = 0; i < stack.frames.size(); ++i)
      wanted.push_back({std::to_string(handle), std::to_string(i),
                        fmt::format("{:#x}", stack.frames[i].address), stack.frames[i].symbol});
  EXPECT_EQ(database().rows("SELECT handle, position, address, symbol FROM frames "
                            "ORDER BY handle, position"),
            wanted);
}

TEST_F(SqliteReport, SaysWhereItIsFromAndWhatIsNotInIt) {
  make_snapshot();
  ASSERT_TRUE(report());
  const auto value = [&](const char* key) {
    return database().value(fmt::format("SELECT value FROM snapshot WHERE key = '{}'", key));
  };
  EXPECT_EQ(value("kernel_release"), "6.12.0-\\xff");
  EXPECT_EQ(value("hostname"), "host");
  EXPECT_EQ(value("filters"), "--nid 0");
  EXPECT_EQ(value("boot_id"), std::nullopt);
  EXPECT_EQ(value("wall_clock_ns"), "1700000000000000000");
  EXPECT_EQ(value("local_clock_ns"), "0");
  EXPECT_EQ(value("account_emitted"), "3000");
  EXPECT_EQ(value("account_free"), "7");
  EXPECT_EQ(value("account_filtered"), "11");
  EXPECT_EQ(value("account_filtered_stack"), "6");
  EXPECT_EQ(value("is_complete"), "1");
  EXPECT_THAT(database().rows("SELECT * FROM nodes"),
              ElementsAre(SqlRow{"0", "0", "4096"}, SqlRow{"3", "2048", "8192"}));
  EXPECT_EQ(database().value("PRAGMA user_version"), "1");
}

TEST_F(SqliteReport, UnknownFieldsAreNull) {
  details.clear();
  pages.resize(2);
  samples::MadeUpContext context;
  test::fill(context);
  write(context, PageFields{} | PageField::kPfn | PageField::kTgid);
  for (std::size_t i = 0; i < 2; ++i) {
    SqlRow wanted(19);
    wanted[0] = std::to_string(i + 1);
    wanted[1] = integer(pages[i].pfn);
    wanted[5] = database().value(
        fmt::format("SELECT id FROM processes WHERE tgid = {} AND pid IS NULL AND comm IS NULL",
                    pages[i].tgid));
    wanted[18] = "0";  // it is in use
    EXPECT_EQ(database().rows("SELECT * FROM pages")[i], wanted);
  }
  EXPECT_THAT(database().rows("SELECT * FROM stacks"), ElementsAre());
  EXPECT_EQ(database().rows("SELECT * FROM page_list").size(), 2U);
}

TEST_F(SqliteReport, WithoutAFreeSideItIsNull) {
  make_snapshot(FreeSidePolicy::kOmit);
  ASSERT_TRUE(report());
  EXPECT_EQ(database().value("SELECT count(*) FROM pages WHERE free_handle IS NULL AND free_pid "
                             "IS NULL AND free_tgid IS NULL AND kind IS NOT NULL"),
            "3000");
}

TEST_F(SqliteReport, NamesArePrintableAndStayDifferent) {
  using namespace std::string_literals;
  pages.assign(4, samples::android_migrated());
  details.clear();
  samples::set_comm(pages[0], "a\n\x1b'\"");
  samples::set_comm(pages[1], "a\\x0a");
  samples::set_comm(pages[2], "caf\xe9");
  samples::set_comm(pages[3], "caf\xc3\xa9");
  samples::MadeUpContext context;
  context.add_stack(7, {"f\0g\xfe+0x1/0x2 [m\n]"s});
  context.cgroups[1] = "x\0y\xff'); DROP TABLE pages"s;
  write(context);
  EXPECT_THAT(database().rows("SELECT comm FROM processes ORDER BY id"),
              ElementsAre(SqlRow{"a\\x0a\\x1b'\""}, SqlRow{"a\\\\x0a"}, SqlRow{"caf\\xe9"},
                          SqlRow{"caf\xc3\xa9"}));
  EXPECT_EQ(database().value("SELECT symbol FROM frames"), "f\\x00g\\xfe+0x1/0x2 [m\\x0a]");
  EXPECT_EQ(database().value("SELECT stack FROM by_stack"), "f\\x00g\\xfe+0x1/0x2 [m\\x0a]");
  EXPECT_EQ(database().value("SELECT name FROM cgroups"), "x\\x00y\\xff'); DROP TABLE pages");
}

TEST_F(SqliteReport, ImpossibleOrdersHaveNoSize) {
  pages.assign(3, samples::android_migrated());
  details.clear();
  pages[0].order = 31;
  pages[1].order = 63;
  pages[2].order = 65535;
  samples::MadeUpContext context;
  context.add_stack(7, {});
  context.cgroups[1] = "";
  write(context);
  EXPECT_EQ(database().value("SELECT sum(pages) FROM by_stack"), "2147483648");
  EXPECT_EQ(database().value("SELECT sum(allocations) FROM by_stack"), "3");
}

TEST_F(SqliteReport, MoreTasksAndFlagsThanAreRememberedAreThereOnce) {
  constexpr std::uint64_t kNrTasks = 70'000;
  pages.clear();
  details.clear();
  for (std::uint64_t i = 0; i < 2 * kNrTasks; ++i) {
    pages.push_back(samples::android_migrated());
    pages.back().tgid = static_cast<__s32>(i % kNrTasks);
    pages.back().flags = i % kNrTasks << 20;
  }
  samples::MadeUpContext context;
  context.add_stack(7, {});
  context.cgroups[1] = "";
  write(context);
  EXPECT_EQ(database().value("SELECT count(*) FROM processes"), std::to_string(kNrTasks));
  EXPECT_EQ(database().value("SELECT count(*) FROM flag_words"), std::to_string(kNrTasks));
  EXPECT_EQ(database().value("SELECT count(*) FROM by_process WHERE allocations = 2"),
            std::to_string(kNrTasks));
}

/// In an import, which may have numbers alone, and their names further down.
TEST_F(SqliteReport, NamesThatAreNotKnownAreNull) {
  auto header = test::made_up_header();
  header.facts->texts.emplace();
  ImportedTexts& texts = *header.facts->texts;
  samples::MadeUpContext context;
  const auto page_of = [](std::uint32_t gfp_mask, std::uint64_t flags) {
    pobpf_page page{};
    page.kind = POBPF_ITEM_PAGE;
    page.gfp_mask = gfp_mask;
    page.flags = flags;
    return page;
  };
  constexpr PageFields kFields = PageField::kGfpMask | PageField::kFlags;
  {
    auto output = Output::to_named_file(dir / "db");
    ASSERT_TRUE(output);
    auto formatter = make_sqlite_formatter(listing_source_of(header), *output, nullptr);
    ASSERT_TRUE(formatter) << formatter.error().what;
    (*formatter)->set_fields(kFields);
    for (const std::uint32_t number : {1U, 2U})
      ASSERT_TRUE((*formatter)->append(page_of(number, number), context, text));
    texts.gfp[2].names = "GFP_KERNEL";
    texts.page_flags[2] = "lru|node=3";
    ++texts.version;
    ASSERT_TRUE((*formatter)->append(page_of(2, 2), context, text));
    ASSERT_TRUE((*formatter)->append_end({}, text));
    formatter->reset();
    ASSERT_TRUE(output->commit());
  }
  EXPECT_THAT(database().rows("SELECT gfp_mask, names FROM gfp ORDER BY gfp_mask"),
              ElementsAre(SqlRow{"1", std::nullopt}, SqlRow{"2", "GFP_KERNEL"}));
  EXPECT_THAT(database().rows("SELECT flags, names, nid FROM flag_words ORDER BY flags"),
              ElementsAre(SqlRow{"1", std::nullopt, std::nullopt}, SqlRow{"2", "lru", "3"}));
}

/// In a damaged file, what is not there is said once, however many pages refer to it, and shown
/// once it comes.
TEST_F(SqliteReport, WhatComesLateIsThere) {
  pages.assign(3, samples::android_migrated());
  details.clear();
  pages[1].handle = 8;
  pages[1].cgroup_id = 2;
  const auto header = test::made_up_header();
  samples::MadeUpContext context;
  {
    auto output = Output::to_named_file(dir / "db");
    ASSERT_TRUE(output);
    auto formatter = make_sqlite_formatter(listing_source_of(header), *output, nullptr);
    ASSERT_TRUE(formatter) << formatter.error().what;
    append(**formatter, context);
    context.add_stack(7, {"f+0x1/0x2"});
    context.cgroups[1] = "/a";
    append(**formatter, context);
    auto missing = (*formatter)->append_end({}, text);
    ASSERT_TRUE(missing && *missing);
    EXPECT_THAT((*missing)->what, HasSubstr("4 stacks or cgroups that could not be read"));
    formatter->reset();
    ASSERT_TRUE(output->commit());
  }
  EXPECT_THAT(database().rows("SELECT handle, function, error IS NULL FROM stacks ORDER BY 1"),
              ElementsAre(SqlRow{"7", "f", "1"}, SqlRow{"8", std::nullopt, "0"}));
  EXPECT_THAT(
      database().rows("SELECT id, name, path, error IS NULL FROM cgroups ORDER BY 1"),
      ElementsAre(SqlRow{"1", "a", "/a", "1"}, SqlRow{"2", std::nullopt, std::nullopt, "0"}));
}

TEST_F(SqliteReport, WhatCouldNotBeReadIsSaid) {
  samples::MadeUpContext context;
  test::fill(context);
  context.stacks.erase(7);
  std::string file;
  SnapshotWriter writer(context, file, kLevelDefault);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  ASSERT_TRUE(writer.append(pages));
  ASSERT_TRUE(writer.end(test::account_of(pages.size())));
  dir.write("snapshot", file);
  EXPECT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("1 stack or cgroup that could not be read (no such stack)"));
  EXPECT_EQ(database().value("SELECT count(*) FROM pages"), "3000");
  EXPECT_THAT(database().value("SELECT error FROM stacks WHERE handle = 7"),
              Optional(HasSubstr("no such stack")));
  EXPECT_EQ(database().value("SELECT value FROM snapshot WHERE key = 'is_complete'"), "0");
}

TEST_F(SqliteReport, SalvageIsIncompleteAndTheDatabaseSaysSo) {
  pages = test::RandomPages(5).take(kBlockPagesMax + 100);
  details.clear();
  make_snapshot();
  const std::string file = dir.read("snapshot");
  dir.write("snapshot", file.substr(0, file.size() - 2000));
  EXPECT_FALSE(report());
  EXPECT_FALSE(std::filesystem::exists(dir / "db"));
  EXPECT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("an unknown number of records lost in 1 damaged place"));
  EXPECT_EQ(database().value("SELECT value FROM snapshot WHERE key = 'is_complete'"), "0");
  EXPECT_EQ(database().value("SELECT value FROM snapshot WHERE key = 'damaged_places'"), "1");
  EXPECT_EQ(database().value("SELECT value FROM snapshot WHERE key = 'lost_pages'"), std::nullopt);
  EXPECT_EQ(database().value("SELECT count(*) FROM snapshot WHERE key LIKE 'account%'"), "0");
}

TEST_F(SqliteReport, FiltersWork) {
  for (pobpf_page& page : pages) page.order %= 11;
  make_snapshot();
  options.filter.orders.wanted = {{0, 2}};
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  const auto nr_wanted = std::count_if(pages.begin(), pages.end(),
                                       [](const pobpf_page& page) { return page.order <= 2; });
  EXPECT_EQ(database().value("SELECT count(*) FROM pages"), std::to_string(nr_wanted));
}

TEST_F(SqliteReport, IsReadableByItsOwnerOnlyAndAlone) {
  make_snapshot();
  ASSERT_TRUE(report());
  struct stat status {};
  ASSERT_EQ(::stat((dir / "db").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(dir.count(), 2U);
}

TEST_F(SqliteReport, AFullDiskIsAnErrorAndLeavesTheOldFile) {
  make_snapshot();
  dir.write("db", "old");
  struct rlimit saved {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  static_cast<void>(::signal(SIGXFSZ, SIG_IGN));
  // in the middle of the first page; behind what is in memory only
  for (const rlim_t limit : {rlim_t{100}, rlim_t{128} << 10}) {
    const struct rlimit small { limit, saved.rlim_max };
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    auto ended = report();
    ::setrlimit(RLIMIT_FSIZE, &saved);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().what, "writing " + (dir / "db").string() + ": File too large");
    EXPECT_EQ(ended.error().hint, "free some space or choose another place");
    EXPECT_EQ(dir.read("db"), "old");
    EXPECT_EQ(dir.count(), 2U);
  }
}

TEST_F(SqliteReport, AnInterruptLeavesTheOldFile) {
  dir.write("db", "old");
  pages = test::RandomPages(5).take(100'000);
  details.clear();
  samples::MadeUpContext context;
  test::fill(context);
  {
    const auto header = test::made_up_header();
    auto output = Output::to_named_file(dir / "db");
    ASSERT_TRUE(output);
    static bool is_cancelled = false;
    is_cancelled = false;
    auto formatter =
        make_sqlite_formatter(listing_source_of(header), *output, [] { return is_cancelled; });
    ASSERT_TRUE(formatter);
    append(**formatter, context);
    is_cancelled = true;
    const auto ended = (*formatter)->append_end({}, text);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().os_errno, EINTR);
  }
  EXPECT_EQ(dir.read("db"), "old");
  EXPECT_EQ(dir.count(), 1U);
}

}  // namespace
}  // namespace pobpf::cli
