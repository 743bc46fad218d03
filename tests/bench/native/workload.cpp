// SPDX-License-Identifier: GPL-2.0-only
#include "workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pobpf::bench {
namespace {

using synthetic::Allocation;
using synthetic::Machine;

/// xorshift64: the same machine every time.
class Random {
 public:
  std::uint64_t below(std::uint64_t limit) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % limit;
  }

 private:
  std::uint64_t state_ = 88172645463325252ULL;
};

class Filler {
 public:
  Filler(Machine& machine, const Workload& workload) : machine_(machine), workload_(workload) {}

  Status fill() {
    if (auto status = make_owners(); !status) return status;
    const std::uint64_t end = machine_.max_pfn();
    for (std::uint64_t pfn = 0; pfn < end;) pfn = fill_run(pfn);
    return {};
  }

 private:
  Status make_owners() {
    constexpr unsigned kFrames = 12;
    constexpr unsigned kCgroups = 20;
    constexpr unsigned kTasks = 200;
    for (unsigned i = 0; i < workload_.nr_stacks; ++i) {
      // addresses that the kernel names: it lies within 1 GiB of here
      std::vector<std::uint64_t> frames;
      for (unsigned frame = 0; frame < kFrames; ++frame)
        frames.push_back(0xffffffff81000000ULL + random_.below(8U << 20));
      auto handle = machine_.add_stack(frames);
      if (!handle) return fail(std::move(handle).error());
      handles_.push_back(*handle);
    }
    for (unsigned i = 0; i < kCgroups; ++i) {
      auto memcg = machine_.add_cgroup(100 + i, fmt::format("service-{}.scope", i));
      if (!memcg) return fail(std::move(memcg).error());
      memcgs_.push_back(*memcg);
    }
    for (unsigned i = 0; i < kTasks; ++i) comms_.push_back(fmt::format("task-{}", i));
    return {};
  }

  std::uint64_t fill_run(std::uint64_t pfn) {
    const std::uint64_t left = machine_.max_pfn() - pfn;
    const std::uint64_t kind = workload_.is_dense ? 0 : random_.below(100);
    unsigned order = 0;
    if (kind >= 70 && kind < 80) order = 9;                            // huge pages
    if (kind >= 80) order = static_cast<unsigned>(random_.below(4));   // slab
    if (kind >= 95) order = static_cast<unsigned>(random_.below(11));  // free
    while (pfn % (1ULL << order) != 0) --order;
    if (kind >= 95) {
      machine_.free_block(pfn, order);
      return pfn + (1ULL << order);
    }
    const std::uint64_t task = random_.below(comms_.size());
    const Allocation allocation{.order = order,
                                .nid = 1,
                                .zone = 2,
                                .page_flags = kind < 70 ? 1U << 3 | 1U << 5 : 1U << 6,
                                .memcg_data = kind < 80 ? memcgs_[task % memcgs_.size()] : 0,
                                .gfp_mask = kind < 70 ? 0x100ccaU : 0xcc0U,
                                .handle = handles_[random_.below(handles_.size())],
                                .ts_nsec = 1'000'000'000 + pfn * 1000,
                                .free_ts_nsec = 1'000'000'000,
                                .pid = static_cast<std::int32_t>(1000 + task),
                                .tgid = static_cast<std::int32_t>(1000 + task),
                                .comm = comms_[task]};
    const std::uint64_t nr_blocks =
        order == 9 ? 1 : 1 + random_.below(2 * std::uint64_t{workload_.run_pages} - 1);
    for (std::uint64_t i = 0; i < std::min(nr_blocks, left >> order); ++i) {
      machine_.allocate(pfn, allocation);
      pfn += 1ULL << order;
    }
    return pfn;
  }

  Machine& machine_;
  const Workload& workload_;
  Random random_;
  std::vector<std::uint32_t> handles_;
  std::vector<std::uint64_t> memcgs_;
  std::vector<std::string> comms_;
};

}  // namespace

Result<std::unique_ptr<Machine>> make_machine(const Workload& workload) {
  auto machine = Machine::make(workload.nr_sections);
  if (!machine) return machine;
  for (std::uint64_t section = 0; section < workload.nr_sections; ++section)
    if (auto status = (*machine)->add_section(section); !status)
      return fail(std::move(status).error());
  (*machine)->add_node(0, {0, (*machine)->max_pfn()});
  if (auto status = Filler(**machine, workload).fill(); !status)
    return fail(std::move(status).error());
  return machine;
}

}  // namespace pobpf::bench
