// SPDX-License-Identifier: GPL-2.0-only
#include "model/compile_filter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "model/comm_automaton.h"
#include "model/duration.h"

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kNowNs = 1'000'000'000'000;

struct Named {
  std::string name;
  AddressRange range;
};

/// A machine with a few functions, two modules and three cgroups; each question is counted.
class FakeContext final : public FilterContext {
 public:
  Result<std::uint64_t> now_ns() override {
    ++nr_clock_reads;
    return kNowNs;
  }
  Result<std::vector<AddressRange>> symbol_ranges(const NamePredicate& is_wanted) override {
    ++nr_symbol_scans;
    return ranges_of(functions, is_wanted);
  }
  Result<std::vector<AddressRange>> module_ranges(const NamePredicate& is_wanted) override {
    ++nr_symbol_scans;
    return ranges_of(modules, is_wanted);
  }
  Result<std::uint64_t> cgroup_id(const std::string& path) override {
    const auto found = cgroups.find(path);
    if (found == cgroups.end())
      return fail(ErrorKind::kUsage, fmt::format("there is no cgroup {}", path));
    return found->second;
  }
  Status check_supported(pobpf_filter filter) override {
    asked.push_back(filter);
    if ((unsupported >> filter & 1U) != 0)
      return fail(ErrorKind::kUnsupported, fmt::format("filter {} is missing", int{filter}));
    return {};
  }

  std::vector<Named> functions = {{"alloc_pages", {100, 200}},   {"kmalloc", {200, 300}},
                                  {"kfree", {300, 400}},         {"vmalloc", {500, 600}},
                                  {"ext4_read", {10000, 10100}}, {"ext4_write", {10100, 10200}}};
  std::vector<Named> modules = {{"ext4", {10000, 11000}}, {"xfs", {20000, 21000}}};
  std::map<std::string, std::uint64_t> cgroups = {{"/", 1}, {"/a", 11}, {"a", 11}, {"/a/b", 12}};
  std::uint32_t unsupported = 0;
  std::vector<pobpf_filter> asked;
  int nr_clock_reads = 0;
  int nr_symbol_scans = 0;

 private:
  static std::vector<AddressRange> ranges_of(const std::vector<Named>& all,
                                             const NamePredicate& is_wanted) {
    std::vector<AddressRange> ranges;
    for (const Named& named : all)
      if (is_wanted(named.name)) ranges.push_back(named.range);
    return ranges;
  }
};

KernelFacts small_kernel() {
  KernelFacts facts;
  facts.gfp_names = {{0xcc0, "GFP_KERNEL"}, {0x40, "__GFP_IO"}, {0x80, "__GFP_FS"},
                     {0x400, "__GFP_X"},    {0x800, "__GFP_Y"}, {0, "__GFP_NOLOCKDEP"},
                     {0x8, "__GFP_MOVABLE"}};
  facts.page_flag_names = {{1, "locked"}, {0x20, "lru"}, {1ULL << 40, "hwpoison"}};
  facts.zone_names = {"DMA", "DMA32", "Normal", "Movable"};
  facts.migratetype_names = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA"};
  return facts;
}

class CompileFilter : public testing::Test {
 protected:
  CompiledFilter compile() {
    auto compiled = compile_filter(spec_, facts_, context_);
    if (!compiled) {
      ADD_FAILURE() << compiled.error().what;
      return {};
    }
    return *std::move(compiled);
  }

  /// The sentence of an error.
  std::string refusal(ErrorKind kind = ErrorKind::kUsage) {
    const auto compiled = compile_filter(spec_, facts_, context_);
    if (compiled) return "accepted";
    EXPECT_EQ(compiled.error().kind, kind);
    return compiled.error().what +
           (compiled.error().hint.empty() ? "" : ": " + compiled.error().hint);
  }

  /// Says what is wrong with it on every kernel.
  std::string spec_refusal() const {
    const auto status = check_filter(spec_);
    if (status) return "accepted";
    EXPECT_EQ(status.error().kind, ErrorKind::kUsage);
    return status.error().what + (status.error().hint.empty() ? "" : ": " + status.error().hint);
  }

  FilterSpec spec_;
  KernelFacts facts_ = small_kernel();
  FakeContext context_;
};

std::uint32_t only(pobpf_filter filter) { return 1U << filter; }

using SetMember = std::array<std::uint64_t, 3>;  // kind, value, bits

std::vector<SetMember> members(const CompiledFilter& filter) {
  std::vector<SetMember> result;
  for (const auto& [key, bits] : filter.members) {
    EXPECT_EQ(key.reserved, 0U);
    result.push_back({key.kind, key.value, bits});
  }
  return result;
}

