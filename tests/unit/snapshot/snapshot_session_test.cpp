// SPDX-License-Identifier: GPL-2.0-only
// Filters and sums of a snapshot of random pages against plain predicates and additions. What they
// are in the kernel is compared in tests/synthetic/recording_test.cpp.
#include "snapshot/snapshot_session.h"

#include <fnmatch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <map>

#include "../util/temp_dir.h"
#include "made_up_pages.h"
#include "model/duration.h"

namespace pobpf {
namespace {

constexpr std::uint64_t kTakenNs = 1'000'000'000'000;
constexpr std::size_t kNrRecorded = 20000;

using Predicate = std::function<bool(const pobpf_page& page)>;

struct Case {
  const char* name;
  pobpf_filter filter;
  std::function<void(FilterSpec& spec)> set;
  Predicate passes;
};

std::uint64_t nid_of(const pobpf_page& page) { return page.flags >> 58 & 3; }
std::uint64_t zone_of(const pobpf_page& page) { return page.flags >> 56 & 3; }
unsigned migratetype_of(const pobpf_page& page) { return page.gfp_mask >> 3 & 3; }
std::string name_of_task(const pobpf_page& page) {
  const auto* bytes = reinterpret_cast<const char*>(page.comm);
  return {bytes, strnlen(bytes, sizeof(page.comm))};
}
bool is_charged_to(const pobpf_page& page, std::uint64_t id) {
  return (page.memcg_flags & POBPF_MEMCG_CHARGED) != 0 && page.cgroup_id == id;
}

class SnapshotSums : public testing::Test {
 protected:
  SnapshotSums() {
    header_ = test::made_up_header();
    header_.local_clock_ns = kTakenNs;
    header_.nodes = {{0, {0, 1}}, {1, {0, 1}}, {2, {0, 1}}, {3, {0, 1}}};
    header_.facts->page_flag_fields = {{2, 58, 3, "node"}, {2, 56, 3, "zone"}};
    header_.facts->zone_names = {"DMA", "DMA32", "Normal", "Movable"};
    for (std::uint32_t handle = 1; handle <= test::kNrStacks; ++handle) {
      const std::string module = handle % 5 == 0 ? " [ext4]" : "";
      context_.add_stack(
          handle, {"alloc_pages+0x1/0x2", "f" + std::to_string(handle % 7) + "+0x1/0x2" + module});
    }
    for (std::uint64_t id = 1; id <= test::kNrCgroups; ++id)
      context_.cgroups[id] = "cgroup " + std::to_string(id);
    pages_ = test::RandomPages(21).take(kNrRecorded);
    details_ = test::random_details(22, kNrRecorded);
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      make_possible(pages_[i]);
      details_[i].process_state = static_cast<__u8>(state_of(pages_[i]));
    }
    std::string file;
    SnapshotWriter writer(context_, file, kLevelMin, FreeSidePolicy::kRecord);
    EXPECT_TRUE(writer.begin(header_));
    EXPECT_TRUE(writer.append(pages_, kAllPageFields, details_));
    EXPECT_TRUE(writer.end(test::account_of(kNrRecorded)));
    dir_.write("file", file);
  }

  /// One for each number of a process.
  static int state_of(const pobpf_page& page) { return POBPF_PROCESS_LIVING + page.tgid % 3; }

  /// Values that several pages have, of those that a kernel has.
  static void make_possible(pobpf_page& page) {
    page.order %= 11;
    page.pageblock_migratetype %= 6;
    page.pid &= 15;
    page.tgid &= 7;
    page.pfn &= 0xffff;
    page.ts_nsec %= kTakenNs;
    page.gfp_mask &= 0xfff;
    page.memcg_flags &= POBPF_MEMCG_CHARGED | POBPF_MEMCG_OFFLINE;
    // PF_POISONED()
    if (page.pfn % 100 == 0) page.flags = UINT64_MAX;
    if (page.pfn % 3 == 0) samples::set_comm(page, page.pfn % 2 == 0 ? "worker/7" : "bash");
  }

  std::unique_ptr<SnapshotSession> session() {
    auto opened = SnapshotSession::open(dir_ / "file", DamagePolicy::kRefuse);
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }

  static std::vector<Case> cases() {
    return {
        {"nid", POBPF_FILTER_NID, [](auto& spec) { spec.nodes.emplace().set(1).set(3); },
         [](const auto& page) { return page.flags != UINT64_MAX && nid_of(page) % 2 == 1; }},
        {"zone", POBPF_FILTER_ZONE,
         [](auto& spec) {
           spec.zones.wanted = {"Normal", "DMA"};
         },
         [](const auto& page) { return zone_of(page) % 2 == 0; }},
        {"not zone", POBPF_FILTER_ZONE, [](auto& spec) { spec.zones.rejected = {"Normal"}; },
         [](const auto& page) { return zone_of(page) != 2; }},
        {"flags", POBPF_FILTER_FLAGS,
         [](auto& spec) {
           spec.flags.all = {"lru"};
           spec.flags.any = {"locked", "referenced"};
           spec.flags.none = {"0x100"};
         },
         [](const auto& page) {
           return (page.flags & 0x20) != 0 && (page.flags & 5) != 0 && (page.flags & 0x100) == 0;
         }},
        {"order", POBPF_FILTER_ORDER,
         [](auto& spec) {
           spec.orders.wanted = {{0, 2}, {9, kOrderMax}};
           spec.orders.rejected = {{1, 1}};
         },
         [](const auto& page) { return page.order == 0 || page.order == 2 || page.order >= 9; }},
        {"block migratetype", POBPF_FILTER_BLOCK_MIGRATETYPE,
         [](auto& spec) {
           spec.block_migratetypes.wanted = {"CMA", "Movable"};
         },
         [](const auto& page) {
           return page.pageblock_migratetype == 4 || page.pageblock_migratetype == 1;
         }},
        {"handle", POBPF_FILTER_HANDLE,
         [](auto& spec) {
           spec.handles.rejected = {{5, 30}};
         },
         [](const auto& page) { return page.handle < 5 || page.handle > 30; }},
        {"age", POBPF_FILTER_TIME,
         [](auto& spec) {
           spec.age = AgeRange{100 * kSecondNs, 500 * kSecondNs};
         },
         [](const auto& page) {
           const std::uint64_t age = kTakenNs - page.ts_nsec;
           return age >= 100 * kSecondNs && age <= 500 * kSecondNs;
         }},
        {"since and until", POBPF_FILTER_TIME,
         [](auto& spec) {
           spec.since = ClockTime{true, 800 * kSecondNs};
           spec.until = ClockTime{false, 700 * kSecondNs};
         },
         [](const auto& page) {
           return page.ts_nsec >= kTakenNs - 800 * kSecondNs && page.ts_nsec <= 700 * kSecondNs;
         }},
        {"gfp", POBPF_FILTER_GFP,
         [](auto& spec) {
           spec.gfp.any = {"0x40", "0x80"};
           spec.gfp.none = {"__GFP_ZERO"};
         },
         [](const auto& page) {
           return (page.gfp_mask & 0xc0) != 0 && (page.gfp_mask & 0x100) == 0;
         }},
        {"migratetype", POBPF_FILTER_MIGRATETYPE,
         [](auto& spec) { spec.migratetypes.rejected = {"Movable"}; },
         [](const auto& page) { return migratetype_of(page) != 1; }},
        {"mixed", POBPF_FILTER_MIXED, [](auto& spec) { spec.is_mixed = true; },
         [](const auto& page) { return migratetype_of(page) != page.pageblock_migratetype; }},
        {"not mixed", POBPF_FILTER_MIXED, [](auto& spec) { spec.is_mixed = false; },
         [](const auto& page) { return migratetype_of(page) == page.pageblock_migratetype; }},
        {"tgid", POBPF_FILTER_TGID,
         [](auto& spec) {
           spec.tgids.wanted = {{2, 5}};
         },
         [](const auto& page) { return page.tgid >= 2 && page.tgid <= 5; }},
        {"pid", POBPF_FILTER_PID,
         [](auto& spec) {
           spec.pids.wanted = {{0, 9}};
           spec.pids.rejected = {{3, 4}};
         },
         [](const auto& page) { return page.pid <= 9 && page.pid != 3 && page.pid != 4; }},
        {"comm", POBPF_FILTER_COMM,
         [](auto& spec) {
           spec.comms.wanted = {"w*7", "[a-c]?sh"};
           spec.comms.rejected = {"*ash"};
         },
         [](const auto& page) {
           const std::string comm = name_of_task(page);
           return ::fnmatch("w*7", comm.c_str(), 0) == 0 ||
                  (::fnmatch("[a-c]?sh", comm.c_str(), 0) == 0 &&
                   ::fnmatch("*ash", comm.c_str(), 0) != 0);
         }},
        {"dead", POBPF_FILTER_DEAD, [](auto& spec) { spec.is_dead = true; },
         [](const auto& page) { return state_of(page) != POBPF_PROCESS_LIVING; }},
        {"not dead", POBPF_FILTER_DEAD, [](auto& spec) { spec.is_dead = false; },
         [](const auto& page) { return state_of(page) == POBPF_PROCESS_LIVING; }},
        {"memcg", POBPF_FILTER_MEMCG, [](auto& spec) { spec.memcgs.wanted = {"cgroup 2"}; },
         [](const auto& page) { return is_charged_to(page, 2); }},
        {"not memcg", POBPF_FILTER_MEMCG, [](auto& spec) { spec.memcgs.rejected = {"cgroup 2"}; },
         [](const auto& page) { return !is_charged_to(page, 2); }},
        {"symbol", POBPF_FILTER_STACK, [](auto& spec) { spec.symbols.wanted = {"f[12]"}; },
         [](const auto& page) { return page.handle % 7 == 1 || page.handle % 7 == 2; }},
        {"module", POBPF_FILTER_STACK, [](auto& spec) { spec.modules.rejected = {"ext?"}; },
         [](const auto& page) { return page.handle % 5 != 0; }},
    };
  }

