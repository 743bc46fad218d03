// SPDX-License-Identifier: GPL-2.0-only
// Making a pin: the object, its maps, its link, and its name in the file system.
#include "reader/pin.h"
// the skeletons need its types
#include "pobpf/pin_abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "kernel/btf_excerpt.h"
#include "kernel/libbpf_log.h"
#include "page_text.skel.h"
#include "page_text_each.skel.h"
#include "page_text_probe.skel.h"
#include "reader/open_object.h"
#include "reader/pin_directory.h"
#include "reader/pin_list.h"
#include "reader/pin_name.h"
#include "reader/pin_program.h"
#include "reader/program_ways.h"
#include "reader/reader_maps.h"
#include "reader/set_constant.h"
#include "reader/skeleton_deleter.h"
#include "reader/text_facts.h"
#include "reader/view.h"
#include "util/fd.h"

namespace pobpf {
namespace {

using PinSkeleton = std::unique_ptr<page_text_bpf, SkeletonDeleter<page_text_bpf__destroy>>;

Error system_error(const std::string& what, int error) {
  return {ErrorKind::kFailed,
          fmt::format("{}: {}", what, std::generic_category().message(error)),
          {},
          error};
}

/// The printer for this kernel; loops by may_goto would win it nothing.
ElfBytes printer_for(ProgramVariant variant) {
  switch (variant) {
    case ProgramVariant::kForEach:
      return page_text_each_bpf__elf_bytes;
    case ProgramVariant::kLoop:
      return page_text_probe_bpf__elf_bytes;
    case ProgramVariant::kCast:
    case ProgramVariant::kMayGoto:
      break;
  }
  return page_text_bpf__elf_bytes;
}

/// Calls of the program that one reading may take. A call that prints leaves less than one record's
/// room in its buffer. Without stacks that is exact; with them it prints over half of the buffer:
/// 2.2 KB a page, more than any record seen. Each call costs the kernel 200 instructions, needed or
/// not; see docs/pins.md.
__u32 ticket_count(std::uint64_t nr_pages, pobpf_mode mode, const pobpf_text_facts& text) {
  constexpr std::uint64_t kPagesPerTicket = 8;
  constexpr std::uint64_t kTicketsMin = 4096;
  // kernel/bpf/bpf_iter.c: bpf_seq_read()
  const auto buffer_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) << 3;
  std::uint64_t pages_per_ticket = kPagesPerTicket;
  if (mode == POBPF_MODE_HANDLE && text.record_bytes_max < buffer_bytes / 2)
    pages_per_ticket = buffer_bytes / text.record_bytes_max - 1;
  return static_cast<__u32>(
      std::clamp<std::uint64_t>(nr_pages / pages_per_ticket + 2, kTicketsMin, POBPF_TICKETS_MAX));
}

/// Elements of a map that the kernel recycles: with fewer it would begin to do so early, as each
/// CPU holds some in store.
__u32 recycled_elements() {
  constexpr int kPerCpu = 256;
  constexpr int kMin = 1024;
  return static_cast<__u32>(std::max(kMin, kPerCpu * std::max(1, libbpf_num_possible_cpus())));
}

Status size_maps(const page_text_bpf& skeleton, std::size_t nr_ranges, __u32 nr_tickets) {
  const auto& maps = skeleton.maps;
  // names of cgroups are looked up right after they are written, and a pin outlives many of them
  bpf_map__set_type(maps.cgroups, BPF_MAP_TYPE_LRU_HASH);
  bpf_map__set_map_flags(maps.cgroups, 0);
  const std::pair<bpf_map*, std::size_t> sizes[] = {
      {maps.cgroups, recycled_elements()},
      {maps.sessions, recycled_elements()},
      {maps.ranges, std::max<std::size_t>(1, nr_ranges)},
      {maps.tickets, nr_tickets}};
  for (const auto& [map, size] : sizes)
    if (const int error = bpf_map__set_max_entries(map, static_cast<__u32>(size)); error != 0)
      return fail(libbpf_error(fmt::format("sizing the map {}", bpf_map__name(map)), error));
  return {};
}

template <typename T>
Status write_element(const bpf_map* map, __u32 key, const T& value) {
  if (const int error = bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY); error != 0)
    return fail(libbpf_error(fmt::format("writing the map {}", bpf_map__name(map)), error));
  return {};
}