using Range = std::array<std::uint64_t, 3>;  // begin, end, hits

std::vector<Range> stack_ranges(const CompiledFilter& filter) {
  std::vector<Range> result;
  for (const pobpf_stack_range& range : filter.stack_ranges) {
    EXPECT_EQ(range.reserved, 0U);
    result.push_back({range.begin, range.end, range.hits});
  }
  EXPECT_EQ(filter.params.nr_stack_ranges, result.size());
  return result;
}

TEST_F(CompileFilter, NothingIsFilteredByDefault) {
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, 0U);
  EXPECT_EQ(filter.params.ts_max, UINT64_MAX);
  EXPECT_EQ(filter.params.age_max, UINT64_MAX);
  EXPECT_EQ(spec_.active(), 0U);
  EXPECT_FALSE(filter.pfns);
  EXPECT_FALSE(filter.comms);
  EXPECT_THAT(filter.members, IsEmpty());
  EXPECT_THAT(filter.stack_ranges, IsEmpty());
  EXPECT_THAT(context_.asked, IsEmpty());
  EXPECT_EQ(context_.nr_clock_reads, 0);
  EXPECT_EQ(context_.nr_symbol_scans, 0);
}

// masks

TEST_F(CompileFilter, ZonesAreAMask) {
  spec_.zones.wanted = {"DMA32", "Movable"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_ZONE));
  EXPECT_EQ(filter.params.zone_mask, 0b1010U);
}

TEST_F(CompileFilter, RejectedZonesAreTakenOut) {
  spec_.zones.rejected = {"DMA"};
  EXPECT_EQ(compile().params.zone_mask & 0xfU, 0b1110U);
  spec_.zones.wanted = {"DMA", "Normal"};
  EXPECT_EQ(compile().params.zone_mask, 0b0100U);
}

TEST_F(CompileFilter, MigratetypesOfAllocationsAndBlocksAreMasksOfTheirOwn) {
  spec_.migratetypes.wanted = {"Movable"};
  spec_.block_migratetypes.rejected = {"CMA"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active,
            only(POBPF_FILTER_MIGRATETYPE) | only(POBPF_FILTER_BLOCK_MIGRATETYPE));
  EXPECT_EQ(filter.params.migratetype_mask, 0b00010U);
  EXPECT_EQ(filter.params.block_migratetype_mask & 0x1fU, 0b01111U);
}

TEST_F(CompileFilter, UnknownNamesListTheValidOnes) {
  spec_.zones.wanted = {"normal"};
  EXPECT_EQ(refusal(),
            "'normal' is not a zone of this kernel: did you mean 'Normal'? "
            "there are DMA, DMA32, Normal, Movable");
  spec_.zones = {{}, {"HighMem"}};
  EXPECT_EQ(refusal(),
            "'HighMem' is not a zone of this kernel: there are DMA, DMA32, Normal, Movable");
  spec_.zones = {};
  spec_.migratetypes.wanted = {"Unmoveable"};
  EXPECT_THAT(refusal(), HasSubstr("did you mean 'Unmovable'? there are Unmovable, Movable, "));
  spec_.migratetypes = {};
  spec_.block_migratetypes.rejected = {"cma"};
  EXPECT_THAT(refusal(), HasSubstr("did you mean 'CMA'? "));
}

TEST_F(CompileFilter, OrdersAreAMask) {
  spec_.orders.wanted = {{0, 0}, {4, kOrderMax}};
  EXPECT_EQ(compile().params.order_mask, 0x7ffffff1U);
  spec_.orders.rejected = {{5, 30}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_ORDER));
  EXPECT_EQ(filter.params.order_mask, 0x11U);
  spec_.orders.wanted.clear();
  EXPECT_EQ(compile().params.order_mask, 0x1fU);
}

TEST_F(CompileFilter, OrdersThatNoKernelHasDoNotHang) {
  spec_.orders.wanted = {{3, UINT32_MAX}};
  EXPECT_EQ(compile().params.order_mask, 0x7ffffff8U);
  spec_.orders.wanted = {{40, 50}};
  EXPECT_NE(refusal(), "accepted");
}

