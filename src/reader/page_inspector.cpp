// SPDX-License-Identifier: GPL-2.0-only
#include "reader/page_inspector.h"

#include <bpf/bpf.h>

#include <cctype>
#include <cerrno>
#include <optional>

#include "kernel/btf_excerpt.h"
#include "kernel/libbpf_log.h"
#include "kernel/local_clock.h"
#include "kernel/machine_facts.h"
#include "kernel/run_program.h"
#include "page_dump.skel.h"
#include "reader/cgroup_names.h"
#include "reader/kernel_stacks.h"
#include "reader/program_ways.h"
#include "reader/set_constant.h"
#include "reader/skeleton_deleter.h"
#include "reader/view.h"

namespace pobpf {
namespace {

// One that agrees with the one before is the answer; a page that changes faster than that is not
// worth waiting for.
constexpr int kReadingsMax = 8;

using DumpSkeleton = std::unique_ptr<page_dump_bpf, SkeletonDeleter<page_dump_bpf__destroy>>;

class KernelInspector final : public PageInspector {
 public:
  KernelInspector(DumpSkeleton skeleton, MachineFacts facts, PageNames names,
                  OwnPrograms own_programs)
      : skeleton_(std::move(skeleton)),
        facts_(std::move(facts)),
        names_(std::move(names)),
        stack_source_(*skeleton_, std::move(own_programs)),
        stacks_(stack_source_),
        cgroup_names_(bpf_map__fd(skeleton_->maps.cgroups),
                      bpf_map__fd(skeleton_->maps.cgroup_paths)) {
    // an age is left out rather than the page
    if (auto clock = FollowedClock::start()) clock_ = *clock;
  }

  [[nodiscard]] const KernelFacts& facts() const override { return facts_.text; }
  [[nodiscard]] const PageNames& names() const override { return names_; }
  [[nodiscard]] const std::vector<PfnRange>& present() const override { return facts_.present; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return describe_loaded(facts_, skeleton_->obj);
  }
  Result<const Stack*> stack(std::uint32_t handle) override { return stacks_.get(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    return cgroup_names_.get(cgroup_id);
  }
  Result<std::string> cgroup_path(std::uint64_t cgroup_id) override {
    return cgroup_names_.path(cgroup_id);
  }
  Result<PageDump> read(std::uint64_t pfn) override;

 private:
  Status read_once(std::uint64_t pfn, pobpf_page_dump& dump);

  DumpSkeleton skeleton_;
  MachineFacts facts_;
  PageNames names_;
  KernelStacks<page_dump_bpf> stack_source_;
  StackTable stacks_;
  CgroupNames cgroup_names_;
  std::uint64_t nr_readings_ = 0;
  std::optional<FollowedClock> clock_;
};

Status KernelInspector::read_once(std::uint64_t pfn, pobpf_page_dump& dump) {
  auto& answer = skeleton_->bss->page_dump;
  answer = {};
  answer.pfn = pfn;
  // the maps have room for the cgroup of one page; names that were asked for are kept
  if (auto status = cgroup_names_.begin_reading(++nr_readings_, 1); !status) return status;
  if (auto status = run_program(skeleton_->progs.read_page); !status) return status;
  dump = answer;
  if (dump.cgroup_id == 0) return {};
  // what cannot be read is an error where it is shown
  (void)cgroup_names_.get(dump.cgroup_id);
  (void)cgroup_names_.path(dump.cgroup_id);
  return {};
}

Result<PageDump> KernelInspector::read(std::uint64_t pfn) {
  PageDump dump;
  dump.live_fields = kEveryPageField & ~facts_.missing_fields;
  if (auto status = read_once(pfn, dump.raw); !status) return fail(std::move(status).error());
  dump.has_changed = true;
  for (int reading = 1; reading < kReadingsMax && dump.has_changed; ++reading) {
    const pobpf_page_dump before = dump.raw;
    if (auto status = read_once(pfn, dump.raw); !status) return fail(std::move(status).error());
    const std::uint32_t owner_bits = dump.raw.owner.bits | dump.raw.owner_head.bits;
    dump.has_changed = !is_same_page(before, dump.raw) || (owner_bits & POBPF_OWNER_TORN) != 0;
  }
  if (clock_) dump.now_ns = clock_->now_ns();
  return dump;
}

}  // namespace

Result<std::unique_ptr<PageInspector>> PageInspector::open(const SessionOptions& options) {
  route_libbpf_log();
  auto kernel = read_kernel(options);
  if (!kernel) return fail(std::move(kernel).error());
  return open_inspector_on(std::move(kernel->facts), kernel->btf);
}

Result<std::unique_ptr<PageInspector>> open_inspector_on(MachineFacts facts,
                                                         const KernelBtf& types) {
  PageNames names{facts.page_types, facts.text.zone_names};
  auto btf = ExcerptFile::make();
  if (!btf) return fail(std::move(btf).error());
  LIBBPF_OPTS(bpf_object_open_opts, open_options);
  open_options.btf_custom_path = btf->path();
  const LibbpfCall opening;
  DumpSkeleton skeleton(page_dump_bpf__open_opts(&open_options));
  if (!skeleton) return fail(opening.error("opening the page reader", errno));
  if (auto status = btf->write(types, skeleton->obj); !status)
    return fail(std::move(status).error());
  set_constant(skeleton->rodata->layout, facts.layout);
  set_constant(skeleton->rodata->slab_test, make_slab_test(names.types, facts.text));
  // One page has one cgroup, and those above it. Before v6.1 (02cc5aa29e8c "bpf: Remove
  // prealloc-only restriction for sleepable bpf programs.") all elements must be there beforehand.
  constexpr std::uint32_t kCgroupsMax = 64;
  for (bpf_map* map : {skeleton->maps.cgroups, skeleton->maps.cgroup_paths})
    for (const int error :
         {bpf_map__set_max_entries(map, kCgroupsMax), bpf_map__set_map_flags(map, 0)})
      if (error != 0) return fail(libbpf_error("sizing the maps of cgroups", error));
  if (const LibbpfCall loading; page_dump_bpf__load(skeleton.get()) != 0)
    return fail(loading.error("loading the page reader", errno));
  auto own_programs = OwnPrograms::of(skeleton->obj);
  if (!own_programs) return fail(std::move(own_programs).error());
  return std::make_unique<KernelInspector>(std::move(skeleton), std::move(facts), std::move(names),
                                           std::move(*own_programs));
}

}  // namespace pobpf
