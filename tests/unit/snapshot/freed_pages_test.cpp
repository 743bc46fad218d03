// SPDX-License-Identifier: GPL-2.0-only
// Records of pages that are free, as kernel messages have them: shown, but no memory in use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../util/temp_dir.h"
#include "format/page_report_formatter.h"
#include "made_up_pages.h"
#include "read_snapshot.h"
#include "snapshot/page_search.h"
#include "snapshot/snapshot_pair.h"
#include "snapshot/snapshot_session.h"

namespace pobpf {
namespace {

using ::testing::HasSubstr;

class FreedRecords : public testing::Test {
 protected:
  /// Three pages of one stack and task, the second of which is free.
  FreedRecords() {
    test::fill(context_);
    for (std::uint64_t pfn = 1; pfn <= 3; ++pfn) {
      pobpf_page page = samples::android_migrated();
      page.pfn = pfn;
      page.order = 0;
      page.ts_nsec = 5;
      page.handle = 1;
      page.cgroup_id = 1;
      if (pfn == 2) page.kind = POBPF_ITEM_FREED_PAGE;
      pages_.push_back(page);
    }
    SnapshotWriter writer(context_, file_, kLevelMin);
    EXPECT_TRUE(writer.begin(test::made_up_header()));
    EXPECT_TRUE(writer.append(pages_, kAllPageFields));
    EXPECT_TRUE(writer.end(test::account_of(pages_.size())));
    dir_.write("file", file_);
  }
  std::unique_ptr<SnapshotSession> session() {
    auto opened = SnapshotSession::open(dir_ / "file", DamagePolicy::kRefuse);
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }
  /// Returns what `pobpf report` prints.
  std::string reported(PageFormatter& formatter) {
    const auto opened = session();
    auto reader = opened->open_reader({});
    std::string out;
    for (bool at_end = false; !at_end;) {
      auto pages = (*reader)->next(at_end);
      formatter.set_fields((*reader)->fields());
      for (const pobpf_page& page : *pages) EXPECT_TRUE(formatter.append(page, *opened, out));
    }
    EXPECT_EQ((*reader)->account().emitted, 3);
    return out;
  }

  samples::MadeUpContext context_;
  std::vector<pobpf_page> pages_;
  std::string file_;
  test::TempDir dir_;
};

TEST_F(FreedRecords, StayWhatTheyAreInASnapshot) {
  EXPECT_TRUE(test::is_same(test::read_snapshot(file_).pages, pages_));
}

TEST_F(FreedRecords, AreSaidToBeFreeInEachFormat) {
  const KernelFacts facts = *test::made_up_header().facts;
  const auto text = make_kernel_text_formatter(facts, POBPF_MODE_STACK, CommStyle::kRaw).value();
  const std::string records = reported(*text);
  const std::size_t at = records.find("page_owner tracks the page as freed\nPage allocated via");
  EXPECT_LT(records.find("PFN 0x1 "), at);
  EXPECT_GT(records.find("PFN 0x2 "), at);
  EXPECT_EQ(records.find("page_owner tracks", at + 1), std::string::npos);
  const auto json = make_json_formatter(facts, POBPF_MODE_HANDLE);
  const std::string objects = reported(*json);
  EXPECT_THAT(objects, HasSubstr(R"("pfn":2,"order":0,"nr_pages":1,"freed":true,)"));
  EXPECT_EQ(objects.find("freed\":"), objects.rfind("freed\":"));
  const auto csv = make_csv_formatter(facts, POBPF_MODE_HANDLE, CommStyle::kRaw);
  const std::string lines = reported(*csv);
  EXPECT_EQ(lines.find(",true\r\n"), lines.rfind(",true\r\n"));
  EXPECT_GT(lines.find(",true\r\n"), lines.find("\n2,"));
}

TEST_F(FreedRecords, AreNoPartOfSums) {
  SumRequest request;
  request.group_by = POBPF_GROUP_HANDLE;
  const auto sums = session()->sum_groups({}, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  ASSERT_EQ(sums->groups.size(), 1);
  EXPECT_EQ(sums->groups[0].sum.pages, 2);
  EXPECT_EQ(sums->groups[0].sum.allocations, 2);
  EXPECT_EQ(sums->account.emitted, 2);
  EXPECT_EQ(sums->account.freed, 1);
  EXPECT_TRUE(sums->account.is_balanced());
}

/// Whatever filters say.
TEST_F(FreedRecords, AreNoPartOfFilteredSums) {
  ReaderView view;
  view.filter.orders.wanted = {{0, 0}};
  SumRequest request;
  request.group_by = POBPF_GROUP_HANDLE;
  const auto sums = session()->sum_groups(view, request, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(sums->groups[0].sum.pages, 2);
  EXPECT_EQ(sums->account.freed, 1);
}

TEST_F(FreedRecords, AreNoPartOfComparisons) {
  const auto before = session();
  const auto after = session();
  SumRequest request;
  request.group_by = POBPF_GROUP_HANDLE;
  const auto pair = sum_pair(*before, *after, {}, request, {});
  ASSERT_TRUE(pair) << pair.error().what;
  for (const GroupSums* sums : {&pair->before, &pair->after}) {
    ASSERT_EQ(sums->groups.size(), 1);
    EXPECT_EQ(sums->groups[0].sum.pages, 2);
    EXPECT_EQ(sums->account.freed, 1);
    EXPECT_EQ(sums->account.emitted, 2);
  }
}

TEST_F(FreedRecords, AreReportedAsFreed) {
  auto reader = SnapshotReader::open(dir_ / "file", DamagePolicy::kRefuse);
  ASSERT_TRUE(reader);
  const auto found = find_pages(**reader, {{1, 3}}, [] { return false; });
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2);
  const KernelFacts facts = *test::made_up_header().facts;
  const PageNames names{{}, facts.zone_names};
  const PageReportSource source{facts, names, **reader, 12};
  std::string texts;
  std::string objects;
  for (const RecordedPage& page : *found) {
    EXPECT_TRUE(append_page_report(texts, make_page_dump(page, std::nullopt), source));
    EXPECT_TRUE(append_page_report_json(objects, make_page_dump(page, std::nullopt), source));
  }
  EXPECT_THAT(texts,
              HasSubstr("PFN 0x1 (1), physical address 0x1000\n  state:          allocated\n"));
  EXPECT_THAT(texts, HasSubstr("PFN 0x2 (2), physical address 0x2000\n  state:          freed"));
  EXPECT_THAT(texts, HasSubstr("  last allocated: order 0"));
  EXPECT_THAT(objects, HasSubstr(R"({"pfn":1,"state":"allocated")"));
  EXPECT_THAT(objects, HasSubstr(R"({"pfn":2,"state":"freed")"));
}

}  // namespace
}  // namespace pobpf