TEST_F(CompileFilter, SaysWhenNothingIsLeft) {
  spec_.orders = {{{1, 1}}, {{0, 3}}};
  EXPECT_EQ(spec_refusal(), "--not-order rules out all of --order");
  EXPECT_EQ(refusal(), "--not-order rules out all of --order");
  spec_.orders = {{}, {{0, kOrderMax}}};
  EXPECT_EQ(spec_refusal(), "--not-order rules out everything");
  spec_.orders = {};
  spec_.zones = {{"DMA"}, {"Normal", "DMA"}};
  EXPECT_EQ(spec_refusal(), "--not-zone rules out all of --zone");
  spec_.zones = {{}, {"DMA", "DMA32", "Normal", "Movable"}};
  EXPECT_EQ(spec_refusal(), "accepted");
  EXPECT_EQ(refusal(), "--not-zone rules out everything");
  spec_.zones = {};
  spec_.migratetypes = {{"CMA"}, {"CMA"}};
  EXPECT_EQ(spec_refusal(), "--not-migratetype rules out all of --migratetype");
  spec_.migratetypes = {};
  spec_.block_migratetypes = {{"CMA", "Movable"}, {"Movable", "CMA"}};
  EXPECT_EQ(spec_refusal(), "--not-block-migratetype rules out all of --block-migratetype");
}

// bits

TEST_F(CompileFilter, GfpFlagsAreThreeMasks) {
  spec_.gfp.all = {"__GFP_X", "0x10000"};
  spec_.gfp.any = {"__GFP_IO", "__GFP_FS"};
  spec_.gfp.none = {"__GFP_MOVABLE"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_GFP));
  EXPECT_EQ(filter.params.gfp_all, 0x10400U);
  EXPECT_EQ(filter.params.gfp_any, 0xc0U);
  EXPECT_EQ(filter.params.gfp_none, 0x8U);
}

TEST_F(CompileFilter, CompositeGfpNamesAreAllOfTheirBits) {
  spec_.gfp.all = {"GFP_KERNEL"};
  EXPECT_EQ(compile().params.gfp_all, 0xcc0U);
}

TEST_F(CompileFilter, PageFlagsAreThreeMasks) {
  spec_.flags = {{"lru"}, {"locked", "0x8000000000000000"}, {"hwpoison"}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_FLAGS));
  EXPECT_EQ(filter.params.flags_all, 0x20U);
  EXPECT_EQ(filter.params.flags_any, 0x8000000000000001U);
  EXPECT_EQ(filter.params.flags_none, 1ULL << 40);
}

TEST_F(CompileFilter, BitsThatCannotBeAreRefused) {
  spec_.gfp = {{"GFP_KERNEL"}, {}, {"__GFP_IO"}};
  EXPECT_EQ(refusal(),
            "nothing can have the bits of --gfp: the same bit is asked for and ruled out");
  spec_.gfp = {{}, {"__GFP_IO"}, {"GFP_KERNEL"}};
  EXPECT_THAT(refusal(), HasSubstr("nothing can have"));
  EXPECT_EQ(spec_refusal(), "accepted");
  spec_.gfp = {{"a", "b"}, {}, {"b"}};
  EXPECT_THAT(spec_refusal(), HasSubstr("nothing can have the bits of --gfp"));
  spec_.gfp = {{}, {"a", "b"}, {"b", "a"}};
  EXPECT_THAT(spec_refusal(), HasSubstr("nothing can have the bits of --gfp"));
  spec_.gfp = {{}, {"__GFP_IO", "__GFP_MOVABLE"}, {"GFP_KERNEL"}};
  EXPECT_EQ(compile().params.gfp_any, 0x48U);
}

TEST_F(CompileFilter, UnknownBitsListTheValidOnes) {
  spec_.gfp.any = {"gfp_kernel"};
  EXPECT_THAT(refusal(), HasSubstr("'gfp_kernel' is not a gfp flag of this kernel: did you mean "
                                   "'GFP_KERNEL'? there are GFP_KERNEL, __GFP_IO, "));
  spec_.gfp = {};
  spec_.flags.none = {"LRU"};
  EXPECT_EQ(refusal(),
            "'LRU' is not a page flag of this kernel: did you mean 'lru'? "
            "there are locked, lru, hwpoison");
}

TEST_F(CompileFilter, NumbersOfBitsAreCheckedWithoutAKernel) {
  spec_.gfp.all = {"0xzz"};
  EXPECT_THAT(spec_refusal(), HasSubstr("--gfp: '0xzz' is not a number"));
  spec_.gfp.all = {"0x100000000"};
  EXPECT_EQ(spec_refusal(), "--gfp: '0x100000000' has more than 32 bits");
  // any: of no bit would be no condition at all
  spec_.gfp = {{}, {"0x0"}, {}};
  EXPECT_EQ(spec_refusal(), "--gfp: '0x0' has no bit");
  spec_.gfp = {};
  spec_.flags.none = {"0x1ffffffffffffffff"};
  EXPECT_THAT(spec_refusal(), HasSubstr("is too large"));
}

