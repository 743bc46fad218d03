// SPDX-License-Identifier: GPL-2.0-only
// pobpf diff over snapshots of made-up pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "../snapshot/made_up_pages.h"
#include "../util/memory_peak.h"
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

  void write(const std::string& name, const std::vector<pobpf_page>& pages, std::uint64_t hour,
             const std::vector<pobpf_page_detail>& details = {}) {
    header.local_clock_ns = hour * 3600 * 1'000'000'000;
    header.wall_clock_ns = header.local_clock_ns;
    std::string file;
    SnapshotWriter writer(context, file, 1,
                          details.empty() ? FreeSidePolicy::kOmit : FreeSidePolicy::kRecord);
    ASSERT_TRUE(writer.begin(header));
    ASSERT_TRUE(writer.append(pages, kAllPageFields, details));
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

/// A row for each stack at each moment, which share what the frames are called.
TEST_F(DiffTest, ManyStacksTakeLittleMemory) {
  // memory is not looked at with sanitizers
  constexpr std::uint32_t kNrManyStacks = test::kIsSanitized ? 1'000 : 30'000;
  context.stacks.clear();
  std::vector<pobpf_page> pages(kNrManyStacks);
  for (std::uint32_t i = 0; i < kNrManyStacks; ++i) {
    std::vector<std::string> symbols(15, "a_function_with_a_name_of_the_usual_length+0x123/0x456");
    symbols.push_back("caller_" + std::to_string(i) + "+0x1/0x2");
    context.add_stack(i + 1, symbols);
    pages[i].kind = POBPF_ITEM_PAGE;
    pages[i].pfn = i;
    pages[i].handle = i + 1;
  }
  write("old", pages, 1);
  write("new", pages, 2);
  context.stacks.clear();
  const test::MemoryPeak peak;
  ASSERT_EQ(diff({"old", "new"}).value(), ExitStatus::kComplete);
  if (!test::kIsSanitized) {
    EXPECT_LT(peak.risen_kib(), 128 * 1024);
  }
  EXPECT_EQ(objects().size(), kNrManyStacks + 1);
}

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
    if (was.pfn == page.pfn && was.ts_nsec == page.ts_nsec && was.tgid == page.tgid)
      sums[2] += 1 << page.order;
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

/// A page and what it is used for; each field has few values, so that many pages share a group.
struct UsedPage {
  pobpf_page page{};
  pobpf_page_detail detail{};
};

class RandomUse {
 public:
  explicit RandomUse(std::uint64_t seed) : random_(seed) {}

  /// All but its PFN, order and time.
  void change(UsedPage& used) {
    pobpf_page& page = used.page;
    page.kind = POBPF_ITEM_PAGE;
    if (is_changed() || page.handle == 0) page.handle = 1 + below(test::kNrStacks);
    if (is_changed()) page.tgid = static_cast<__s32>(below(4));
    if (is_changed()) page.pid = static_cast<__s32>(below(4));
    if (is_changed()) samples::set_comm(page, "comm " + std::to_string(below(4)));
    if (is_changed()) page.gfp_mask = below(4) << 3 | below(2) << 8;
    if (is_changed()) page.flags = std::uint64_t{below(4)} << 58 | std::uint64_t{below(4)} << 56;
    if (is_changed() || page.cgroup_id == 0) page.cgroup_id = 1 + below(test::kNrCgroups);
    if (is_changed())
      page.memcg_flags =
          static_cast<__u8>(POBPF_MEMCG_CHARGED | (below(2) == 0 ? 0 : POBPF_MEMCG_OFFLINE));
    if (is_changed()) page.last_migrate_reason = static_cast<__s16>(below(4));
    if (is_changed()) page.free_ts_nsec = below(2);
    if (is_changed() || used.detail.mapping == POBPF_MAPPING_NONE)
      used.detail.mapping =
          static_cast<__u8>(below(2) == 0 ? POBPF_MAPPING_ANON : POBPF_MAPPING_FILE);
  }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

 private:
  bool is_changed() { return below(8) == 0; }

  std::mt19937_64 random_;
};

/// Sets what a field is made of, so that a page is in the same group where it is the same.
std::string value_of(GroupField field, const UsedPage& used) {
  const pobpf_page& page = used.page;
  switch (field) {
    case GroupField::kStack:
      return std::to_string(page.handle % 7) + (page.handle % 5 == 0 ? "m" : "");
    case GroupField::kFunction:
      return std::to_string(page.handle % 7);
    case GroupField::kModule:
      return page.handle % 5 == 0 ? "m" : "";
    case GroupField::kAllocator:
      return std::to_string(used.detail.mapping);
    case GroupField::kTgid:
      return std::to_string(page.tgid);
    case GroupField::kPid:
      return std::to_string(page.pid);
    case GroupField::kComm:
      return {reinterpret_cast<const char*>(page.comm), sizeof(page.comm)};
    case GroupField::kOrder:
      return std::to_string(page.order);
    case GroupField::kGfp:
      return std::to_string(page.gfp_mask);
    case GroupField::kMigratetype:
      return std::to_string(page.gfp_mask >> 3 & 3);
    case GroupField::kNid:
      return std::to_string(page.flags >> 58);
    case GroupField::kZone:
      return std::to_string(page.flags >> 56 & 3);
    case GroupField::kMemcg:
      return std::to_string(page.cgroup_id) + "/" +
             std::to_string(page.memcg_flags & POBPF_MEMCG_OFFLINE);
    case GroupField::kMigrateReason:
      return std::to_string(page.last_migrate_reason);
    case GroupField::kFreed:
      return std::to_string(page.free_ts_nsec);
  }
  return {};
}

class DiffOfRandomPairs : public DiffTest {
 protected:
  DiffOfRandomPairs() {
    header.facts->page_flag_fields = {{2, 58, 3, "node"}, {2, 56, 3, "zone"}};
    header.facts->zone_names = {"DMA", "DMA32", "Normal", "Movable"};
    for (std::uint32_t handle = 1; handle <= test::kNrStacks; ++handle)
      context.add_stack(handle,
                        {"alloc_pages+0x1/0x2", "f" + std::to_string(handle % 7) + "+0x1/0x2" +
                                                    (handle % 5 == 0 ? " [ext4]" : "")});
  }

  /// Two moments of a machine: pages come and go, and any field of a page that stays may change.
  void write_pair(std::uint64_t seed) {
    RandomUse use(seed);
    for (auto* moment : {&before, &after}) moment->clear();
    for (std::uint64_t pfn = 0; pfn < 8 * 1000; pfn += 8) {
      UsedPage used;
      if (!before.empty()) used = before.back();
      use.change(used);
      used.page.pfn = pfn;
      used.page.order = static_cast<__u16>(use.below(3));
      used.page.ts_nsec = 1000 + use.below(1000);
      if (use.below(10) != 0) before.push_back(used);
      use.change(used);
      if (use.below(10) == 0) used.page.ts_nsec += 5000;
      if (use.below(10) == 0) ++used.page.order;
      if (use.below(10) != 0) after.push_back(used);
    }
    write("old", before, 1);
    write("new", after, 2);
  }
  void write(const std::string& name, const std::vector<UsedPage>& moment, std::uint64_t hour) {
    std::vector<pobpf_page> pages;
    std::vector<pobpf_page_detail> details;
    for (const UsedPage& used : moment) {
      pages.push_back(used.page);
      details.push_back(used.detail);
    }
    DiffTest::write(name, pages, hour, details);
  }

  /// Pages that are of one allocation and in one group in both.
  [[nodiscard]] std::uint64_t nr_stayed(const std::vector<GroupField>& fields) const {
    std::map<std::uint64_t, const UsedPage*> by_pfn;
    for (const UsedPage& used : before) by_pfn[used.page.pfn] = &used;
    std::uint64_t result = 0;
    for (const UsedPage& used : after) {
      const auto found = by_pfn.find(used.page.pfn);
      if (found == by_pfn.end()) continue;
      const UsedPage& was = *found->second;
      if (was.page.order != used.page.order || was.page.ts_nsec != used.page.ts_nsec) continue;
      if (std::all_of(fields.begin(), fields.end(), [&](GroupField field) {
            return value_of(field, was) == value_of(field, used);
          }))
        result += std::uint64_t{1} << used.page.order;
    }
    return result;
  }
  static std::uint64_t nr_pages(const std::vector<UsedPage>& moment) {
    std::uint64_t result = 0;
    for (const UsedPage& used : moment) result += std::uint64_t{1} << used.page.order;
    return result;
  }

  /// Compares them, and returns the total.
  Json check_rows() {
    EXPECT_EQ(diff({"old", "new"}).value(), wanted_status);
    std::map<std::string, std::uint64_t> sums;
    Json total;
    for (const Json& row : objects()) {
      const std::uint64_t stayed = row["stayed_pages"];
      // as the kernel's numbers are far from wrapping, neither sum is right by wrapping
      EXPECT_LE(stayed, row["old_pages"].get<std::uint64_t>()) << row;
      EXPECT_LE(stayed, row["new_pages"].get<std::uint64_t>()) << row;
      EXPECT_EQ(row["gone_pages"].get<std::uint64_t>() + stayed, row["old_pages"]) << row;
      EXPECT_EQ(row["born_pages"].get<std::uint64_t>() + stayed, row["new_pages"]) << row;
      EXPECT_TRUE(total.is_null()) << "the total is the last row";
      if (row["kind"] == "total") total = row;
      for (const char* column :
           {"old_pages", "new_pages", "born_pages", "gone_pages", "stayed_pages"})
        sums[column] += row[column].get<std::uint64_t>();
    }
    for (const auto& [column, sum] : sums)
      EXPECT_EQ(sum, 2 * total[column].get<std::uint64_t>()) << column;
    EXPECT_EQ(total["old_pages"], nr_pages(before));
    EXPECT_EQ(total["new_pages"], nr_pages(after));
    return total;
  }

  std::vector<UsedPage> before;
  std::vector<UsedPage> after;
  ExitStatus wanted_status = ExitStatus::kComplete;
};

TEST_F(DiffOfRandomPairs, WhatStayedIsInTheSameGroupAtBothMoments) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    write_pair(seed);
    for (const std::string& name : group_field_names()) {
      SCOPED_TRACE(name);
      options.top.fields = parse_group_fields(name).value();
      EXPECT_EQ(check_rows()["stayed_pages"], nr_stayed(options.top.fields));
    }
    options.top.fields = {GroupField::kMemcg, GroupField::kAllocator};
    EXPECT_EQ(check_rows()["stayed_pages"], nr_stayed(options.top.fields));
  }
}

TEST_F(DiffOfRandomPairs, RowsOfManyGroupsSumUpAsWell) {
  write_pair(4);
  options.top.fields = {GroupField::kFunction};
  options.top.ignored_functions = {"f1"};
  EXPECT_EQ(check_rows()["stayed_pages"], nr_stayed(options.top.fields));
  options.top.ignored_functions.clear();
  options.top.fields = {GroupField::kMemcg};
  options.groups_max = 3;
  wanted_status = ExitStatus::kIncomplete;
  // which groups have room differs between the two moments
  check_rows();
  const auto rows = objects();
  EXPECT_EQ(std::count_if(rows.begin(), rows.end(),
                          [](const Json& row) { return row["kind"] == "other"; }),
            1);
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
