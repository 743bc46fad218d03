// SPDX-License-Identifier: GPL-2.0-only
// Facts of real kernels, for formatting records that those kernels printed.
#pragma once

#include <cstring>
#include <map>

#include "format/page_formatter.h"

namespace pobpf::samples {

/// Android 6.12, arm64 (MediaTek), as far as its records show it: page flag bits and fields, gfp
/// bits.
inline KernelFacts android_6_12() {
  KernelFacts facts;
  facts.gfp_names = {{0xcc0, "GFP_KERNEL"},        {0xc40, "GFP_NOFS"},
                     {0x2000, "__GFP_NOWARN"},     {0x10000, "__GFP_NORETRY"},
                     {0x40000, "__GFP_COMP"},      {0x100, "__GFP_ZERO"},
                     {0x100000, "__GFP_HARDWALL"}, {0x8, "__GFP_MOVABLE"}};
  facts.page_flag_names = {{1ULL << 0, "locked"},     {1ULL << 2, "referenced"},
                           {1ULL << 5, "lru"},        {1ULL << 6, "head"},
                           {1ULL << 9, "workingset"}, {1ULL << 15, "private"}};
  facts.page_flag_fields = {{0, 0, 0, "section"},
                            {0, 0, 0, "node"},
                            {2, 62, 3, "zone"},
                            {0, 0, 0, "lastcpupid"},
                            {8, 54, 0xff, "kasantag", true}};
  facts.migratetype_names = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate"};
  facts.migrate_reason_names = {"compaction", "memory_failure", "memory_hotplug"};
  facts.text_layout = {.is_pfn_decimal = false, .shows_free_ts = false};
  return facts;
}

/// Stacks and cgroups by number.
class MadeUpContext final : public PageContext {
 public:
  Result<const Stack*> stack(std::uint32_t handle) override {
    const auto found = stacks.find(handle);
    if (found == stacks.end()) return fail(ErrorKind::kFailed, "no such stack");
    return &found->second;
  }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    const auto found = cgroups.find(cgroup_id);
    if (found == cgroups.end()) return fail(ErrorKind::kFailed, "no such cgroup");
    return cgroup_name_of(found->second);
  }
  Result<std::string> cgroup_path(std::uint64_t cgroup_id) override {
    const auto found = cgroups.find(cgroup_id);
    if (found == cgroups.end()) return fail(ErrorKind::kFailed, "no such cgroup");
    return found->second;
  }
  std::vector<std::uint64_t> cgroups_above(std::uint64_t cgroup_id) override {
    const auto found = above.find(cgroup_id);
    return found == above.end() ? std::vector<std::uint64_t>() : found->second;
  }
  void add_stack(std::uint32_t handle, const std::vector<std::string>& symbols) {
    Stack stack;
    std::uint64_t address = 0xffffffff81000000;
    for (const std::string& symbol : symbols) {
      stack.frames.push_back({address++, symbol});
      stack.kernel_text += " " + symbol + "\n";
    }
    stacks[handle] = stack;
  }
  std::map<std::uint32_t, Stack> stacks;
  std::map<std::uint64_t, std::string> cgroups;  ///< paths, or names
  std::map<std::uint64_t, std::vector<std::uint64_t>> above;
};

/// Sets that of a page, or of the key of a group of pages.
inline void set_comm(auto& record, std::string_view comm) {
  std::memset(record.comm, 0, sizeof(record.comm));
  std::memcpy(record.comm, comm.data(), std::min(comm.size(), sizeof(record.comm)));
}

/// The second record of the Android dump: movable, in CMA, migrated, charged.
inline pobpf_page android_migrated() {
  pobpf_page page{};
  page.kind = POBPF_ITEM_PAGE;
  page.gfp_mask = 0x140c48;
  page.pid = 1198;
  page.tgid = 1194;
  set_comm(page, "ccci_mdinit");
  page.ts_nsec = 17918751965;
  page.pfn = 0x207233;
  page.pageblock_migratetype = 4;
  page.flags = 0x4020000000008224;
  page.handle = 7;
  page.last_migrate_reason = 0;
  page.memcg_flags = POBPF_MEMCG_CHARGED;
  page.cgroup_id = 1;
  return page;
}

}  // namespace pobpf::samples
