// SPDX-License-Identifier: GPL-2.0-only
#include "reader/page_inspector.h"

#include <bpf/bpf.h>

#include <cctype>
#include <cerrno>
#include <optional>
#include <unordered_map>

#include "kernel/btf_excerpt.h"
#include "kernel/libbpf_log.h"
#include "kernel/local_clock.h"
#include "kernel/machine_facts.h"
#include "kernel/run_program.h"
#include "page_dump.skel.h"
#include "reader/kernel_stacks.h"
#include "reader/program_ways.h"
#include "reader/set_constant.h"
#include "reader/skeleton_deleter.h"
#include "reader/view.h"
#include "util/bounded.h"

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
        stacks_(stack_source_) {
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
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override;
  Result<PageDump> read(std::uint64_t pfn) override;

 private:
  Status read_once(std::uint64_t pfn, pobpf_page_dump& dump);
  Status keep_cgroup_name(std::uint64_t cgroup_id);

  DumpSkeleton skeleton_;
  MachineFacts facts_;
  PageNames names_;
  KernelStacks<page_dump_bpf> stack_source_;
  StackTable stacks_;
  std::unordered_map<std::uint64_t, std::string> cgroup_names_;
  std::optional<FollowedClock> clock_;
};

Status KernelInspector::read_once(std::uint64_t pfn, pobpf_page_dump& dump) {
  auto& answer = skeleton_->bss->page_dump;
  answer = {};
  answer.pfn = pfn;
  if (auto status = run_program(skeleton_->progs.read_page); !status) return status;
  dump = answer;
  return dump.cgroup_id == 0 ? Status() : keep_cgroup_name(dump.cgroup_id);
}

/// Takes the name out of the map, which has room for a few only.
Status KernelInspector::keep_cgroup_name(std::uint64_t cgroup_id) {
  const int map = bpf_map__fd(skeleton_->maps.cgroups);
  pobpf_cgroup cgroup{};
  if (const int error = bpf_map_lookup_elem(map, &cgroup_id, &cgroup); error != 0)
    return fail(libbpf_error(fmt::format("reading the name of cgroup {}", cgroup_id), error));
  bpf_map_delete_elem(map, &cgroup_id);
  // no cgroup has an empty one: it could not be read
  if (cgroup.name[0] != '\0') cgroup_names_[cgroup_id] = std::string(bounded(cgroup.name));
  return {};
}

Result<std::string_view> KernelInspector::cgroup_name(std::uint64_t cgroup_id) {
  const auto found = cgroup_names_.find(cgroup_id);
  if (found == cgroup_names_.end())
    return fail(ErrorKind::kFailed, fmt::format("the name of cgroup {} is not known", cgroup_id));
  return std::string_view(found->second);
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
  // One page has one cgroup, whose name is taken out at once. Before v6.1 (02cc5aa29e8c "bpf:
  // Remove prealloc-only restriction for sleepable bpf programs.") all elements must be there
  // beforehand.
  constexpr std::uint32_t kCgroupsMax = 16;
  for (const int error : {bpf_map__set_max_entries(skeleton->maps.cgroups, kCgroupsMax),
                          bpf_map__set_map_flags(skeleton->maps.cgroups, 0)})
    if (error != 0) return fail(libbpf_error("sizing the map of cgroups", error));
  if (const LibbpfCall loading; page_dump_bpf__load(skeleton.get()) != 0)
    return fail(loading.error("loading the page reader", errno));
  auto own_programs = OwnPrograms::of(skeleton->obj);
  if (!own_programs) return fail(std::move(own_programs).error());
  return std::make_unique<KernelInspector>(std::move(skeleton), std::move(facts), std::move(names),
                                           std::move(*own_programs));
}

}  // namespace pobpf
