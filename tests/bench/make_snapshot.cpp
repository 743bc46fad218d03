// SPDX-License-Identifier: GPL-2.0-only
// A snapshot of a made-up machine on the standard output, the same for the same arguments:
//
//     pobpf_make_snapshot NR_RECORDS MEAN_RUN [SECONDS] >FILE
//
// SECONDS: how much later it is taken than without.
// MEAN_RUN: how many records in a row belong together (task, stack, flags). 64 is a machine full of
// page cache, 3 one whose memory is in pieces. It streams: memory does not grow with NR_RECORDS.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "format/kernel_facts_samples.h"
#include "model/page_types.h"
#include "snapshot/snapshot_writer.h"
#include "util/output.h"

namespace pobpf {
namespace {

constexpr unsigned kNodeShift = 58;
constexpr unsigned kZoneShift = 56;
constexpr std::uint64_t kNodePages = 1ULL << 24;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNow = 86400 * kSecond;
constexpr std::uint32_t kNrStacks = 6000;
constexpr std::uint32_t kNrFunctions = 3000;
constexpr std::uint32_t kNrTasks = 600;
constexpr std::uint64_t kNrCgroups = 60;
constexpr std::uint64_t kFlagSlots = 12;  // page flags that come and go

/// A use of memory, and how much of it has this use.
struct Use {
  unsigned weight;  ///< of runs
  unsigned order_max;
  std::uint32_t gfp_mask;
  std::uint32_t first_stack;
  std::uint32_t nr_stacks;
  unsigned run_factor;  ///< of the mean length of runs
  std::uint32_t page_type;
  std::uint8_t mapping;
  bool is_charged;
};

constexpr std::uint32_t kSlab = 0xf5000000;
constexpr std::uint32_t kTable = 0xf2000000;
constexpr std::array<Use, 5> kUses = {{
    {30, 0, 0x140cca, 1, 400, 8, 0, POBPF_MAPPING_FILE, true},
    {30, 0, 0x140dca, 401, 300, 2, 0, POBPF_MAPPING_ANON, true},
    {25, 3, 0xd20c0, 701, 4000, 1, kSlab, POBPF_MAPPING_NONE, false},
    {10, 0, 0x500dc0, 4701, 100, 1, kTable, POBPF_MAPPING_NONE, true},
    {5, 9, 0xdc0, 4801, 1200, 1, 0, POBPF_MAPPING_NONE, false},
}};

class MachineMaker {
 public:
  explicit MachineMaker(std::uint64_t mean_run) : mean_run_(mean_run) {
    for (std::uint32_t handle = 1; handle <= kNrStacks; ++handle) {
      std::vector<std::string> symbols = {"get_page_from_freelist+0x1587/0x1640",
                                          "__alloc_pages_noprof+0x147/0x320"};
      for (std::uint64_t depth = 4 + random_() % 10; depth != 0; --depth) {
        const std::uint64_t function = random_() % kNrFunctions;
        symbols.push_back(fmt::format("function_{}+{:#x}/0x400{}", function,
                                      0x10 * (1 + random_() % 4),
                                      function % 16 == 0 ? " [module]" : ""));
      }
      context_.add_stack(handle, symbols);
    }
    for (std::uint64_t id = 1; id <= kNrCgroups; ++id)
      context_.cgroups[id] = fmt::format("service-{}.scope", id);
  }