template <std::size_t kBytes>
void copy_text(char (&to)[kBytes], const std::string& text) {
  constexpr std::string_view kCut = "...";
  if (text.size() < kBytes) {
    text.copy(to, text.size());
    return;
  }
  text.copy(to, kBytes - 1 - kCut.size());
  kCut.copy(to + kBytes - 1 - kCut.size(), kCut.size());
}

/// The loaded program with everything that its maps have to hold. The verifier goes through
/// `more_filters`, too, which the view does not have.
Result<PinSkeleton> load(const PinRequest& request, const MachineFacts& facts,
                         const KernelBtf& types, std::uint32_t more_filters = 0) {
  auto filter = compile_view(facts, request.view);
  if (!filter) return fail(std::move(filter).error());
  auto text = make_text_facts(facts.text);
  if (!text) return fail(std::move(text).error());
  if (request.frame_bytes_max) text->frame_bytes_max = *request.frame_bytes_max;

  const auto ranges = view_ranges(facts, *filter);
  pobpf_pin pin{};
  pin.magic = POBPF_PIN_MAGIC;
  pin.abi = POBPF_PIN_ABI;
  pin.nr_ranges = static_cast<__u32>(ranges.size());
  for (const PfnRange& range : ranges) pin.nr_pages += range.size();
  pin.mode = filter->params.mode;
  pin.has_nodes = (filter->params.active >> POBPF_FILTER_NID) & 1;
  std::copy(std::begin(filter->params.nid_mask), std::end(filter->params.nid_mask), pin.nid_mask);
  copy_text(pin.version, request.version);
  copy_text(pin.view, request.view_text);
  const __u32 nr_tickets = ticket_count(pin.nr_pages, request.view.mode, *text);

  auto btf = ExcerptFile::make();
  if (!btf) return fail(std::move(btf).error());
  const LibbpfCall opening;
  auto skeleton = open_object<PinSkeleton, page_text_bpf__create_skeleton>(
      printer_for(facts.programs), btf->path());
  if (!skeleton) return fail(opening.error("opening the page printer", errno));
  if (auto status = btf->write(types, skeleton->obj); !status)
    return fail(std::move(status).error());
  const auto& constants = *skeleton->rodata;
  set_constant(constants.cast_ids, facts.cast_ids);
  set_constant(constants.layout, facts.layout);
  set_constant(constants.text, *text);
  set_constant(constants.possible_filters,
               recorded_filters(facts, filter->params.active | more_filters));
  set_constant(constants.nr_tickets, nr_tickets);
  if (auto status = size_maps(*skeleton, ranges.size(), nr_tickets); !status)
    return fail(std::move(status).error());
  if (const LibbpfCall loading; page_text_bpf__load(skeleton.get()) != 0)
    return fail(loading.error("loading the page printer", errno));

  // the program does not use it: bound to it, it lives as long as the pin
  if (const int error = bpf_prog_bind_map(bpf_program__fd(skeleton->progs.print_pages),
                                          bpf_map__fd(skeleton->maps.pobpf_pin), nullptr);
      error != 0)
    return fail(libbpf_error("binding the pin's description", error));
  if (auto status = write_element(skeleton->maps.pobpf_pin, 0, pin); !status)
    return fail(std::move(status).error());
  if (auto status = install_reader_maps(skeleton->obj, 0, SlotState::kNew, *filter); !status)
    return fail(std::move(status).error());
  for (__u32 i = 0; i < pin.nr_ranges; ++i) {
    const pobpf_pfn_range range{ranges[i].begin, ranges[i].end};
    if (auto status = write_element(skeleton->maps.ranges, i, range); !status)
      return fail(std::move(status).error());
  }
  return skeleton;
}

Result<Fd> attach(const page_text_bpf& skeleton) {
  bpf_iter_link_info target{};
  target.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton.maps.tickets));
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.iter_info = &target;
  options.iter_info_len = sizeof(target);
  Fd link(
      bpf_link_create(bpf_program__fd(skeleton.progs.print_pages), 0, BPF_TRACE_ITER, &options));
  if (!link) return fail(libbpf_error("attaching the page printer", errno));
  return link;
}

