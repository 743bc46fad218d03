// SPDX-License-Identifier: GPL-2.0-only
// Tests filters of snapshots that mean something else than on the kernel's side; all others are
// compared with BPF itself in tests/synthetic/recording_test.cpp.
#include "snapshot/page_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up_pages.h"

namespace pobpf {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kRecordedNs = 1'000'000;

class PageFilterTest : public testing::Test {
 protected:
  PageFilterTest() {
    header.local_clock_ns = kRecordedNs;
    context.add_stack(1, {"alloc_pages+0x1/0x2", "ext4_read.isra.0+0x1/0x2 [ext4]"});
    context.add_stack(2, {"alloc_pages+0x1/0x2", "vfs_read+0x1/0x2"});
    context.add_stack(3, {});
    context.cgroups = {{5, "pods"}, {6, "/"}};
  }

  Result<PageFilter> make() { return PageFilter::make(spec, header, context); }
  std::string usage_error() {
    auto filter = make();
    if (filter) return "none";
    EXPECT_EQ(filter.error().kind, ErrorKind::kUsage);
    return filter.error().what;
  }
  /// Handles that pass.
  std::vector<std::uint32_t> handles() {
    auto filter = make();
    EXPECT_TRUE(filter) << filter.error().what;
    std::vector<std::uint32_t> passing;
    for (std::uint32_t handle = 1; filter && handle <= 3; ++handle) {
      pobpf_page page{};
      page.handle = handle;
      pobpf_filter rejected{};
      const auto verdict = filter->judge(page, nullptr, rejected);
      if (verdict == PageFilter::Verdict::kWanted) passing.push_back(handle);
      if (verdict == PageFilter::Verdict::kFiltered) {
        EXPECT_EQ(rejected, POBPF_FILTER_STACK);
      }
    }
    return passing;
  }
  bool passes(const pobpf_page& page) {
    auto filter = make();
    EXPECT_TRUE(filter) << filter.error().what;
    pobpf_filter rejected{};
    return filter && filter->judge(page, nullptr, rejected) == PageFilter::Verdict::kWanted;
  }

  SnapshotHeader header = test::made_up_header();
  samples::MadeUpContext context;
  FilterSpec spec;
};

using Handles = std::vector<std::uint32_t>;

TEST_F(PageFilterTest, FunctionsAndModulesAreThoseOfTheFile) {
  spec.symbols.wanted = {"ext4_read*"};
  EXPECT_EQ(handles(), Handles{1});
  spec.symbols.wanted = {"alloc_pages"};
  EXPECT_EQ(handles(), (Handles{1, 2}));
  spec.modules.rejected = {"ext?"};
  EXPECT_EQ(handles(), Handles{2});
  spec.symbols = {};
  EXPECT_EQ(handles(), (Handles{2, 3}));
  spec.modules = {{"*"}, {}};
  EXPECT_EQ(handles(), Handles{1});
  spec.symbols.rejected = {"ext4_read*"};
  EXPECT_EQ(handles(), Handles{});
}

TEST_F(PageFilterTest, AStackThatCouldNotBeReadIsNoAnswer) {
  spec.symbols.rejected = {"nothing"};
  auto filter = make();
  ASSERT_TRUE(filter);
  pobpf_page page{};
  page.handle = 4;
  pobpf_filter rejected{};
  EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kUnknown);
}

TEST_F(PageFilterTest, CgroupsOfWhichThereIsNoPathGoByTheirName) {
  pobpf_page page{};
  page.memcg_flags = POBPF_MEMCG_CHARGED;
  page.cgroup_id = 5;
  pobpf_page other = page;
  other.cgroup_id = 6;
  const pobpf_page uncharged{};
  spec.memcgs.wanted = {"pods"};
  EXPECT_TRUE(passes(page));
  EXPECT_FALSE(passes(other));
  EXPECT_FALSE(passes(uncharged));
  spec.memcgs = {{}, {"pods"}};
  EXPECT_FALSE(passes(page));
  EXPECT_TRUE(passes(other));
  EXPECT_TRUE(passes(uncharged));
  spec.memcgs = {{"/"}, {}};
  EXPECT_TRUE(passes(other));
  spec.memcgs = {{"/kube/pods"}, {}};
  EXPECT_TRUE(passes(page));
}

