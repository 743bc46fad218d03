// SPDX-License-Identifier: GPL-2.0-only
// Owner of the walker's skeleton: facts in, programs loaded, readers out.
#include "reader/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cerrno>

#include "kernel/btf_excerpt.h"
#include "kernel/libbpf_log.h"
#include "kernel/local_clock.h"
#include "kernel/machine_facts.h"
#include "kernel/privileges.h"
#include "page_owner.skel.h"
#include "page_owner_each.skel.h"
#include "page_owner_goto.skel.h"
#include "page_owner_probe.skel.h"
#include "reader/cgroup_names.h"
#include "reader/kernel_stacks.h"
#include "reader/link_reader.h"
#include "reader/open_object.h"
#include "reader/own_programs.h"
#include "reader/program_ways.h"
#include "reader/reader_maps.h"
#include "reader/session_on.h"
#include "reader/set_constant.h"
#include "reader/skeleton_deleter.h"
#include "reader/sum_map.h"
#include "reader/sum_walk.h"
#include "reader/view.h"
#include "reader/windows.h"
#include "stacks/stack_table.h"

namespace pobpf {
namespace {

// groups that most machines have fewer of; 256 KiB of buckets
constexpr std::uint32_t kGroupsFirst = 1U << 14;
constexpr std::uint32_t kGroupsGrowth = 4;

constexpr std::uint32_t kNodeFilter = 1U << POBPF_FILTER_NID;

using WalkerSkeleton = std::unique_ptr<page_owner_bpf, SkeletonDeleter<page_owner_bpf__destroy>>;

/// Parameter slots of one loaded object, given out to links and taken back. Each is a reading, with
/// a number that counts up.
class Slots {
 public:
  struct Slot {
    std::uint32_t index;
    SlotState state;
  };

  Result<Slot> take() {
    for (std::uint32_t index = 0; index < readings_.size(); ++index) {
      if (readings_[index] != kFree) continue;
      readings_[index] = ++last_reading_;
      const auto state = used_before_.test(index) ? SlotState::kUsedBefore : SlotState::kNew;
      used_before_.set(index);
      return Slot{index, state};
    }
    return fail(ErrorKind::kFailed,
                fmt::format("{} readers are open already", std::size_t{POBPF_MAX_READERS}),
                "close one first");
  }
  void give_back(std::uint32_t index) { readings_[index] = kFree; }
  [[nodiscard]] std::uint64_t last_reading() const { return last_reading_; }
  /// The oldest of those that have not ended; the last one if all have.
  [[nodiscard]] std::uint64_t oldest_reading() const {
    std::uint64_t oldest = last_reading_;
    for (const std::uint64_t reading : readings_)
      if (reading != kFree) oldest = std::min(oldest, reading);
    return oldest;
  }

 private:
  static constexpr std::uint64_t kFree = 0;
  std::array<std::uint64_t, POBPF_MAX_READERS> readings_{};
  std::uint64_t last_reading_ = 0;
  std::bitset<POBPF_MAX_READERS> used_before_;
};

/// Holds a slot for as long as a link may look its parameters up.
class SlotLease {
 public:
  SlotLease(std::shared_ptr<Slots> slots, std::uint32_t slot)
      : slots_(std::move(slots)), slot_(slot) {}
  SlotLease(const SlotLease&) = delete;
  SlotLease& operator=(const SlotLease&) = delete;
  SlotLease(SlotLease&&) noexcept = default;
  SlotLease& operator=(SlotLease&&) = delete;
  ~SlotLease() {
    if (slots_) slots_->give_back(slot_);
  }
  [[nodiscard]] std::uint32_t get() const { return slot_; }

 private:
  std::shared_ptr<Slots> slots_;
  std::uint32_t slot_;
};

class KernelReader final : public PageReader {
 public:
  KernelReader(SlotLease slot, std::optional<LinkReader> link, pobpf_mode mode, PageFields fields,
               std::uint64_t nr_windows, std::uint64_t outside)
      : slot_(std::move(slot)),
        link_(std::move(link)),
        mode_(mode),
        fields_(fields),
        nr_windows_(nr_windows) {
    account_.outside = outside;
  }

  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    // no window at all: a view of nodes whose memory is gone
    if (!link_) {
      at_end = true;
      return std::span<const pobpf_page>();
    }
    auto ended = link_->read(read_bytes_);
    if (!ended) return fail(std::move(ended).error());
    at_end = *ended;
    const std::uint64_t outside = account_.outside;
    account_ = link_->stream().account();
    account_.outside = outside;
    account_.longest_read_ns = link_->longest_read_ns();
    if (account_.windows != 0) mode_ = link_->stream().mode();
    if (at_end && account_.windows != nr_windows_)
      return fail(ErrorKind::kFailed,
                  fmt::format("only {} of {} windows were read", account_.windows, nr_windows_),
                  "run pobpf again");
    return link_->stream().pages();
  }