TEST_F(CompileFilter, NamesWithoutABitAreRefused) {
  spec_.gfp.any = {"__GFP_NOLOCKDEP"};
  EXPECT_EQ(refusal(), "'__GFP_NOLOCKDEP' has no bit on this kernel: leave it out");
}

// sets

TEST_F(CompileFilter, IdsAreMembersOfTheSet) {
  spec_.pids.wanted = {{7, 9}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_PID));
  EXPECT_EQ(filter.params.wanted_sets, 1U << POBPF_SET_PID);
  EXPECT_THAT(members(filter), ElementsAre(SetMember{POBPF_SET_PID, 7, POBPF_SET_WANTED},
                                           SetMember{POBPF_SET_PID, 8, POBPF_SET_WANTED},
                                           SetMember{POBPF_SET_PID, 9, POBPF_SET_WANTED}));
}

TEST_F(CompileFilter, RejectedIdsNeedNoWantedSet) {
  spec_.tgids.rejected = {{1, 1}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_TGID));
  EXPECT_EQ(filter.params.wanted_sets, 0U);
  EXPECT_THAT(members(filter), ElementsAre(SetMember{POBPF_SET_TGID, 1, POBPF_SET_REJECTED}));
}

TEST_F(CompileFilter, IdsNamedTwiceAreOneMember) {
  spec_.handles = {{{5, 6}, {6, 7}, {6, 6}}, {{7, 8}}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_HANDLE));
  EXPECT_THAT(members(filter),
              ElementsAre(SetMember{POBPF_SET_HANDLE, 5, POBPF_SET_WANTED},
                          SetMember{POBPF_SET_HANDLE, 6, POBPF_SET_WANTED},
                          SetMember{POBPF_SET_HANDLE, 7, POBPF_SET_WANTED | POBPF_SET_REJECTED},
                          SetMember{POBPF_SET_HANDLE, 8, POBPF_SET_REJECTED}));
}

TEST_F(CompileFilter, HandlesReachTheLastNumber) {
  spec_.handles.wanted = {{UINT32_MAX - 1, UINT32_MAX}};
  EXPECT_EQ(compile().members.size(), 2U);
}

TEST_F(CompileFilter, IdsOfWhichNoneIsLeftAreRefused) {
  spec_.pids = {{{3, 4}}, {{1, 9}}};
  EXPECT_EQ(spec_refusal(), "--not-pid rules out all of --pid");
  spec_.pids = {};
  spec_.handles = {{{3, 4}}, {{4, 4}, {3, 3}}};
  EXPECT_EQ(spec_refusal(), "--not-handle rules out all of --handle");
}

TEST_F(CompileFilter, TooManyIdsAreRefusedBeforeTheyAreCounted) {
  spec_.pids.wanted = {{0, 0x7fffffff}};
  EXPECT_EQ(spec_refusal(), "--pid names over 4000000 numbers: name the others, with --not-pid");
  spec_.pids = {{}, {{1, 4'000'001}}};
  EXPECT_EQ(spec_refusal(), "--not-pid names over 4000000 numbers: name the others, with --pid");
  spec_.pids = {{{1, 2'000'001}}, {{3'000'000, 4'999'999}}};
  EXPECT_NE(spec_refusal(), "accepted");
  spec_.pids = {};
  spec_.handles.wanted = std::vector<IdRange>(1000, {0, UINT32_MAX});
  EXPECT_NE(spec_refusal(), "accepted");
}