TEST_F(PageFilterTest, CgroupsGoByTheirIdAndThoseAboveThem) {
  context.cgroups = {{3, "/pods"}, {4, "/pods/a"}, {5, "/pods/a"}, {6, "/"}};
  // the parent of the other one was removed, and another one has its path
  context.above = {{4, {3, 6}}, {5, {2, 6}}};
  const auto ids = [&] {
    std::vector<std::uint64_t> passed;
    for (const auto& [id, path] : context.cgroups) {
      pobpf_page page{};
      page.memcg_flags = POBPF_MEMCG_CHARGED;
      page.cgroup_id = id;
      if (passes(page)) passed.push_back(id);
    }
    return passed;
  };
  using Ids = std::vector<std::uint64_t>;
  spec.memcgs.wanted = {"id:5"};
  EXPECT_EQ(ids(), Ids{5});
  spec.memcgs.wanted = {"id:3"};
  EXPECT_EQ(ids(), (Ids{3, 4}));
  spec.memcgs.wanted = {"id:2"};
  EXPECT_EQ(ids(), Ids{5});
  spec.memcgs = {{"/pods"}, {"id:3"}};
  EXPECT_EQ(ids(), Ids{5});
  spec.memcgs = {{"id:7", "id:4"}, {}};
  EXPECT_EQ(ids(), Ids{4});
  spec.memcgs = {{"id:x"}, {}};
  EXPECT_EQ(usage_error(), "'x' is not the id of a cgroup");
}

/// As BPF does, which looks at the cgroup and at all above it.
TEST_F(PageFilterTest, CgroupsGoByTheirPath) {
  constexpr std::pair<std::uint64_t, const char*> kCgroups[] = {
      {1, "/"}, {2, "/kube"}, {3, "/kube/pods"}, {4, "/kube/pods/a"}, {5, "/kube.slice"}};
  for (const auto& [id, path] : kCgroups) context.cgroups[id] = path;
  const auto ids = [&] {
    std::vector<std::uint64_t> passed;
    for (const auto& [id, path] : kCgroups) {
      pobpf_page page{};
      page.memcg_flags = POBPF_MEMCG_CHARGED;
      page.cgroup_id = id;
      if (passes(page)) passed.push_back(id);
    }
    return passed;
  };
  using Ids = std::vector<std::uint64_t>;
  for (const char* path :
       {"/kube/pods", "kube/pods", "/kube/pods/", "/sys/fs/cgroup/kube/pods", "/kube//pods",
        "./kube/./pods", "/kube/other/../pods", "/sys/fs/cgroup//kube/pods/."}) {
    spec.memcgs = {{path}, {}};
    EXPECT_EQ(ids(), (Ids{3, 4})) << path;
  }
  spec.memcgs = {{"/"}, {}};
  EXPECT_EQ(ids(), (Ids{1, 2, 3, 4, 5}));
  spec.memcgs = {{"/kube"}, {"/kube/pods/a"}};
  EXPECT_EQ(ids(), (Ids{2, 3}));
  spec.memcgs = {{"pods"}, {}};
  EXPECT_EQ(ids(), Ids{});
}

TEST_F(PageFilterTest, ACgroupThatCouldNotBeReadIsNoAnswer) {
  spec.memcgs = {{"/kube"}, {}};
  auto filter = make();
  ASSERT_TRUE(filter);
  pobpf_page page{};
  page.memcg_flags = POBPF_MEMCG_CHARGED;
  page.cgroup_id = 99;
  pobpf_filter rejected{};
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kUnknown);
  // in a damaged file it may come late
  context.cgroups[99] = "/kube";
  EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kWanted);
  page.memcg_flags = POBPF_MEMCG_UNKNOWN;
  page.cgroup_id = 0;
  EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kUnknown);
}