  static SnapshotHeader header(std::uint64_t seconds_later) {
    SnapshotHeader header;
    header.pobpf_version = POBPF_VERSION;
    header.kernel_release = "6.12.0-made-up";
    header.machine = "x86_64";
    header.hostname = "made-up";
    header.boot_id = "00000000-0000-0000-0000-000000000000";
    header.page_size = 4096;
    header.wall_clock_ns = (1'700'000'000 + seconds_later) * kSecond;
    header.local_clock_ns = kNow + seconds_later * kSecond;
    header.nodes = {{0, {0, kNodePages}}, {1, {kNodePages, UINT64_MAX}}};
    header.max_nodes = 64;
    KernelFacts facts = samples::android_6_12();
    facts.page_flag_fields = {{6, kNodeShift, 0x3f, "node"}, {2, kZoneShift, 3, "zone"}};
    facts.zone_names = {"DMA32", "Normal"};
    header.facts = std::move(facts);
    header.page_types =
        make_page_types({{"PGTY_buddy", 0xf0}, {"PGTY_table", 0xf2}, {"PGTY_slab", 0xf5}});
    return header;
  }

  void next(pobpf_page& page, pobpf_page_detail& detail) {
    if (rest_of_run_ == 0) begin_run();
    --rest_of_run_;
    page_.pfn = next_pfn_;
    page_.flags &= ~(std::uint64_t{0xff} << kZoneShift);
    page_.flags |= std::min<std::uint64_t>(page_.pfn / kNodePages, 1) << kNodeShift |
                   (page_.pfn > 1U << 20 ? 1ULL : 0) << kZoneShift;
    page_.ts_nsec = std::min<__u64>(kNow, page_.ts_nsec + 200 + random_() % 1500);
    page_.free_ts_nsec = is_free_in_turn_ ? page_.free_ts_nsec + random_() % 400
                                          : page_.ts_nsec - random_() % page_.ts_nsec;
    next_pfn_ += 1ULL << page_.order;
    nr_tails_ += (1ULL << page_.order) - 1;
    page = page_;
    detail = detail_;
  }

  [[nodiscard]] Account account(std::uint64_t nr_records) const {
    Account account;
    account.emitted = nr_records;
    account.tail = nr_tails_;
    account.free = nr_free_;
    account.pages = account.emitted + account.tail + account.free;
    account.windows = account.pages / POBPF_WINDOW_PAGES + 1;
    return account;
  }

  PageContext& context() { return context_; }

 private:
  void begin_run() {
    const Use& use = some_use();
    page_ = {};
    page_.kind = POBPF_ITEM_PAGE;
    detail_ = {};
    rest_of_run_ = 1 + random_() % (2 * mean_run_ * use.run_factor);
    page_.order = static_cast<__u16>(use.order_max == 0 ? 0 : random_() % (use.order_max + 1));
    page_.gfp_mask = use.gfp_mask | static_cast<__u32>(random_() % 4 == 0 ? 0x2000 : 0);
    page_.handle = use.first_stack + static_cast<__u32>(skewed(use.nr_stacks));
    set_task();
    page_.last_migrate_reason = static_cast<__s16>(random_() % 20 == 0 ? 0 : -1);
    page_.pageblock_migratetype = static_cast<__u8>(random_() % 10 < 7 ? 1 : 0);
    page_.flags = 0x20 | random_() % kFlagSlots << 1;
    if (use.is_charged) {
      page_.memcg_flags = POBPF_MEMCG_CHARGED;
      page_.cgroup_id = 1 + skewed(kNrCgroups);
    }
    detail_.page_type = use.page_type;
    detail_.mapping = use.mapping;
    page_.ts_nsec = kSecond + random_() % (kNow - 2 * kSecond);
    page_.free_ts_nsec = page_.ts_nsec - random_() % kSecond;
    is_free_in_turn_ = random_() % 3 != 0;
    const std::uint64_t nr_free = random_() % 3 == 0 ? random_() % 16 : 0;
    // blocks lie at multiples of their size
    const std::uint64_t block = 1ULL << page_.order;
    const std::uint64_t begin = (next_pfn_ + nr_free + block - 1) & ~(block - 1);
    nr_free_ += begin - next_pfn_;
    next_pfn_ = begin;
  }

  const Use& some_use() {
    std::uint64_t at = random_() % 100;
    for (const Use& use : kUses) {
      if (at < use.weight) return use;
      at -= use.weight;
    }
    return kUses.back();
  }

  void set_task() {
    const auto task = static_cast<__s32>(skewed(kNrTasks));
    page_.tgid = 100 + task * 7;
    page_.pid = page_.tgid + static_cast<__s32>(random_() % 3);
    samples::set_comm(page_, fmt::format("task-{}", task % 90));
  }

  /// Below `n`; small numbers are more likely.
  std::uint64_t skewed(std::uint64_t n) {
    return std::min(random_() % n, std::min(random_() % n, random_() % n));
  }

  std::mt19937_64 random_{1};
  std::uint64_t mean_run_;
  samples::MadeUpContext context_;
  pobpf_page page_{};
  pobpf_page_detail detail_{};
  std::uint64_t rest_of_run_ = 0;
  std::uint64_t next_pfn_ = 0x1000;
  std::uint64_t nr_tails_ = 0;
  std::uint64_t nr_free_ = 0;
  bool is_free_in_turn_ = false;
};

Status make_snapshot(std::uint64_t nr_records, std::uint64_t mean_run,
                     std::uint64_t seconds_later) {
  constexpr std::uint64_t kBatch = 4096;
  MachineMaker machine(mean_run);
  Output output = Output::to_stdout();
  SnapshotWriter writer(machine.context(), output.buffer(), kLevelDefault);
  if (auto status = writer.begin(MachineMaker::header(seconds_later)); !status) return status;
  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;
  for (std::uint64_t done = 0; done < nr_records; done += pages.size()) {
    pages.resize(std::min(kBatch, nr_records - done));
    details.resize(pages.size());
    for (std::size_t i = 0; i < pages.size(); ++i) machine.next(pages[i], details[i]);
    if (auto status = writer.append(pages, kAllPageFields, details); !status) return status;
    if (auto status = output.flush_if_full(); !status) return status;
  }
  if (auto status = writer.end(machine.account(nr_records)); !status) return status;
  return output.commit();
}

bool parse(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace
}  // namespace pobpf

int main(int argc, char** argv) {
  std::uint64_t nr_records = 0;
  std::uint64_t mean_run = 0;
  std::uint64_t seconds_later = 0;
  if (argc < 3 || argc > 4 || (argc == 4 && !pobpf::parse(argv[3], seconds_later)) ||
      !pobpf::parse(argv[1], nr_records) || !pobpf::parse(argv[2], mean_run) || mean_run == 0) {
    fmt::print(stderr, "usage: pobpf_make_snapshot NR_RECORDS MEAN_RUN [SECONDS] >FILE\n");
    return 2;
  }
  if (auto status = pobpf::make_snapshot(nr_records, mean_run, seconds_later); !status) {
    fmt::print(stderr, "pobpf_make_snapshot: {}\n", status.error().what);
    return 1;
  }
  return 0;
}