TEST_F(CompileFilter, TenThousandIdsAreTaken) {
  for (std::uint32_t i = 0; i < 10'000; ++i) spec_.pids.wanted.push_back({i * 3, i * 3});
  const auto filter = compile();
  ASSERT_EQ(filter.members.size(), 10'000U);
  EXPECT_EQ(filter.members.back().first.value, 29'997U);
}

TEST_F(CompileFilter, TheMostIdsThatAreAllowedAreTaken) {
  spec_.tgids.wanted = {{1, 4'000'000}};
  const auto filter = compile();
  ASSERT_EQ(filter.members.size(), 4'000'000U);
  EXPECT_EQ(filter.members.front().first.value, 1U);
  EXPECT_EQ(filter.members.back().first.value, 4'000'000U);
}

// task names

TEST_F(CompileFilter, TaskNamesAreAnAutomaton) {
  spec_.comms = {{"kworker*", "bash"}, {"kworker/u*"}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_COMM));
  ASSERT_TRUE(filter.comms);
  CommAutomaton automaton;
  std::copy(std::begin(filter.params.comm), std::end(filter.params.comm), automaton.states.begin());
  automaton.table = filter.comms->table;
  EXPECT_TRUE(automaton.passes("kworker/0:1"));
  EXPECT_TRUE(automaton.passes("bash"));
  EXPECT_FALSE(automaton.passes("kworker/u8:0"));
  EXPECT_FALSE(automaton.passes("sh"));
}

TEST_F(CompileFilter, TaskNamesOfWhichNoneIsLeftAreRefused) {
  const std::pair<const char*, const char*> none_left[] = {{"bash", "bash"},   {"bash", "b*"},
                                                           {"kworker*", "k*"}, {"[a-c]", "?"},
                                                           {"a?", "a*"},       {"*", "*"}};
  for (const auto& [wanted, rejected] : none_left) {
    spec_.comms = {{wanted}, {rejected}};
    EXPECT_EQ(spec_refusal(), "--not-comm rules out all of --comm") << wanted << " " << rejected;
  }
  spec_.comms = {{"a", "b"}, {"[ab]"}};
  EXPECT_NE(spec_refusal(), "accepted");
  spec_.comms = {{}, {"*"}};
  EXPECT_EQ(spec_refusal(), "--not-comm rules out everything");
  const std::pair<const char*, const char*> some_left[] = {
      {"b*", "bash"}, {"?", "[!a]"}, {"a*c", "a?c"}, {"*", "?*"}, {"*", "*?????????????? "}};
  for (const auto& [wanted, rejected] : some_left) {
    spec_.comms = {{wanted}, {rejected}};
    EXPECT_EQ(spec_refusal(), "accepted") << wanted << " " << rejected;
  }
}

TEST_F(CompileFilter, TaskNamesTakeNoTimeToCheck) {
  // patterns whose sets of states are many
  const std::vector<std::string> stars = {"*a*b*c*d*e*f*", "*g*h*i*j*k*l*", "*m*n*o*p*q*r*",
                                          "*s*t*u*v*w*x*"};
  spec_.comms = {stars, {"*y*", "*z*"}};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(spec_refusal(), "accepted");
  spec_.comms = {stars, {"*"}};
  (void)spec_refusal();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(CompileFilter, TaskNamesThatAreTooLongAreRefused) {
  spec_.comms.wanted = {"systemd-journald"};
  EXPECT_THAT(spec_refusal(), HasSubstr("cuts their names to 15 bytes: try 'systemd-journal'"));
}

// times

TEST_F(CompileFilter, PointsInTimeAreFixed) {
  spec_.since = ClockTime{true, 10 * kSecondNs};
  spec_.until = ClockTime{true, 5 * kSecondNs};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_TIME));
  EXPECT_EQ(filter.params.ts_min, kNowNs - 10 * kSecondNs);
  EXPECT_EQ(filter.params.ts_max, kNowNs - 5 * kSecondNs);
  EXPECT_EQ(filter.params.age_min, 0U);
  EXPECT_EQ(filter.params.age_max, UINT64_MAX);
  EXPECT_EQ(context_.nr_clock_reads, 1);
  // no clock is needed while pages are read
  EXPECT_THAT(context_.asked, IsEmpty());
}

TEST_F(CompileFilter, TimesSinceBootNeedNoClock) {
  spec_.since = ClockTime{false, 1000};
  spec_.until = ClockTime{false, 2000};
  const auto filter = compile();
  EXPECT_EQ(filter.params.ts_min, 1000U);
  EXPECT_EQ(filter.params.ts_max, 2000U);
  EXPECT_EQ(context_.nr_clock_reads, 0);
}

TEST_F(CompileFilter, TimesBeforeBootAreTheBoot) {
  spec_.since = ClockTime{true, 2 * kNowNs};
  EXPECT_EQ(compile().params.ts_min, 0U);
}

TEST_F(CompileFilter, TimesThatRunBackwardsAreRefused) {
  spec_.since = ClockTime{true, 5 * kSecondNs};
  spec_.until = ClockTime{false, kNowNs - 10 * kSecondNs};
  EXPECT_EQ(refusal(), "--since is after --until: nothing lies between them");
  spec_.until = ClockTime{false, kNowNs - 5 * kSecondNs};
  EXPECT_EQ(compile().params.ts_max, kNowNs - 5 * kSecondNs);
}

TEST_F(CompileFilter, AgesNeedTheClockOfTheKernel) {
  spec_.age = AgeRange{kSecondNs, 2 * kSecondNs};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_TIME));
  EXPECT_EQ(filter.params.age_min, kSecondNs);
  EXPECT_EQ(filter.params.age_max, 2 * kSecondNs);
  EXPECT_EQ(filter.params.ts_min, 0U);
  EXPECT_EQ(filter.params.ts_max, UINT64_MAX);
  EXPECT_THAT(context_.asked, ElementsAre(POBPF_FILTER_TIME));
}