  /// That exactly the pages that pass all come, and that each other one is counted under the first
  /// in the order of enum pobpf_filter that it does not pass.
  void expect_filtered(const std::vector<Case>& filters) {
    ReaderView view;
    for (const Case& filter : filters) filter.set(view.filter);
    const auto snapshot = session();
    auto reader = snapshot->open_reader(view);
    ASSERT_TRUE(reader) << reader.error().what;
    std::vector<pobpf_page> got;
    for (bool at_end = false; !at_end;) {
      auto pages = (*reader)->next(at_end);
      ASSERT_TRUE(pages) << pages.error().what;
      got.insert(got.end(), pages->begin(), pages->end());
    }
    Account account = test::account_of(kNrRecorded);
    std::vector<pobpf_page> wanted;
    for (const pobpf_page& page : pages_) {
      const Case* first = nullptr;
      for (const Case& filter : filters)
        if (!filter.passes(page) && (first == nullptr || filter.filter < first->filter))
          first = &filter;
      if (first == nullptr) {
        wanted.push_back(page);
        continue;
      }
      ++account.filtered.at(first->filter);
      --account.emitted;
    }
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(std::memcmp(&got[i], &wanted[i], sizeof(pobpf_page)), 0) << "page " << i;
    EXPECT_EQ((*reader)->account().filtered, account.filtered);
    EXPECT_EQ((*reader)->account().emitted, account.emitted);
    EXPECT_TRUE((*reader)->account().is_balanced());
    if (filters.size() != 1) return;
    // else it would show nothing
    EXPECT_GT(got.size(), kNrRecorded / 100);
    EXPECT_LT(got.size(), kNrRecorded * 99 / 100);
  }

  using Key = std::vector<std::uint64_t>;
  /// The values by which pages are grouped, without the layout of keys.
  static Key key_of_page(const pobpf_page& page, std::uint32_t by) {
    Key key;
    const auto add = [&](pobpf_group_field field, std::uint64_t value) {
      if ((by & static_cast<std::uint32_t>(field)) != 0) key.push_back(value);
    };
    add(POBPF_GROUP_HANDLE, page.handle);
    add(POBPF_GROUP_TGID, static_cast<std::uint64_t>(page.tgid));
    add(POBPF_GROUP_PID, static_cast<std::uint64_t>(page.pid));
    add(POBPF_GROUP_COMM, std::hash<std::string>()(name_of_task(page)));
    add(POBPF_GROUP_ORDER, page.order);
    add(POBPF_GROUP_GFP, page.gfp_mask);
    add(POBPF_GROUP_MIGRATETYPE, migratetype_of(page));
    add(POBPF_GROUP_NID, nid_of(page));
    add(POBPF_GROUP_ZONE, zone_of(page));
    return key;
  }
  static Key key_of_group(const pobpf_group_key& group, std::uint32_t by) {
    pobpf_page page{};
    page.handle = group.handle;
    page.tgid = group.tgid;
    page.pid = group.pid;
    std::memcpy(page.comm, group.comm, sizeof(page.comm));
    page.order = group.order;
    // a group by migratetype alone has no mask
    page.gfp_mask = (by & POBPF_GROUP_GFP) != 0 ? group.gfp_mask : __u32{group.migratetype} << 3U;
    page.flags = std::uint64_t{group.nid} << 58 | std::uint64_t{group.zone} << 56;
    return key_of_page(page, by);
  }