  void set_read_bytes(std::size_t nr_bytes) override { read_bytes_ = nr_bytes; }
  [[nodiscard]] std::span<const pobpf_page_detail> details() const override {
    return link_ ? link_->stream().details() : std::span<const pobpf_page_detail>();
  }
  [[nodiscard]] PageFields fields() const override { return fields_; }
  [[nodiscard]] const Account& account() const override { return account_; }
  [[nodiscard]] Progress progress() const override { return {account_.windows, nr_windows_}; }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }

 private:
  SlotLease slot_;
  std::optional<LinkReader> link_;
  pobpf_mode mode_;
  PageFields fields_;
  std::uint64_t nr_windows_;
  std::size_t read_bytes_ = POBPF_READ_BYTES;
  Account account_;
};

class KernelSession final : public Session {
 public:
  KernelSession(WalkerSkeleton skeleton, MachineFacts facts, OwnPrograms own_programs,
                const SessionOptions& options)
      : skeleton_(std::move(skeleton)),
        facts_(std::move(facts)),
        stack_source_(*skeleton_, std::move(own_programs)),
        stacks_(stack_source_),
        cgroup_names_(bpf_map__fd(skeleton_->maps.cgroups),
                      bpf_map__fd(skeleton_->maps.cgroup_paths)),
        slots_(std::make_shared<Slots>()),
        with_read_times_(options.with_read_times),
        filters_(options.filters | kNodeFilter),
        has_details_(options.with_details),
        privileges_(options.privileges) {}

  [[nodiscard]] const KernelFacts& facts() const override { return facts_.text; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return facts_.memory_nodes; }
  [[nodiscard]] unsigned max_nodes() const override { return facts_.max_nodes; }
  [[nodiscard]] std::vector<NodeSpan> node_spans() const override { return facts_.node_spans; }
  [[nodiscard]] Result<std::uint64_t> now_ns() const override {
    if (clock_) return clock_->now_ns();
    auto clock = read_local_clock();
    if (!clock) return fail(std::move(clock).error());
    return clock->now_ns;
  }
  [[nodiscard]] std::uint64_t page_bytes() const override {
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return describe_loaded(facts_, skeleton_->obj);
  }

  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) override;
  Result<GroupSums> sum_groups(const ReaderView& view, const SumRequest& request,
                               const ProgressCallback& on_progress) override;
  Result<Account> read_blockers(const ReaderView& view, const BlockerRequest& request,
                                const BlockerSink& sink,
                                const ProgressCallback& on_progress) override;
  [[nodiscard]] const PageTypes& page_types() const override { return facts_.page_types; }
  Result<const Stack*> stack(std::uint32_t handle) override { return stacks_.get(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    return cgroup_names_.get(cgroup_id);
  }
  Result<std::string> cgroup_path(std::uint64_t cgroup_id) override {
    return cgroup_names_.path(cgroup_id);
  }
  std::vector<std::uint64_t> cgroups_above(std::uint64_t cgroup_id) override {
    return cgroup_names_.above(cgroup_id);
  }

 private:
  /// A link of a view needs this before it can be attached.
  struct Prepared {
    SlotLease slot;
    WindowRanges windows;
    std::uint64_t outside;
  };
  Result<Prepared> prepare(const ReaderView& view, std::uint32_t group_by);
  /// kUnsupported if this kernel does not record one of them.
  [[nodiscard]] Status check_group_fields(std::uint32_t group_by) const;
  /// The remaining work takes descriptors only.
  void end_attaching() const {
    if (privileges_ == PrivilegePolicy::kOneReader) shed_privileges(StillToCome::kReading);
  }
  /// The time is asked for behind the sums, when the privilege that it may take is given up. Where
  /// it cannot be read at all, now_ns() says so.
  void keep_clock() {
    if (privileges_ != PrivilegePolicy::kOneReader || clock_) return;
    if (auto clock = FollowedClock::start()) clock_ = *clock;
  }

  WalkerSkeleton skeleton_;
  MachineFacts facts_;
  KernelStacks<page_owner_bpf> stack_source_;
  StackTable stacks_;
  CgroupNames cgroup_names_;
  std::shared_ptr<Slots> slots_;
  bool with_read_times_;
  std::uint32_t filters_;
  bool has_details_;
  PrivilegePolicy privileges_;
  std::optional<FollowedClock> clock_;        // of a session that may not read it any more
  std::uint32_t groups_room_ = kGroupsFirst;  // what the last sums needed
};