// yes or no

TEST_F(CompileFilter, ChoicesAreYesOrNo) {
  spec_.is_mixed = true;
  spec_.is_dead = false;
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_MIXED) | only(POBPF_FILTER_DEAD));
  EXPECT_EQ(filter.params.mixed, static_cast<__u32>(POBPF_ONLY));
  EXPECT_EQ(filter.params.dead, static_cast<__u32>(POBPF_NONE));
}

// PFNs

TEST_F(CompileFilter, PfnsNeedNoFilterOfThePages) {
  spec_.pfns.wanted = {{100, 200}, {150, 300}, {50, 60}};
  spec_.pfns.rejected = {{120, 130}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, 0U);
  ASSERT_TRUE(filter.pfns);
  EXPECT_THAT(*filter.pfns, ElementsAre(PfnRange{50, 60}, PfnRange{100, 120}, PfnRange{130, 300}));
}

TEST_F(CompileFilter, RejectedPfnsLeaveTheOthers) {
  spec_.pfns.rejected = {{0, 10}, {20, 30}};
  EXPECT_THAT(*compile().pfns, ElementsAre(PfnRange{10, 20}, PfnRange{30, UINT64_MAX}));
}

TEST_F(CompileFilter, PfnsOfWhichNoneIsLeftAreRefused) {
  spec_.pfns = {{{5, 10}}, {{0, 7}, {7, 20}}};
  EXPECT_EQ(spec_refusal(), "--not-pfn rules out all of --pfn");
  spec_.pfns = {{}, {{0, UINT64_MAX}}};
  EXPECT_EQ(spec_refusal(), "--not-pfn rules out everything");
}

TEST_F(CompileFilter, AMillionRangesOfPfnsAreTaken) {
  for (std::uint64_t i = 1'000'000; i > 0; --i) {
    spec_.pfns.wanted.push_back({i * 10, i * 10 + 6});
    spec_.pfns.rejected.push_back({i * 10 + 2, i * 10 + 4});
  }
  const auto filter = compile();
  ASSERT_EQ(filter.pfns->size(), 2'000'000U);
  EXPECT_EQ(filter.pfns->front(), (PfnRange{10, 12}));
  EXPECT_EQ(filter.pfns->back(), (PfnRange{10'000'004, 10'000'006}));
}

// cgroups

TEST_F(CompileFilter, CgroupsAreMembersById) {
  spec_.memcgs = {{"/a"}, {"/a/b"}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_MEMCG));
  EXPECT_EQ(filter.params.wanted_sets, 1U << POBPF_SET_MEMCG);
  EXPECT_THAT(members(filter), ElementsAre(SetMember{POBPF_SET_MEMCG, 11, POBPF_SET_WANTED},
                                           SetMember{POBPF_SET_MEMCG, 12, POBPF_SET_REJECTED}));
}

TEST_F(CompileFilter, CgroupsMayBeGivenById) {
  spec_.memcgs = {{"id:77", "/a"}, {"id:12"}};
  EXPECT_THAT(members(compile()), ElementsAre(SetMember{POBPF_SET_MEMCG, 11, POBPF_SET_WANTED},
                                              SetMember{POBPF_SET_MEMCG, 12, POBPF_SET_REJECTED},
                                              SetMember{POBPF_SET_MEMCG, 77, POBPF_SET_WANTED}));
  spec_.memcgs = {{}, {"id:none"}};
  EXPECT_THAT(spec_refusal(), HasSubstr("'none' is not the id of a cgroup"));
}

TEST_F(CompileFilter, RejectedCgroupsLeaveTheOthers) {
  spec_.memcgs.rejected = {"/a"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.wanted_sets, 0U);
  EXPECT_THAT(members(filter), ElementsAre(SetMember{POBPF_SET_MEMCG, 11, POBPF_SET_REJECTED}));
}

TEST_F(CompileFilter, CgroupsThatAreNotThereAreRefused) {
  spec_.memcgs.wanted = {"/none"};
  EXPECT_EQ(refusal(), "there is no cgroup /none");
}

