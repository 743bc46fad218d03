// SPDX-License-Identifier: GPL-2.0-only
// pobpf diff over snapshots of made-up pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "../snapshot/made_up_pages.h"
#include "command_test.h"

namespace pobpf::cli {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

/// PFNs ascend, as those of a recording do.
std::vector<pobpf_page> pages_in_order(std::uint64_t seed, std::size_t nr_pages) {
  auto pages = test::RandomPages(seed).take(nr_pages);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    pages[i].pfn = 8 * i;
    pages[i].order = static_cast<__u16>(i % 3);
  }
  return pages;
}

class DiffTest : public test::CommandTest {
 protected:
  DiffTest() {
    options.format = Format::kJson;
    header.boot_id = "boot";
    test::fill(context);
  }

  void write(const std::string& name, const std::vector<pobpf_page>& pages, std::uint64_t hour) {
    header.local_clock_ns = hour * 3600 * 1'000'000'000;
    header.wall_clock_ns = header.local_clock_ns;
    std::string file;
    SnapshotWriter writer(context, file, 1);
    ASSERT_TRUE(writer.begin(header));
    ASSERT_TRUE(writer.append(pages));
    ASSERT_TRUE(writer.end(test::account_of(pages.size())));
    dir.write(name, file);
  }

  Result<ExitStatus> diff(const std::vector<std::string>& names) {
    std::vector<std::unique_ptr<SnapshotSession>> snapshots;
    options.diff.paths.clear();
    for (const std::string& name : names) {
      auto snapshot = SnapshotSession::open(dir / name, DamagePolicy::kRefuse);
      if (!snapshot) return fail(std::move(snapshot).error());
      snapshots.push_back(*std::move(snapshot));
      options.diff.paths.push_back(name);
    }
    dir.remove("out");
    auto output = Output::to_file(dir / "out");
    if (!output) return fail(std::move(output).error());
    return print_diff(snapshots, options, *output);
  }
  /// Rows but the total, by a key.
  std::map<std::string, Json> rows(const std::string& key) {
    std::map<std::string, Json> result;
    for (const Json& row : objects())
      if (row["kind"] == "group") result[row[key].dump()] = row;
    return result;
  }

  SnapshotHeader header = test::made_up_header();
  samples::MadeUpContext context;
};

TEST_F(DiffTest, StacksAreMatchedByWhatTheyAre) {
  auto pages = pages_in_order(1, 2000);
  write("old", pages, 1);
  // another boot gives other numbers
  samples::MadeUpContext other;
  for (auto& [handle, stack] : context.stacks) other.stacks[handle + 1000] = stack;
  other.cgroups = context.cgroups;
  for (pobpf_page& page : pages) page.handle += 1000;
  context.stacks = other.stacks;
  header.boot_id = "another";
  write("new", pages, 2);
  ASSERT_EQ(diff({"old", "new"}).value(), ExitStatus::kComplete);
  const auto stacks = rows("stack");
  EXPECT_GT(stacks.size(), 10U);
  for (const auto& [stack, row] : stacks) {
    EXPECT_EQ(row["change_pages"], 0) << stack;
    EXPECT_FALSE(row.contains("stayed_pages"));
  }
}