TEST(PageZones, OfAWordThatGetsItsNamesLater) {
  KernelFacts facts;
  facts.texts.emplace();
  PageZones zones(facts);
  EXPECT_FALSE(zones.of(5).nid);
  facts.texts->page_flags[5] = "lru|node=3|zone=1";
  ++facts.texts->version;
  EXPECT_EQ(zones.of(5).nid, 3U);
  EXPECT_EQ(zones.of(5).zone, 1U);
}

TEST_F(PageFilterTest, AgesAreThoseOfTheRecording) {
  pobpf_page page{};
  page.ts_nsec = kRecordedNs - 100;
  spec.age = AgeRange{100, 200};
  EXPECT_TRUE(passes(page));
  page.ts_nsec = kRecordedNs - 99;
  EXPECT_FALSE(passes(page));
  // allocated while it was recorded
  page.ts_nsec = kRecordedNs + 1;
  spec.age = AgeRange{0, 10};
  EXPECT_TRUE(passes(page));
  spec.age.reset();
  spec.since = ClockTime{true, 1000};
  page.ts_nsec = kRecordedNs - 1001;
  EXPECT_FALSE(passes(page));
  header.local_clock_ns.reset();
  EXPECT_THAT(usage_error(), HasSubstr("does not say when it was recorded"));
}

TEST_F(PageFilterTest, ProcessesAreDeadAsTheFileSays) {
  const auto verdict = [&](unsigned state) {
    pobpf_page_detail detail{};
    detail.process_state = static_cast<__u8>(state);
    pobpf_filter rejected{};
    return make()->judge({}, &detail, rejected);
  };
  using enum PageFilter::Verdict;
  spec.is_dead = true;
  EXPECT_EQ(verdict(POBPF_PROCESS_DEAD), kWanted);
  EXPECT_EQ(verdict(POBPF_PROCESS_REUSED), kWanted);
  EXPECT_EQ(verdict(POBPF_PROCESS_LIVING), kFiltered);
  EXPECT_EQ(verdict(POBPF_PROCESS_UNKNOWN), kUnknown);
  spec.is_dead = false;
  EXPECT_EQ(verdict(POBPF_PROCESS_REUSED), kFiltered);
  EXPECT_EQ(verdict(POBPF_PROCESS_LIVING), kWanted);
  EXPECT_EQ(verdict(POBPF_PROCESS_UNKNOWN), kUnknown);
  const auto status = make()->check_fields(kAllPageFields);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().what, HasSubstr("lack what is filtered by: fate of the process"));
}

TEST_F(PageFilterTest, NodesAreThoseOfTheRecordedMachine) {
  spec.nodes.emplace().set(7);
  EXPECT_THAT(usage_error(), HasSubstr("has no memory on node 7"));
}

TEST_F(PageFilterTest, NamesAreThoseOfTheRecordedKernel) {
  header.facts->zone_names = {"DMA", "Normal"};
  spec.zones.wanted = {"Nowhere"};
  EXPECT_THAT(usage_error(), HasSubstr("Nowhere"));
}

TEST_F(PageFilterTest, WithoutTheKernelsTablesNumbersSayNothing) {
  header.facts.reset();
  spec.is_mixed = true;
  EXPECT_THAT(usage_error(), HasSubstr("how its kernel numbers"));
  spec = {};
  spec.pids.wanted = {{3, 3}};
  EXPECT_TRUE(make());
}

TEST_F(PageFilterTest, PfnsThatAreNotWantedAreOutside) {
  spec.pfns.wanted = {{10, 20}};
  auto filter = make();
  ASSERT_TRUE(filter);
  pobpf_filter rejected{};
  pobpf_page page{};
  page.pfn = 19;
  EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kWanted);
  page.pfn = 20;
  EXPECT_EQ(filter->judge(page, nullptr, rejected), PageFilter::Verdict::kOutside);
}

TEST_F(PageFilterTest, FieldsThatAreNotThereAreAnError) {
  spec.tgids.wanted = {{1, 1}};
  spec.symbols.wanted = {"*"};
  auto filter = make();
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->check_fields(PageField::kTgid | PageField::kHandle));
  const auto status = filter->check_fields(PageFields{} | PageField::kHandle);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().what, HasSubstr("tgid"));
}

}  // namespace
}  // namespace pobpf