TEST_F(CompileFilter, CgroupsOfWhichNoneIsLeftAreRefused) {
  spec_.memcgs = {{"/a"}, {"/a"}};
  EXPECT_EQ(spec_refusal(), "--not-memcg rules out all of --memcg");
  // the same cgroup in other words
  spec_.memcgs = {{"/a"}, {"a"}};
  EXPECT_EQ(spec_refusal(), "accepted");
  EXPECT_EQ(refusal(), "--not-memcg rules out all of --memcg");
}

// stacks

TEST_F(CompileFilter, FunctionsAreRanges) {
  spec_.symbols.wanted = {"k*"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.active, only(POBPF_FILTER_STACK));
  EXPECT_EQ(filter.params.wanted_hits, static_cast<__u32>(POBPF_STACK_SYMBOL));
  EXPECT_THAT(stack_ranges(filter), ElementsAre(Range{200, 400, POBPF_STACK_SYMBOL}));
}

TEST_F(CompileFilter, RangesAreSplitWhereTheirHitsDiffer) {
  spec_.symbols = {{"*alloc*"}, {"kfree"}};
  spec_.modules = {{"ext4"}, {"xfs"}};
  const auto filter = compile();
  EXPECT_EQ(filter.params.wanted_hits, static_cast<__u32>(POBPF_STACK_SYMBOL | POBPF_STACK_MODULE));
  EXPECT_THAT(
      stack_ranges(filter),
      ElementsAre(Range{100, 300, POBPF_STACK_SYMBOL}, Range{300, 400, POBPF_STACK_NOT_SYMBOL},
                  Range{500, 600, POBPF_STACK_SYMBOL}, Range{10000, 11000, POBPF_STACK_MODULE},
                  Range{20000, 21000, POBPF_STACK_NOT_MODULE}));
}

TEST_F(CompileFilter, FunctionsOfModulesHitBoth) {
  spec_.symbols.wanted = {"ext4_write"};
  spec_.modules.wanted = {"ext4"};
  EXPECT_THAT(stack_ranges(compile()),
              ElementsAre(Range{10000, 10100, POBPF_STACK_MODULE},
                          Range{10100, 10200, POBPF_STACK_SYMBOL | POBPF_STACK_MODULE},
                          Range{10200, 11000, POBPF_STACK_MODULE}));
}

TEST_F(CompileFilter, OnlyRejectedFunctionsLeaveTheOthers) {
  spec_.symbols.rejected = {"kmalloc"};
  spec_.modules.rejected = {"xfs"};
  const auto filter = compile();
  EXPECT_EQ(filter.params.wanted_hits, 0U);
  EXPECT_THAT(stack_ranges(filter), ElementsAre(Range{200, 300, POBPF_STACK_NOT_SYMBOL},
                                                Range{20000, 21000, POBPF_STACK_NOT_MODULE}));
}

TEST_F(CompileFilter, EachPatternMustMatchSomething) {
  spec_.symbols.wanted = {"kmalloc", "kmaloc"};
  EXPECT_THAT(refusal(), HasSubstr("'kmaloc' is not a function of this kernel: did you mean "
                                   "'kmalloc'? there are alloc_pages, kmalloc, "));
  spec_.symbols = {{}, {"nosuch*"}};
  EXPECT_THAT(refusal(), HasSubstr("'nosuch*' is not a function of this kernel: there are "));
  spec_.symbols = {};
  spec_.modules.wanted = {"etx4"};
  EXPECT_EQ(refusal(),
            "'etx4' is not a module that is loaded: did you mean 'ext4'? there are ext4, xfs");
  context_.modules.clear();
  EXPECT_EQ(refusal(), "'etx4' is not a module that is loaded: there are none");
}

TEST_F(CompileFilter, NotAllFunctionsOfAKernelAreListed) {
  for (std::uint64_t i = 0; i < 1000; ++i)
    context_.functions.push_back({fmt::format("function_{}", i), {50000 + i, 50001 + i}});
  spec_.symbols.wanted = {"kmaloc"};
  EXPECT_EQ(refusal(), "'kmaloc' is not a function of this kernel: did you mean 'kmalloc'?");
}

TEST_F(CompileFilter, FunctionsOfWhichNoneIsLeftAreRefused) {
  spec_.symbols = {{"kmalloc"}, {"kmalloc"}};
  EXPECT_EQ(spec_refusal(), "--not-symbol rules out all of --symbol");
  spec_.symbols = {{"kmalloc"}, {"k*"}};
  EXPECT_EQ(spec_refusal(), "accepted");
  EXPECT_EQ(refusal(), "--not-symbol and --not-module rule out all of --symbol");
  spec_.symbols = {{"ext4_read"}, {}};
  spec_.modules = {{}, {"ext*"}};
  EXPECT_EQ(refusal(), "--not-symbol and --not-module rule out all of --symbol");
  spec_.symbols = {};
  spec_.modules = {{"ext4"}, {"*4"}};
  EXPECT_EQ(refusal(), "--not-symbol and --not-module rule out all of --module");
  spec_.modules = {{"ext4"}, {"ext4"}};
  EXPECT_EQ(spec_refusal(), "--not-module rules out all of --module");
}