Result<KernelSession::Prepared> KernelSession::prepare(const ReaderView& view,
                                                       std::uint32_t group_by) {
  auto filter = compile_view(facts_, view);
  if (!filter) return fail(std::move(filter).error());
  filter->params.group_by = group_by;
  if ((filter->params.active & ~filters_) != 0)
    return fail(ErrorKind::kUsage, "this session was opened for other filters",
                "set SessionOptions::filters");
  auto taken = slots_->take();
  if (!taken) return fail(std::move(taken).error());
  SlotLease lease(slots_, taken->index);
  stacks_.forget_names();
  if (auto status = cgroup_names_.begin_reading(slots_->last_reading(), slots_->oldest_reading());
      !status)
    return fail(std::move(status).error());
  if (auto status = install_reader_maps(skeleton_->obj, taken->index, taken->state, *filter);
      !status)
    return fail(std::move(status).error());

  auto ranges = view_ranges(facts_, *filter);
  std::uint64_t covered = 0;
  for (const PfnRange& range : ranges) covered += range.size();
  return Prepared{std::move(lease),
                  {std::move(ranges), facts_.layout.pageblock_order, taken->index},
                  facts_.max_pfn - covered};
}

Status KernelSession::check_group_fields(std::uint32_t group_by) const {
  const PageFields missing = fields_of_groups(group_by) & facts_.missing_fields;
  if (missing == 0) return {};
  return fail(ErrorKind::kUnsupported,
              fmt::format("this kernel's page_owner does not record what is summed up by: {}",
                          page_field_names(missing)),
              "choose other fields with --by");
}

Result<std::unique_ptr<PageReader>> KernelSession::open_reader(const ReaderView& view) {
  auto prepared = prepare(view, 0);
  if (!prepared) return fail(std::move(prepared).error());
  auto& [ranges, pageblock_order, slot] = prepared->windows;
  WindowSource windows(std::move(ranges), pageblock_order, slot);
  const std::uint64_t nr_windows = windows.count();
  std::optional<LinkReader> link;
  if (nr_windows != 0) {
    const bpf_program* program =
        has_details_ ? skeleton_->progs.emit_detailed_pages : skeleton_->progs.emit_pages;
    auto opened = LinkReader::open(program, std::move(windows), true, with_read_times_);
    if (!opened) return fail(std::move(opened).error());
    link.emplace(std::move(*opened));
  }
  end_attaching();
  auto reader = std::make_unique<KernelReader>(std::move(prepared->slot), std::move(link),
                                               view.mode, kAllPageFields & ~facts_.missing_fields,
                                               nr_windows, prepared->outside);
  if (has_details_) reader->set_read_bytes(POBPF_DETAILED_READ_BYTES);
  return reader;
}

Result<GroupSums> KernelSession::sum_groups(const ReaderView& view, const SumRequest& request,
                                            const ProgressCallback& on_progress) {
  if (const auto runs_max = bpf_map__max_entries(skeleton_->maps.runs);
      request.nr_threads > runs_max)
    return fail(ErrorKind::kUsage,
                fmt::format("{} threads are more than the {} that there is room for",
                            request.nr_threads, runs_max),
                "open the session with SessionOptions::threads_max");
  if (auto status = check_group_fields(request.group_by); !status)
    return fail(std::move(status).error());
  auto prepared = prepare(view, request.group_by);
  if (!prepared) return fail(std::move(prepared).error());
  groups_room_ = std::min(groups_room_, request.groups_max);
  while (true) {
    auto map = SumMap::install(skeleton_->maps.reader_sums, prepared->slot.get(), groups_room_);
    if (!map) return fail(std::move(map).error());
    auto account = walk_sums(skeleton_->progs.count_pages, prepared->windows, facts_.node_spans,
                             request.nr_threads, with_read_times_, on_progress);
    if (!account) return fail(std::move(account).error());
    GroupSums sums;
    sums.account = *account;
    sums.account.outside = prepared->outside;
    if (auto status = map->read(sums); !status) return fail(std::move(status).error());
    if (sums.other.allocations == 0 || groups_room_ == request.groups_max) {
      if ((request.group_by & POBPF_GROUP_TIME) != 0) keep_clock();
      end_attaching();
      return sums;
    }
    // too small: once more with more room
    groups_room_ = std::min(request.groups_max, groups_room_ * kGroupsGrowth);
  }
}

