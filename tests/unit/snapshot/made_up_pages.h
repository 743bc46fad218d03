// SPDX-License-Identifier: GPL-2.0-only
// Pages, stacks and cgroups to make snapshots of, the same for the same seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "../format/kernel_facts_samples.h"
#include "model/page_limits.h"
#include "pobpf/parameters.h"
#include "pobpf/stream.h"
#include "snapshot/snapshot_writer.h"

namespace pobpf::test {

inline std::vector<pobpf_page> to_vector(std::span<const pobpf_page> pages) {
  return {pages.begin(), pages.end()};
}

/// Stands for the stack table and the cgroups of a made-up machine.
constexpr std::uint32_t kNrStacks = 50;
constexpr std::uint64_t kNrCgroups = 5;

inline void fill(samples::MadeUpContext& context) {
  for (std::uint32_t handle = 1; handle <= kNrStacks; ++handle)
    context.add_stack(handle, std::vector<std::string>(
                                  handle % 17, "f" + std::to_string(handle % 7) + "+0x1/0x2"));
  for (std::uint64_t id = 1; id <= kNrCgroups; ++id)
    context.cgroups[id] = "cgroup \xff" + std::to_string(id);
}

/// Every field anything that it can hold, and often what the page before it has.
class RandomPages {
 public:
  explicit RandomPages(std::uint64_t seed) : random_(seed) {}

  pobpf_page next() {
    page_.kind = POBPF_ITEM_PAGE;
    if (is_changed())
      page_.order = static_cast<__u16>(random_() % (random_() % 4 == 0 ? kOrderMax + 1 : 11));
    if (is_changed()) page_.last_migrate_reason = static_cast<__s16>(random_());
    if (is_changed()) page_.pageblock_migratetype = static_cast<__u8>(random_());
    if (is_changed()) page_.memcg_flags = static_cast<__u8>(random_());
    page_.pfn = is_changed() ? random_() : page_.pfn + 1;
    if (is_changed()) page_.flags = random_();
    page_.ts_nsec = is_changed() ? random_() : page_.ts_nsec + random_() % 1000;
    page_.free_ts_nsec = is_changed() ? random_() : is_changed() ? 0 : page_.free_ts_nsec - 1;
    if (is_changed()) page_.cgroup_id = 1 + random_() % kNrCgroups;
    if (is_changed()) page_.gfp_mask = static_cast<__u32>(random_());
    if (is_changed() || page_.handle == 0)
      page_.handle = 1 + static_cast<__u32>(random_() % kNrStacks);
    if (is_changed()) page_.pid = static_cast<__s32>(random_());
    if (is_changed()) page_.tgid = static_cast<__s32>(random_());
    if (is_changed()) set_comm();
    return page_;
  }
  std::vector<pobpf_page> take(std::size_t nr_pages) {
    std::vector<pobpf_page> pages;
    while (pages.size() < nr_pages) pages.push_back(next());
    return pages;
  }

 private:
  bool is_changed() { return random_() % 3 == 0; }
  /// Up to all bytes, none of them NUL; zero behind them.
  void set_comm() {
    std::string comm(random_() % (POBPF_COMM_BYTES + 1), '\0');
    for (char& c : comm) c = static_cast<char>(1 + random_() % 255);
    samples::set_comm(page_, comm);
  }

  std::mt19937_64 random_;
  pobpf_page page_{};
};

/// Anything that a kernel with free_pid can say; seldom the same twice.
inline std::vector<pobpf_page_detail> random_details(std::uint64_t seed, std::size_t nr_pages) {
  std::mt19937_64 random(seed);
  std::vector<pobpf_page_detail> details(nr_pages);
  for (pobpf_page_detail& detail : details) {
    if (random() % 3 == 0 && &detail != &details.front()) {
      detail = *(&detail - 1);
      continue;
    }
    detail.kind_flags = random();
    detail.page_type = static_cast<__u32>(random() | 0x80000000);
    detail.mapping = static_cast<__u8>(random() % (POBPF_MAPPING_FILE + 1));
    detail.free_handle = static_cast<__u32>(random() % (kNrStacks + 1));
    detail.free_pid = static_cast<__s32>(random());
    detail.free_tgid = static_cast<__s32>(random());
    detail.has_free_pid = 1;
    detail.process_state = detail.kind_flags % (POBPF_PROCESS_REUSED + 1);
  }
  return details;
}

inline SnapshotHeader made_up_header() {
  SnapshotHeader header;
  header.pobpf_version = "0.0.0";
  header.kernel_release = "6.12.0-\xff";
  header.hostname = "host";
  header.wall_clock_ns = 1'700'000'000'000'000'000;
  header.local_clock_ns = 0;
  header.page_size = 4096;
  header.filters = "--nid 0";
  header.nodes = {{0, {0, 0x1000}}, {3, {0x800, 0x2000}}};
  header.max_nodes = 64;
  header.facts = samples::android_6_12();
  header.page_types.names = {{0x80, "buddy"}, {0x400, "guard"}};
  return header;
}

inline Account account_of(std::size_t nr_pages) {
  Account account;
  account.windows = 3;
  account.emitted = nr_pages;
  account.free = 7;
  account.filtered[POBPF_FILTER_NID] = 5;
  account.filtered[POBPF_FILTER_STACK] = 6;
  account.pages = nr_pages + 7 + 5 + 6;
  account.outside = 9;
  return account;
}

/// The whole file.
inline std::string made_snapshot(std::span<const pobpf_page> pages, int level = kLevelDefault,
                                 std::span<const pobpf_page_detail> details = {},
                                 FreeSidePolicy free_sides = FreeSidePolicy::kRecord) {
  samples::MadeUpContext context;
  fill(context);
  std::string file;
  SnapshotWriter writer(context, file, level, free_sides);
  if (!writer.begin(made_up_header()) || !writer.append(pages, kAllPageFields, details) ||
      !writer.end(account_of(pages.size())))
    file.clear();
  return file;
}

}  // namespace pobpf::test