TEST_F(CompileFilter, RangesThatBpfCannotSearchAreRefused) {
  context_.functions.clear();
  // apart, so that they are not joined
  for (std::uint64_t i = 0; i < (1U << 20) - 1; ++i)
    context_.functions.push_back({"f", {i * 4, i * 4 + 2}});
  spec_.symbols.wanted = {"f"};
  EXPECT_EQ(compile().stack_ranges.size(), (1U << 20) - 1);
  context_.functions.push_back({"f", {1ULL << 40, (1ULL << 40) + 2}});
  EXPECT_EQ(refusal(), "the functions lie in over 1048575 places: name fewer of them");
}

// the machine

TEST_F(CompileFilter, WhatTheKernelCannotServeIsAnErrorNotIgnored) {
  const auto expect_unsupported = [&](pobpf_filter filter, const FilterSpec& spec) {
    spec_ = spec;
    context_.unsupported = 0;
    EXPECT_EQ(compile().params.active, only(filter));
    context_.unsupported = only(filter);
    EXPECT_EQ(refusal(ErrorKind::kUnsupported), fmt::format("filter {} is missing", int{filter}));
  };
  FilterSpec spec;
  spec.memcgs.wanted = {"/a"};
  expect_unsupported(POBPF_FILTER_MEMCG, spec);
  spec = {};
  spec.is_dead = true;
  expect_unsupported(POBPF_FILTER_DEAD, spec);
  spec = {};
  spec.age = AgeRange{1, 2};
  expect_unsupported(POBPF_FILTER_TIME, spec);
  spec = {};
  spec.symbols.rejected = {"kfree"};
  expect_unsupported(POBPF_FILTER_STACK, spec);
}

TEST_F(CompileFilter, NamesThatTheKernelDoesNotShowAreUnsupported) {
  facts_ = KernelFacts();
  spec_.zones.wanted = {"Normal"};
  EXPECT_EQ(refusal(ErrorKind::kUnsupported),
            "--zone does not work here, as this kernel shows no names for it: leave it out");
  spec_ = {};
  spec_.block_migratetypes.rejected = {"CMA"};
  EXPECT_THAT(refusal(ErrorKind::kUnsupported), HasSubstr("--block-migratetype does not work"));
  spec_ = {};
  spec_.gfp.all = {"GFP_KERNEL"};
  EXPECT_THAT(refusal(ErrorKind::kUnsupported), HasSubstr("--gfp does not work"));
  spec_ = {};
  spec_.flags.any = {"lru"};
  EXPECT_THAT(refusal(ErrorKind::kUnsupported), HasSubstr("--flags does not work"));
  // numbers need no names
  spec_.flags = {{"0x20"}, {}, {}};
  EXPECT_EQ(compile().params.flags_all, 0x20U);
}

TEST_F(CompileFilter, AllFiltersTogether) {
  spec_.zones.wanted = {"Normal"};
  spec_.pids.wanted = {{1, 1}};
  spec_.tgids.rejected = {{2, 2}};
  spec_.handles.wanted = {{3, 3}};
  spec_.orders.wanted = {{0, 0}};
  spec_.comms.wanted = {"bash"};
  spec_.age = AgeRange{1, 2};
  spec_.since = ClockTime{false, 5};
  spec_.gfp.all = {"__GFP_IO"};
  spec_.flags.any = {"lru"};
  spec_.migratetypes.wanted = {"Movable"};
  spec_.block_migratetypes.wanted = {"Movable"};
  spec_.is_mixed = false;
  spec_.symbols.wanted = {"kmalloc"};
  spec_.memcgs.wanted = {"/"};
  spec_.pfns.wanted = {{1, 2}};
  spec_.is_dead = true;
  const auto filter = compile();
  const std::uint32_t all = (1U << POBPF_NR_FILTERS) - 1;
  EXPECT_EQ(filter.params.active, all & ~only(POBPF_FILTER_NID));
  EXPECT_EQ(context_.asked.size(), POBPF_NR_FILTERS - 1U);
  EXPECT_EQ(filter.members.size(), 4U);
}

}  // namespace
}  // namespace pobpf