  using Sums = std::map<Key, std::pair<std::uint64_t, std::uint64_t>>;
  Sums sums_of_pages(std::uint32_t by, const Predicate& passes) const {
    Sums sums;
    for (const pobpf_page& page : pages_) {
      if (!passes(page)) continue;
      auto& [nr_pages, nr_allocations] = sums[key_of_page(page, by)];
      nr_pages += 1ULL << page.order;
      ++nr_allocations;
    }
    return sums;
  }

  SnapshotHeader header_;
  samples::MadeUpContext context_;
  std::vector<pobpf_page> pages_;
  std::vector<pobpf_page_detail> details_;
  const test::TempDir dir_;
};

TEST_F(SnapshotSums, EachFilter) {
  for (const Case& filter : cases()) {
    SCOPED_TRACE(filter.name);
    expect_filtered({filter});
  }
}

TEST_F(SnapshotSums, SeveralFilters) {
  const auto all = cases();
  std::mt19937_64 random(8);
  for (int round = 0; round < 60; ++round) {
    std::vector<Case> some;
    std::string names;
    std::uint32_t kinds = 0;
    for (const Case& filter : all) {
      // one of a kind: they would add up to one filter
      if (random() % 4 != 0 || (kinds >> filter.filter & 1) != 0) continue;
      kinds |= 1U << filter.filter;
      some.push_back(filter);
      names.append(filter.name).append(", ");
    }
    SCOPED_TRACE(names);
    if (!some.empty()) expect_filtered(some);
  }
}

TEST_F(SnapshotSums, PfnsThatAreNotWantedAreNotLookedAt) {
  ReaderView view;
  view.filter.pfns.wanted = {{100, 9000}, {20000, 30000}};
  view.filter.pfns.rejected = {{500, 600}};
  const auto snapshot = session();
  auto sums = snapshot->sum_groups(view, {}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  std::uint64_t nr_wanted = 0;
  for (const pobpf_page& page : pages_)
    if ((page.pfn >= 100 && page.pfn < 500) || (page.pfn >= 600 && page.pfn < 9000) ||
        (page.pfn >= 20000 && page.pfn < 30000))
      ++nr_wanted;
  EXPECT_EQ(sums->account.emitted, nr_wanted);
  EXPECT_EQ(sums->account.outside, test::account_of(kNrRecorded).outside + kNrRecorded - nr_wanted);
  EXPECT_TRUE(sums->account.is_balanced());
}

TEST_F(SnapshotSums, ManyPfns) {
  ReaderView view;
  for (std::uint64_t pfn = 1; pfn < 0x8000; pfn += 3)
    view.filter.pfns.wanted.push_back({pfn, pfn + 2});
  auto sums = session()->sum_groups(view, {}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(sums->account.emitted,
            std::count_if(pages_.begin(), pages_.end(), [](const pobpf_page& page) {
              return page.pfn != 0 && page.pfn <= 0x8000 && page.pfn % 3 != 0;
            }));
}

TEST_F(SnapshotSums, SumsAreThoseOfTheListing) {
  const auto all = cases();
  const auto order_filter = std::find_if(all.begin(), all.end(), [](const Case& filter) {
    return std::string(filter.name) == "order";
  });
  for (const std::uint32_t by : std::initializer_list<std::uint32_t>{
           POBPF_GROUP_HANDLE, POBPF_GROUP_TGID, POBPF_GROUP_PID, POBPF_GROUP_COMM,
           POBPF_GROUP_ORDER, POBPF_GROUP_GFP, POBPF_GROUP_MIGRATETYPE, POBPF_GROUP_NID,
           POBPF_GROUP_ZONE, POBPF_GROUP_HANDLE | POBPF_GROUP_TGID | POBPF_GROUP_ORDER,
           POBPF_GROUP_NID | POBPF_GROUP_ZONE | POBPF_GROUP_COMM}) {
    for (const bool is_filtered : {false, true}) {
      SCOPED_TRACE(testing::Message() << "by " << by << (is_filtered ? ", filtered" : ""));
      ReaderView view;
      if (is_filtered) order_filter->set(view.filter);
      SumRequest request;
      request.group_by = by;
      auto got = session()->sum_groups(view, request, {});
      ASSERT_TRUE(got) << got.error().what;
      Sums sums;
      for (const GroupSum& group : got->groups) {
        const auto [entry, is_new] =
            sums.try_emplace(key_of_group(group.key, by), group.sum.pages, group.sum.allocations);
        EXPECT_TRUE(is_new);
      }
      EXPECT_EQ(sums, sums_of_pages(by, [&](const pobpf_page& page) {
                  return !is_filtered || order_filter->passes(page);
                }));
      EXPECT_EQ(got->other.allocations, 0U);
    }
  }
}

TEST_F(SnapshotSums, WhatFindsNoRoomIsSummedUpTogether) {
  SumRequest request;
  request.group_by = POBPF_GROUP_PID;
  request.groups_max = 3;
  auto got = session()->sum_groups({}, request, {});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->groups.size(), 3U);
  std::uint64_t nr_pages = got->other.pages;
  for (const GroupSum& group : got->groups) nr_pages += group.sum.pages;
  std::uint64_t expected = 0;
  for (const pobpf_page& page : pages_) expected += 1ULL << page.order;
  EXPECT_EQ(nr_pages, expected);
  EXPECT_GT(got->other.pages, 0U);
  EXPECT_FALSE(got->is_file_too_small);
}

/// As many as the file gives room for, whatever was asked for.
TEST_F(SnapshotSums, ASmallFileHasRoomForSixtyFiveThousandGroups) {
  constexpr std::uint32_t kNrPids = 100'000;
  pages_ = test::RandomPages(21).take(1);
  make_possible(pages_[0]);
  pages_.resize(kNrPids, pages_[0]);
  for (std::uint32_t i = 0; i < kNrPids; ++i) {
    pages_[i].pid = static_cast<__s32>(i);
    pages_[i].order = 0;
  }
  std::string file;
  SnapshotWriter writer(context_, file, kLevelMin);
  ASSERT_TRUE(writer.begin(header_) && writer.append(pages_, PageField::kPid | PageField::kOrder) &&
              writer.end(std::nullopt));
  dir_.write("file", file);
  SumRequest request;
  request.group_by = POBPF_GROUP_PID;
  auto got = session()->sum_groups({}, request, {});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->groups.size(), 65536 + file.size() / 24);
  EXPECT_EQ(got->other.pages, kNrPids - got->groups.size());
  EXPECT_TRUE(got->is_file_too_small);
}

/// A sum of an import has one record, which stands for allocations of many times.
TEST_F(SnapshotSums, SumsHaveNoAges) {
  DecodedGroups groups;
  groups.records = {{pages_[0]}, {}, kAllPageFields};
  groups.nr_allocations = {2};
  std::string file;
  SnapshotWriter writer(context_, file, kLevelMin);
  ASSERT_TRUE(writer.begin(header_) && writer.append(groups) && writer.end(std::nullopt));
  dir_.write("file", file);
  SumRequest request;
  EXPECT_TRUE(session()->sum_groups({}, request, {}));
  request.group_by |= POBPF_GROUP_TIME;
  auto sums = session()->sum_groups({}, request, {});
  ASSERT_FALSE(sums);
  EXPECT_THAT(sums.error().what, testing::HasSubstr("how old their allocations are"));
}

TEST_F(SnapshotSums, FieldsThatAreNotThereAreAnError) {
  std::string file;
  SnapshotWriter writer(context_, file, kLevelMin);
  ASSERT_TRUE(writer.begin(header_));
  pobpf_page page{};
  page.kind = POBPF_ITEM_PAGE;
  page.handle = 1;
  page.order = 1;
  ASSERT_TRUE(writer.append({&page, 1}, PageField::kHandle | PageField::kOrder));
  ASSERT_TRUE(writer.end(std::nullopt));
  dir_.write("file", file);
  SumRequest request;
  EXPECT_TRUE(session()->sum_groups({}, request, {}));
  for (const auto& [by, field] : {std::pair(POBPF_GROUP_TGID, "tgid"),
                                  {POBPF_GROUP_KIND, "kind of page"},
                                  {POBPF_GROUP_NID, "page flags"},
                                  {POBPF_GROUP_MEMCG, "cgroup"},
                                  {POBPF_GROUP_FREED, "last free"},
                                  {POBPF_GROUP_MIGRATE_REASON, "migrat"}}) {
    request.group_by = static_cast<std::uint32_t>(by);
    auto sums = session()->sum_groups({}, request, {});
    ASSERT_FALSE(sums) << field;
    EXPECT_THAT(sums.error().what, testing::HasSubstr(field));
  }
  ReaderView view;
  view.filter.pids.wanted = {{0, 0}};
  bool at_end = false;
  const auto snapshot = session();
  auto reader = snapshot->open_reader(view);
  ASSERT_TRUE(reader);
  auto pages = (*reader)->next(at_end);
  ASSERT_FALSE(pages);
  EXPECT_THAT(pages.error().what, testing::HasSubstr("pid"));
}

}  // namespace
}  // namespace pobpf
