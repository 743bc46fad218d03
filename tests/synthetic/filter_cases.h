// SPDX-License-Identifier: GPL-2.0-only
// Filters and what each says, and pages made at random to try them on.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "model/filter.h"
#include "synthetic/machine.h"

namespace pobpf::synthetic {

inline constexpr std::uint64_t kRandomSections = 2;

/// Two sections of allocations, each field of which many share.
inline void fill_at_random(Machine& machine) {
  std::uint64_t state = 88172645463325252ULL;
  const auto random = [&](std::uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
  };
  const std::string_view comms[] = {"kworker/0:1", "kworker/0:12", "a", "sixteen bytes ok"};
  for (std::uint64_t section = 0; section < kRandomSections; ++section)
    ASSERT_TRUE(machine.add_section(section));
  machine.add_node(0, {0, machine.max_pfn()});
  machine.add_node(1, {0, machine.max_pfn()});
  for (std::uint64_t pfn = 0; pfn < kRandomSections * kSectionPages;) {
    auto order = static_cast<unsigned>(std::min(random(24), random(kMaxPageOrder + 1)) / 2);
    while (pfn % (1ULL << order) != 0) --order;
    machine.allocate(pfn, {.order = order,
                           .nid = static_cast<unsigned>(random(2)),
                           .zone = static_cast<unsigned>(random(4)),
                           .page_flags = random(1U << 10),
                           .gfp_mask = static_cast<std::uint32_t>(random(1U << 12) & ~0x18U) |
                                       static_cast<std::uint32_t>(random(3) << 3),
                           .handle = static_cast<std::uint32_t>(random(30) + 1),
                           .ts_nsec = random(1ULL << 50),
                           .pid = static_cast<std::int32_t>(random(300)),
                           .tgid = static_cast<std::int32_t>(random(60)),
                           .comm = comms[random(4)]});
    if (pfn % 512 == 0)
      machine.set_pageblock(pfn, static_cast<unsigned>(random(3)), random(5) == 0);
    pfn += 1ULL << order;
  }
}

inline std::string comm_of(const pobpf_page& page) {
  const auto* comm = reinterpret_cast<const char*>(page.comm);
  return std::string(comm, strnlen(comm, POBPF_COMM_BYTES));
}

inline unsigned gfp_migratetype(const pobpf_page& page) { return page.gfp_mask >> 3 & 3; }

/// `passes` is what the filter is to do, as plainly as it can be said.
struct Case {
  const char* name;
  pobpf_filter filter;
  std::function<void(FilterSpec&)> set;
  std::function<bool(const pobpf_page&)> passes;
};

inline const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"Nid", POBPF_FILTER_NID, [](FilterSpec& f) { f.nodes.emplace().set(1); },
       [](const pobpf_page& p) { return (p.flags >> kNodeShift & 1023) == 1; }},
      {"Zone", POBPF_FILTER_ZONE,
       [](FilterSpec& f) {
         f.zones.wanted = {"Normal", "DMA"};
       },
       [](const pobpf_page& p) { return (p.flags >> kZoneShift & 7) % 2 == 0; }},
      {"NotZone", POBPF_FILTER_ZONE, [](FilterSpec& f) { f.zones.rejected = {"Normal"}; },
       [](const pobpf_page& p) { return (p.flags >> kZoneShift & 7) != 2; }},
      {"Flags", POBPF_FILTER_FLAGS,
       [](FilterSpec& f) {
         f.flags.all = {"uptodate"};
         f.flags.none = {"lru", "dirty"};
       },
       [](const pobpf_page& p) { return (p.flags & (1U << 3 | 1U << 4 | 1U << 5)) == 1U << 3; }},
      {"Order", POBPF_FILTER_ORDER,
       [](FilterSpec& f) {
         f.orders.wanted = {{1, 2}, {5, 10}};
       },
       [](const pobpf_page& p) { return p.order == 1 || p.order == 2 || p.order >= 5; }},
      {"NotOrder", POBPF_FILTER_ORDER,
       [](FilterSpec& f) {
         f.orders.rejected = {{0, 0}};
       },
       [](const pobpf_page& p) { return p.order != 0; }},
      {"BlockMigratetype", POBPF_FILTER_BLOCK_MIGRATETYPE,
       [](FilterSpec& f) {
         f.block_migratetypes.wanted = {"Movable", "Isolate"};
       },
       [](const pobpf_page& p) {
         return p.pageblock_migratetype == kMigrateMovable ||
                p.pageblock_migratetype == kMigrateIsolate;
       }},
      {"Handle", POBPF_FILTER_HANDLE,
       [](FilterSpec& f) {
         f.handles.wanted = {{3, 7}, {20, 20}};
       },
       [](const pobpf_page& p) { return (p.handle >= 3 && p.handle <= 7) || p.handle == 20; }},
      {"Since", POBPF_FILTER_TIME,
       [](FilterSpec& f) {
         f.since = ClockTime{false, 1ULL << 49};
       },
       [](const pobpf_page& p) { return p.ts_nsec >= 1ULL << 49; }},
      {"Until", POBPF_FILTER_TIME,
       [](FilterSpec& f) {
         f.until = ClockTime{false, 1ULL << 49};
       },
       [](const pobpf_page& p) { return p.ts_nsec <= 1ULL << 49; }},
      {"Gfp", POBPF_FILTER_GFP,
       [](FilterSpec& f) {
         f.gfp.any = {"0x40", "0x100"};
       },
       [](const pobpf_page& p) { return (p.gfp_mask & 0x140) != 0; }},
      {"Migratetype", POBPF_FILTER_MIGRATETYPE,
       [](FilterSpec& f) { f.migratetypes.wanted = {"Movable"}; },
       [](const pobpf_page& p) { return gfp_migratetype(p) == 1; }},
      {"Mixed", POBPF_FILTER_MIXED, [](FilterSpec& f) { f.is_mixed = true; },
       [](const pobpf_page& p) { return gfp_migratetype(p) != p.pageblock_migratetype; }},
      {"NotMixed", POBPF_FILTER_MIXED, [](FilterSpec& f) { f.is_mixed = false; },
       [](const pobpf_page& p) { return gfp_migratetype(p) == p.pageblock_migratetype; }},
      {"Tgid", POBPF_FILTER_TGID,
       [](FilterSpec& f) {
         f.tgids.wanted = {{10, 29}};
       },
       [](const pobpf_page& p) { return p.tgid >= 10 && p.tgid <= 29; }},
      {"NotPid", POBPF_FILTER_PID,
       [](FilterSpec& f) {
         f.pids.rejected = {{0, 150}};
       },
       [](const pobpf_page& p) { return p.pid > 150; }},
      {"Comm", POBPF_FILTER_COMM,
       [](FilterSpec& f) {
         f.comms.wanted = {"kw*:1", "?"};
       },
       [](const pobpf_page& p) { return comm_of(p) == "kworker/0:1" || comm_of(p) == "a"; }},
      {"NotComm", POBPF_FILTER_COMM, [](FilterSpec& f) { f.comms.rejected = {"kworker*"}; },
       [](const pobpf_page& p) { return !comm_of(p).starts_with("kworker"); }},
  };
  return all;
}

inline void PrintTo(const Case& filter, std::ostream* out) { *out << filter.name; }

}  // namespace pobpf::synthetic