bool is_taken(const PinDirectory& directory, const std::string& name) {
  struct stat info {};
  return directory.exists() &&
         ::fstatat(directory.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

Status check_replaced(const PinDirectory& directory, const std::string& name) {
  auto pin = read_pin(directory, name);
  // gone since
  if (!pin && pin.error().os_errno == ENOENT) return {};
  if (!pin) return fail(std::move(pin).error());
  if (pin->kind != PinKind::kForeign) return {};
  return fail(ErrorKind::kUsage, fmt::format("{} is not a pin of pobpf but a {}", name, pin->what),
              "choose another name");
}

tl::unexpected<Error> name_is_taken(const std::string& name) {
  return fail(ErrorKind::kUsage, fmt::format("there is a pin {} already", name),
              "give --replace, or unpin it first");
}

/// Removes what processes left behind that were killed between pinning and renaming.
void remove_leftovers(const PinDirectory& directory) {
  auto pins = read_pins(directory);
  // what is not ours, or may not be looked into, stays
  if (!pins) return;
  for (const PinInfo& pin : *pins) {
    const auto task = task_of_temporary_pin(pin.name);
    if (task && pin.kind != PinKind::kForeign && ::kill(*task, 0) != 0 && errno == ESRCH)
      ::unlinkat(directory.fd(), pin.name.c_str(), 0);
  }
}

/// Pins in one step where one is enough. Else the pin gets its name when it has its owner and its
/// mode, so that nobody ever sees it half made.
Status give_name(int link, const PinDirectory& directory, const PinRequest& request) {
  const PinAccess access{request.uid, request.gid, request.mode};
  const auto cannot_pin = [&](int error) -> Status {
    if (error == EEXIST) return name_is_taken(request.name);
    return fail(system_error(fmt::format("pinning {}", (request.directory / request.name).string()),
                             error));
  };
  if (!request.replaces && !access.is_set()) {
    if (bpf_obj_pin(link, directory.path_of(request.name).c_str()) == 0) return {};
    return cannot_pin(errno);
  }
  const std::string temporary = temporary_pin_name(::gettid());
  // of a task that had this number before
  ::unlinkat(directory.fd(), temporary.c_str(), 0);
  if (bpf_obj_pin(link, directory.path_of(temporary).c_str()) != 0) return cannot_pin(errno);
  // it was root's alone until here
  auto status = directory.give(temporary, access);
  if (status && ::renameat2(directory.fd(), temporary.c_str(), directory.fd(), request.name.c_str(),
                            request.replaces ? 0 : RENAME_NOREPLACE) != 0)
    status = cannot_pin(errno);
  if (!status) ::unlinkat(directory.fd(), temporary.c_str(), 0);
  return status;
}

}  // namespace

Status check_pin_program(const MachineFacts& facts, const KernelBtf& types, std::uint32_t filters) {
  auto skeleton = load({}, facts, types, filters);
  return skeleton ? Status() : fail(std::move(skeleton).error());
}

Status make_pin(const PinRequest& request) {
  route_libbpf_log();
  if (auto status = check_pin_name(request.name); !status) return status;
  auto directory = PinDirectory::find(request.directory);
  if (!directory) return fail(std::move(directory).error());
  // before the work, for the sake of the sentence; bpf_obj_pin() makes sure
  if (auto status = directory->check_for_pins(); !status) return status;
  if (is_taken(*directory, request.name)) {
    if (!request.replaces) return name_is_taken(request.name);
    if (auto status = check_replaced(*directory, request.name); !status) return status;
  }

  auto kernel = read_kernel(request.session);
  if (!kernel) return fail(std::move(kernel).error());
  auto skeleton = load(request, kernel->facts, kernel->btf);
  if (!skeleton) return fail(std::move(skeleton).error());
  for (const auto& [name, value] : describe_loaded(kernel->facts, (*skeleton)->obj))
    spdlog::debug("{}: {}", name, value);
  auto link = attach(**skeleton);
  if (!link) return fail(std::move(link).error());

  // last, so that a process that is killed leaves no directory either
  bool was_made = false;
  if (auto status = directory->make(was_made); !status) return status;
  remove_leftovers(*directory);
  auto status = give_name(link->get(), *directory, request);
  if (!status && was_made) directory->remove_if_empty();
  return status;
}

}  // namespace pobpf
