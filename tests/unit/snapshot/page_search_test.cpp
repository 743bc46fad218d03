// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "../util/temp_dir.h"
#include "made_up_pages.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

using ::testing::HasSubstr;

bool never() { return false; }

class FindPages : public testing::Test {
 protected:
  void add(std::uint64_t pfn, std::uint16_t order, std::int32_t pid) {
    pobpf_page page{};
    page.kind = POBPF_ITEM_PAGE;
    page.pfn = pfn;
    page.order = order;
    page.handle = 1;
    page.pid = pid;
    pages.push_back(page);
  }

  Result<std::vector<RecordedPage>> find(const std::vector<PfnRange>& pfns,
                                         PageFields fields = kAllPageFields,
                                         const std::function<bool()>& is_cancelled = never) {
    samples::MadeUpContext context;
    test::fill(context);
    std::string file;
    SnapshotWriter writer(context, file, kLevelMin, FreeSidePolicy::kRecord);
    EXPECT_TRUE(writer.begin(test::made_up_header()));
    EXPECT_TRUE(writer.append(pages, fields, details));
    EXPECT_TRUE(writer.end(std::nullopt));
    dir_.write("file", file);
    auto reader = SnapshotReader::open(dir_ / "file", DamagePolicy::kRefuse);
    EXPECT_TRUE(reader);
    return find_pages(**reader, pfns, is_cancelled);
  }
  /// Pids of the records that were found, -1 where none was.
  std::vector<std::int32_t> pids(const std::vector<PfnRange>& pfns) {
    auto found = find(pfns);
    EXPECT_TRUE(found) << found.error().what;
    std::vector<std::int32_t> result;
    if (found)
      for (const RecordedPage& page : *found)
        result.push_back(page.fields == 0 ? -1 : page.record.pid);
    return result;
  }

  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;

 private:
  const test::TempDir dir_;
};

using Pids = std::vector<std::int32_t>;

TEST_F(FindPages, FirstPagesTailsAndOthers) {
  add(16, 2, 1);
  add(20, 0, 2);
  EXPECT_EQ(pids({{15, 22}}), (Pids{-1, 1, 1, 1, 1, 2, -1}));
}

TEST_F(FindPages, TheOrderIsThatOfTheRequest) {
  add(1, 0, 1);
  add(2, 0, 2);
  add(3, 0, 3);
  EXPECT_EQ(pids({{3, 4}, {1, 3}, {3, 4}}), (Pids{3, 1, 2, 3}));
  EXPECT_EQ(pids({}), Pids{});
}

TEST_F(FindPages, TheRecordOfThePageItselfIsTheBest) {
  add(0, 4, 1);
  add(8, 1, 2);
  add(9, 0, 3);
  add(8, 3, 4);
  EXPECT_EQ(pids({{7, 12}}), (Pids{1, 2, 3, 4, 4}));
  const auto found = find({{9, 10}}).value();
  EXPECT_EQ(found[0].nr_further_records, 3U);
  EXPECT_EQ(find({{7, 8}}).value()[0].nr_further_records, 0U);
}

TEST_F(FindPages, TheLargestOrderIsOfManyPages) {
  add(8, kOrderMax, 1);
  EXPECT_EQ(pids({{7, 9}, {1U << 30, (1U << 30) + 1}}), (Pids{-1, 1, 1}));
  add(8, kOrderMax + 1, 2);
  EXPECT_THAT(find({{8, 9}}).error().what, ::testing::HasSubstr("an order that no kernel has"));
}

TEST_F(FindPages, TheEndOfTheNumbersIsNoEndOfTheWorld) {
  add(UINT64_MAX, 0, 1);
  add(UINT64_MAX - 1, 0, 2);
  EXPECT_EQ(pids({{UINT64_MAX - 1, UINT64_MAX}}), Pids{2});
}

/// Against a look at each record for each page.
TEST_F(FindPages, InFilesOfSeveralBlocks) {
  std::mt19937_64 random(3);
  std::uint64_t pfn = 0;
  for (std::size_t i = 0; i < kBlockPagesMax + 5000; ++i) {
    pfn += random() % 3;
    const auto order = static_cast<std::uint16_t>(random() % 8 == 0 ? random() % 5 : 0);
    add(pfn, order, static_cast<std::int32_t>(i));
    pfn += 1ULL << order;
  }
  const std::vector<PfnRange> wanted = {{pfn - 300, pfn + 9}, {0, 200}, {pfn / 2, pfn / 2 + 100}};
  Pids expected;
  for (const PfnRange& range : wanted)
    for (std::uint64_t page = range.begin; page < range.end; ++page) {
      expected.push_back(-1);
      for (const pobpf_page& record : pages)
        if (record.pfn <= page && page < record.pfn + (1ULL << record.order))
          expected.back() = record.pid;
    }
  EXPECT_EQ(pids(wanted), expected);
}

TEST_F(FindPages, AllOfTheRecordIsThere) {
  pages = test::RandomPages(4).take(50);
  details = test::random_details(5, 50);
  for (std::size_t i = 0; i < pages.size(); ++i) pages[i].pfn = 3 * i;
  for (pobpf_page& page : pages) page.order = 0;
  const auto found = find({{30, 31}}).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].pfn, 30U);
  EXPECT_EQ(found[0].fields,
            kAllPageFields | PageField::kKind | PageField::kFreeSide | PageField::kProcess);
  EXPECT_EQ(std::memcmp(&found[0].record, &pages[10], sizeof(pobpf_page)), 0);
  EXPECT_EQ(std::memcmp(&found[0].detail, &details[10], sizeof(pobpf_page_detail)), 0);
}

TEST_F(FindPages, WithoutOrdersARecordIsOfOnePage) {
  add(8, 0, 1);
  constexpr auto kKnown = PageField::kPfn | PageField::kPid;
  const auto found = find({{8, 10}}, kKnown).value();
  EXPECT_EQ(found[0].fields, kKnown);
  EXPECT_EQ(found[1].fields, 0U);
}

TEST_F(FindPages, WithoutPfnsNothingCanBeFound) {
  add(0, 0, 1);
  const auto found = find({{0, 1}}, PageFields{} | PageField::kPid);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().what, HasSubstr("PFN"));
}

TEST_F(FindPages, ASignalEndsIt) {
  add(0, 0, 1);
  const auto found = find({{0, 1}}, kAllPageFields, [] { return true; });
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().what, "interrupted");
}

}  // namespace
}  // namespace pobpf