Result<Account> KernelSession::read_blockers(const ReaderView& view, const BlockerRequest& request,
                                             const BlockerSink& sink,
                                             const ProgressCallback& on_progress) {
  if (auto status = check_group_fields(request.group_by); !status)
    return fail(std::move(status).error());
  auto prepared = prepare(view, request.group_by);
  if (!prepared) return fail(std::move(prepared).error());
  auto& [ranges, pageblock_order, slot] = prepared->windows;
  WindowSource windows(std::move(ranges), std::min(pageblock_order, request.order), slot);
  const std::uint64_t nr_windows = windows.count();
  Account account;
  if (nr_windows != 0) {
    auto link = LinkReader::open(skeleton_->progs.emit_blockers, std::move(windows), false,
                                 with_read_times_);
    if (!link) return fail(std::move(link).error());
    end_attaching();
    for (bool at_end = false; !at_end;) {
      auto ended = link->read();
      if (!ended) return fail(std::move(ended).error());
      at_end = *ended;
      for (const WindowBlockers& window : link->stream().windows()) sink(window);
      if (on_progress && !on_progress({link->stream().account().windows, nr_windows}))
        return fail(ErrorKind::kFailed, "interrupted");
    }
    account = link->stream().account();
    account.longest_read_ns = link->longest_read_ns();
  }
  account.outside = prepared->outside;
  if (account.windows != nr_windows)
    return fail(ErrorKind::kFailed,
                fmt::format("only {} of {} windows were read", account.windows, nr_windows),
                "run pobpf again");
  return account;
}

/// The walker for this kernel.
ElfBytes walker_for(ProgramVariant variant) {
  switch (variant) {
    case ProgramVariant::kForEach:
      return page_owner_each_bpf__elf_bytes;
    case ProgramVariant::kLoop:
      return page_owner_probe_bpf__elf_bytes;
    case ProgramVariant::kCast:
      return page_owner_bpf__elf_bytes;
    case ProgramVariant::kMayGoto:
      break;
  }
  return page_owner_goto_bpf__elf_bytes;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  route_libbpf_log();
  auto kernel = read_kernel(options);
  if (!kernel) return fail(std::move(kernel).error());
  return open_session_on(std::move(kernel->facts), options, kernel->btf);
}

Result<std::unique_ptr<Session>> open_session_on(MachineFacts facts, const SessionOptions& options,
                                                 const KernelBtf& types) {
  auto btf = ExcerptFile::make();
  if (!btf) return fail(std::move(btf).error());
  const LibbpfCall opening;
  auto skeleton = open_object<WalkerSkeleton, page_owner_bpf__create_skeleton>(
      walker_for(facts.programs), btf->path());
  if (!skeleton) return fail(opening.error("opening the page walker", errno));
  if (auto status = btf->write(types, skeleton->obj); !status)
    return fail(std::move(status).error());
  const auto& constants = *skeleton->rodata;
  set_constant(constants.cast_ids, facts.cast_ids);
  set_constant(constants.layout, facts.layout);
  set_constant(constants.blocker_facts, facts.blockers);
  set_constant(constants.kind_facts, make_kind_facts(facts.page_types, facts.text));
  set_constant(constants.possible_filters, recorded_filters(facts, options.filters) | kNodeFilter);
  if (options.threads_max != 0) {
    const std::uint32_t nr_runs =
        std::min(std::bit_ceil(options.threads_max), bpf_map__max_entries(skeleton->maps.runs));
    bpf_map__set_max_entries(skeleton->maps.runs, nr_runs);
    set_constant(constants.runs_mask, nr_runs - 1);
  }
  bpf_program__set_autoload(skeleton->progs.emit_pages,
                            options.with_pages && !options.with_details);
  bpf_program__set_autoload(skeleton->progs.emit_detailed_pages,
                            options.with_pages && options.with_details);
  bpf_program__set_autoload(skeleton->progs.read_stack, options.with_stacks);
  bpf_program__set_autoload(skeleton->progs.name_addresses, options.with_stacks);
  bpf_program__set_autoload(skeleton->progs.count_pages, options.with_sums);
  bpf_program__set_autoload(skeleton->progs.emit_blockers, options.with_blockers);
  bpf_map__set_autocreate(skeleton->maps.reader_sums, options.with_sums);
  if (const LibbpfCall loading; page_owner_bpf__load(skeleton.get()) != 0)
    return fail(loading.error("loading the page walker", errno));
  auto own_programs = OwnPrograms::of(skeleton->obj);
  if (!own_programs) return fail(std::move(own_programs).error());
  if (options.privileges != PrivilegePolicy::kKeep)
    shed_privileges(needs_symbols(options.filters) && !facts.symbol_sources.has_iterator
                        ? StillToCome::kReadersByKallsyms
                        : StillToCome::kReaders);
  return std::make_unique<KernelSession>(std::move(skeleton), std::move(facts),
                                         std::move(*own_programs), options);
}

}  // namespace pobpf