TEST_F(DiffTest, TellsWhatWasBornWhatIsGoneAndWhatStayed) {
  const auto before = pages_in_order(2, 3000);
  auto after = before;
  std::map<std::string, std::array<std::int64_t, 4>> wanted;  // old, new, stayed
  for (const pobpf_page& page : before) wanted[std::to_string(page.tgid)][0] += 1 << page.order;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i % 5 == 0) ++after[i].ts_nsec;
    if (i % 7 == 0) after[i].pfn += 4;
    if (i % 11 == 0) after[i].tgid = 77;
  }
  std::erase_if(after, [](const pobpf_page& page) { return page.pfn % 104 == 0; });
  for (const pobpf_page& page : after) {
    auto& sums = wanted[std::to_string(page.tgid)];
    sums[1] += 1 << page.order;
    const pobpf_page& was = before[page.pfn / 8];
    if (was.pfn == page.pfn && was.ts_nsec == page.ts_nsec) sums[2] += 1 << page.order;
  }
  write("old", before, 1);
  write("new", after, 2);
  options.top.fields = {GroupField::kTgid};
  ASSERT_EQ(diff({"old", "new"}).value(), ExitStatus::kComplete);
  const auto found = rows("tgid");
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [tgid, row] : found) {
    const auto& sums = wanted.at(tgid);
    EXPECT_EQ(row["old_pages"], sums[0]) << tgid;
    EXPECT_EQ(row["new_pages"], sums[1]) << tgid;
    EXPECT_EQ(row["stayed_pages"], sums[2]) << tgid;
    EXPECT_EQ(row["born_pages"], sums[1] - sums[2]) << tgid;
    EXPECT_EQ(row["gone_pages"], sums[0] - sums[2]) << tgid;
  }
}

TEST_F(DiffTest, PagesInNoOrderAreSummedUpOnly) {
  auto pages = pages_in_order(3, 500);
  write("old", pages, 1);
  std::reverse(pages.begin(), pages.end());
  write("new", pages, 2);
  options.top.fields = {GroupField::kTgid};
  ASSERT_EQ(diff({"old", "new"}).value(), ExitStatus::kComplete);
  for (const auto& [tgid, row] : rows("tgid")) {
    EXPECT_EQ(row["change_pages"], 0);
    EXPECT_FALSE(row.contains("stayed_pages"));
  }
}

TEST_F(DiffTest, FiltersApplyToBoth) {
  const auto pages = pages_in_order(4, 500);
  write("old", pages, 1);
  write("new", pages, 2);
  options.filter.orders.wanted = {{2, 2}};
  options.top.fields = {GroupField::kOrder};
  ASSERT_EQ(diff({"old", "new"}).value(), ExitStatus::kComplete);
  const auto found = rows("order");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.at("2")["old_pages"], 4 * (500 / 3));
  EXPECT_EQ(found.at("2")["stayed_pages"], 4 * (500 / 3));
}

TEST_F(DiffTest, LeaksAreRankedByHowFastTheyGrow) {
  // groups by pid: 1 grows by 10 an hour, 2 by 20, 3 goes up and down
  const std::size_t sizes[3][3] = {{10, 5, 5}, {20, 25, 50}, {30, 45, 40}};
  for (std::size_t moment = 0; moment < 3; ++moment) {
    std::vector<pobpf_page> pages;
    for (std::size_t pid = 0; pid < 3; ++pid) {
      pobpf_page page{};
      page.kind = POBPF_ITEM_PAGE;
      page.handle = 1;
      page.pid = static_cast<__s32>(pid + 1);
      pages.insert(pages.end(), sizes[moment][pid], page);
    }
    write(std::to_string(moment), pages, 10 + moment);
  }
  options.top.fields = {GroupField::kPid};
  options.diff.finds_leaks = true;
  options.diff.sort = CompareKey::kSlope;
  ASSERT_EQ(diff({"0", "1", "2"}).value(), ExitStatus::kComplete);
  const std::string text = dir.read("out");
  EXPECT_EQ(Json::parse(text.substr(0, text.find('\n')))["pid"], 2);
  const auto found = rows("pid");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NEAR(found.at("1")["pages_per_hour"].get<double>(), 10, 1e-6);
  EXPECT_NEAR(found.at("2")["pages_per_hour"].get<double>(), 20, 1e-6);
  EXPECT_EQ(found.at("2")["pages"], Json::parse("[5,25,45]"));

  auto wrong = diff({"1", "0", "2"});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().what, HasSubstr("0 is not younger than 1"));
}

}  // namespace
}  // namespace pobpf::cli
