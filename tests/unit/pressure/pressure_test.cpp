// SPDX-License-Identifier: GPL-2.0-only
// When memory counts as short: limits, the kernel's files, and how often.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "../util/temp_dir.h"
#include "pressure/capture_gate.h"
#include "pressure/memory_state.h"
#include "pressure/stall_limit.h"
#include "pressure/stall_monitor.h"

namespace pobpf {
namespace {

using namespace std::chrono_literals;

TEST(StallLimit, IsReadAndWrittenForTheKernel) {
  const auto some = parse_stall_limit("some:300ms/2s");
  ASSERT_TRUE(some && *some);
  EXPECT_EQ(**some, (StallLimit{StallKind::kSome, 300ms, 2s}));
  EXPECT_EQ(trigger_text(**some), "some 300000 2000000");
  const auto full = parse_stall_limit("full:1s/1s");
  ASSERT_TRUE(full && *full);
  EXPECT_EQ(trigger_text(**full), "full 1000000 1000000");
  const auto none = parse_stall_limit("none");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(StallLimit, AllElseIsRefused) {
  for (const char* text :
       {"", "some", "300ms/2s", "some:300ms", "some/300ms:2s", "any:300ms/2s", "some:/2s",
        "some:300ms/", "some:0s/2s", "some:3s/2s", "some:1ms/499ms", "some:1s/11s", "some:1/2",
        "SOME:300ms/2s", "some:300ms/2s/2s", "none ", "some:-1ms/2s"}) {
    const auto limit = parse_stall_limit(text);
    ASSERT_FALSE(limit) << text;
    EXPECT_EQ(limit.error().kind, ErrorKind::kUsage) << text;
    EXPECT_FALSE(limit.error().hint.empty()) << text;
  }
}

constexpr const char* kMeminfo =
    "MemTotal:        2013140 kB\nMemFree:         1689668 kB\nMemAvailable:    1712340 kB\n"
    "Buffers:               0 kB\nSwapCached:            0 kB\nSwapTotal:       1048572 kB\n"
    "SwapFree:        1048568 kB\n";

TEST(MemoryState, IsReadFromMeminfo) {
  const auto state = parse_meminfo(kMeminfo);
  ASSERT_TRUE(state) << state.error().what;
  EXPECT_EQ(state->total, 2013140ULL * 1024);
  EXPECT_EQ(state->available, 1712340ULL * 1024);
  EXPECT_EQ(state->left(), (1712340ULL + 1048568) * 1024);
}

TEST(MemoryState, AMissingLineIsAnError) {
  for (const char* text : {"", "MemTotal: 1 kB\nMemFree: 1 kB\nSwapFree: 0 kB\n",
                           "MemTotal: x kB\nMemAvailable: 1 kB\nSwapFree: 0 kB\n"})
    EXPECT_FALSE(parse_meminfo(text)) << text;
}

/// As 6.12 prints it, cut to what matters and what looks like it.
std::string zone(unsigned nid, const char* name, unsigned free, unsigned high, unsigned present,
                 unsigned start) {
  const std::string number = std::to_string(nid);
  return "Node " + number + ", zone " + name +
         "\n  per-node stats\n      nr_free_pages 7\n  pages free     " + std::to_string(free) +
         "\n        boost    0\n        min      10\n        low      20\n        high     " +
         std::to_string(high) + "\n        promo    50\n        spanned  " +
         std::to_string(present + 5) + "\n        present  " + std::to_string(present) +
         "\n        managed  1\n        protection: (0, 3, 3)\n      nr_free_pages 9\n  pagesets\n"
         "    cpu: 0\n              count:    12\n              high:     42\n"
         "              batch:    31\n  node_unreclaimable:  0\n  start_pfn:           " +
         std::to_string(start) + "\n";
}

TEST(MemoryState, ZonesAreReadFromZoneinfo) {
  const auto zones =
      parse_zoneinfo(zone(0, "    DMA", 3840, 98, 3998, 1) + zone(0, "Movable", 0, 0, 0, 0) +
                     zone(12, " Normal", 100, 200, 1000, 262144));
  ASSERT_TRUE(zones) << zones.error().what;
  ASSERT_EQ(zones->size(), 2U);
  EXPECT_EQ((*zones)[0].free, 3840U);
  EXPECT_EQ((*zones)[0].high, 98U);
  EXPECT_EQ((*zones)[1].nid, 12U);
  EXPECT_EQ((*zones)[1].present, 1000U);
  EXPECT_EQ((*zones)[1].spanned, 1005U);
  EXPECT_EQ((*zones)[1].start_pfn, 262144U);
}

TEST(MemoryState, WhatIsNoZoneinfoIsAnError) {
  EXPECT_FALSE(parse_zoneinfo(""));
  EXPECT_FALSE(parse_zoneinfo("Node x, zone DMA\n"));
  EXPECT_FALSE(parse_zoneinfo("Node 1024, zone DMA\n  present 1\n"));
  EXPECT_FALSE(parse_zoneinfo(zone(0, "DMA", 1, 1, 0, 0)));
}

TEST(MemoryState, ANodeIsConcernedIfOnlySomeAre) {
  const ZoneState plenty{0, 5000, 100, 10000, 10000, 0};
  const ZoneState little{1, 50, 100, 10000, 10000, 10000};
  const ZoneState more_of_it{1, 500, 100, 10000, 10000, 20000};
  EXPECT_EQ(short_nodes({plenty, little}), NodeSet(2));
  EXPECT_TRUE(short_nodes({plenty, little, more_of_it}).none());
  EXPECT_TRUE(short_nodes({little}).none());
  EXPECT_TRUE(short_nodes({plenty}).none());
}

TEST(MemoryState, KnowsMemoryThatCameOrWent) {
  const std::vector<ZoneState> before{{0, 1, 2, 100, 100, 1}, {1, 1, 2, 100, 100, 101}};
  auto after = before;
  after[0].free = 77;
  EXPECT_TRUE(is_same_memory(before, after));
  after[1].present = 60;
  EXPECT_FALSE(is_same_memory(before, after));
  after.pop_back();
  EXPECT_FALSE(is_same_memory(before, after));
}

class PressureFile : public ::testing::Test {
 protected:
  PressureFile() { write(0, 0); }

  /// A plain file keeps what it is told: the limit stands over its first bytes.
  Result<StallMonitor> open(const StallLimit& limit) const {
    auto monitor = StallMonitor::open(path_, limit);
    write(0, 0);
    return monitor;
  }

  void write(unsigned some_us, unsigned full_us) const {
    directory_.write(
        "memory", "some avg10=1.00 avg60=0.10 avg300=0.00 total=" + std::to_string(some_us) +
                      "\nfull avg10=0.50 avg60=0.05 avg300=0.00 total=" + std::to_string(full_us) +
                      "\n");
  }

  test::TempDir directory_;
  const std::filesystem::path path_ = directory_ / "memory";
  StallMonitor::Clock::time_point start_ = StallMonitor::Clock::now();
};

TEST_F(PressureFile, TotalsAreRead) {
  write(123456, 7890);
  const auto totals = parse_pressure(directory_.read("memory"));
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->some, 123456us);
  EXPECT_EQ(totals->full, 7890us);
  EXPECT_FALSE(parse_pressure("some avg10=0.00 total=1\n"));
  EXPECT_FALSE(parse_pressure("some total=\nfull total=1\n"));
}

TEST_F(PressureFile, StallsOfTheWindowCount) {
  auto monitor = open({StallKind::kSome, 300ms, 2s});
  ASSERT_TRUE(monitor) << monitor.error().what;
  EXPECT_FALSE(monitor->check(start_).value());
  write(200'000, 0);
  EXPECT_FALSE(monitor->check(start_ + 1s).value());
  write(300'000, 0);
  EXPECT_TRUE(monitor->check(start_ + 2s).value());
  // the first 200 ms are over two seconds ago
  EXPECT_FALSE(monitor->check(start_ + 3s).value());
}

TEST_F(PressureFile, TheOtherLineCountsForFull) {
  auto monitor = open({StallKind::kFull, 300ms, 2s});
  ASSERT_TRUE(monitor);
  EXPECT_FALSE(monitor->check(start_).value());
  write(900'000, 299'999);
  EXPECT_FALSE(monitor->check(start_ + 1s).value());
  write(900'000, 300'000);
  EXPECT_TRUE(monitor->check(start_ + 1500ms).value());
}

TEST_F(PressureFile, StallsFromLongBeforeTheWindowAreOver) {
  auto monitor = open({StallKind::kSome, 300ms, 2s});
  ASSERT_TRUE(monitor);
  EXPECT_FALSE(monitor->check(start_).value());
  write(5'000'000, 0);
  EXPECT_FALSE(monitor->check(start_ + 1h).value());
  write(5'300'000, 0);
  EXPECT_TRUE(monitor->check(start_ + 1h + 1s).value());
}

TEST_F(PressureFile, TheKernelIsToldTheLimit) {
  ASSERT_TRUE(StallMonitor::open(path_, {StallKind::kFull, 300ms, 2s}));
  EXPECT_EQ(directory_.read("memory").substr(0, 20), std::string("full 300000 2000000\0", 20));
}

TEST_F(PressureFile, AKernelWithoutItIsUnsupported) {
  const auto monitor = StallMonitor::open("/nonexistent/pressure", {StallKind::kSome, 1ms, 1s});
  ASSERT_FALSE(monitor);
  EXPECT_EQ(monitor.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(monitor.error().hint.find("CONFIG_PSI"), std::string::npos);
}

TEST(CaptureGate, OneInEachIntervalAndOneMoreIfItGetsWorse) {
  CaptureGate gate(10min);
  const auto start = CaptureGate::Clock::now();
  EXPECT_TRUE(gate.is_open(Shortage::kStalls, start));
  gate.close(Shortage::kStalls, start);
  EXPECT_FALSE(gate.is_open(Shortage::kStalls, start + 9min));
  EXPECT_TRUE(gate.is_open(Shortage::kLowMemory, start + 1min));
  gate.close(Shortage::kLowMemory, start + 1min);
  EXPECT_FALSE(gate.is_open(Shortage::kLowMemory, start + 10min));
  // the second one was of the same memory
  EXPECT_FALSE(gate.is_open(Shortage::kStalls, start + 10min));
  EXPECT_TRUE(gate.is_open(Shortage::kStalls, start + 11min));
  EXPECT_TRUE(gate.is_open(Shortage::kLowMemory, start + 11min));
}

TEST(TimeToLook, ShrinksWithWhatIsLeft) {
  MemoryState state;
  state.available = 1ULL << 40;
  EXPECT_EQ(time_to_look(state, 1 << 30, 5s), 5s);
  state.available = 4ULL << 30;
  const auto some = time_to_look(state, 1 << 30, 5s);
  EXPECT_GT(some, 400ms);
  EXPECT_LT(some, 600ms);
  state.available = 1 << 20;
  EXPECT_EQ(time_to_look(state, 1 << 30, 5s), 100ms);
  EXPECT_EQ(time_to_look(state, 0, 50ms), 50ms);
}

}  // namespace
}  // namespace pobpf
