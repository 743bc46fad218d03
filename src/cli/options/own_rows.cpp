// SPDX-License-Identifier: GPL-2.0-only
// Options and arguments of single commands: which snapshots, pages and pins they are about.
#include <grp.h>
#include <pwd.h>

#include <chrono>

#include "cli/options/option_values.h"
#include "model/duration.h"
#include "model/id_range.h"
#include "model/pfn_text.h"
#include "reader/pin_name.h"

namespace pobpf::cli {
namespace {

constexpr Commands kOfSnapshots = of::kReports | of::kReportPage | of::kReportBlockers;
// a page of 1 GiB
constexpr std::uint32_t kBlockOrderMax = 18;
constexpr std::uint32_t kMemoryBlockMax = 0xffffff;
constexpr std::uint32_t kKeepMax = 1'000'000;
/// 365 days: what is meant to end ends.
constexpr std::uint64_t kWaitMaxNs = 365 * kDayNs;
constexpr const char* kNothingStays = "nothing but the new one would stay";
constexpr const char* kKeepOne = "use --keep 1";

std::chrono::nanoseconds to_ns(std::uint64_t ns) { return std::chrono::nanoseconds(ns); }

/// Refuses 0.
Result<std::uint64_t> above_zero(Result<std::uint64_t> value, const char* what, const char* hint) {
  if (value && *value == 0) return usage_error(what, hint);
  return value;
}

Status take_wait(const Value& value, Options& options) {
  auto wait = parse_seconds(value.text);
  if (wait && *wait > kWaitMaxNs) return usage_error("that is too long", "give a year or less");
  return put(options.archive.wait, wait.map(to_ns));
}

Status take_every(const Value& value, Options& options) {
  return put(options.pressure.interval,
             above_zero(parse_duration(value.text), "snapshots would never end",
                        "give some time, such as 10s")
                 .map(to_ns));
}

Status take_low_memory(const Value& value, Options& options) {
  if (value.text == "none") return set(options.pressure.low, std::nullopt);
  return put(options.pressure.low, parse_byte_share(value.text, "the memory"));
}

Status take_pages(const Value& value, Options& options) {
  auto range = parse_pfn_range(value.text);
  if (!range) return fail(std::move(range).error());
  options.page.pfns.push_back(*range);
  return {};
}

template <std::vector<std::uint64_t> PageRequest::*kMember>
Status take_address(const Value& value, Options& options) {
  auto address = parse_number(value.text);
  if (!address) return fail(std::move(address).error());
  (options.page.*kMember).push_back(*address);
  return {};
}

Status take_pin_name(const Value& value, Options& options) {
  options.pin.names.push_back(value.text);
  return check_pin_name(value.text);
}

/// A temporary name is one that unpin has to take.
Status take_any_pin_name(const Value& value, Options& options) {
  const std::string& name = value.text;
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return usage_error("'" + name + "' is not a name of a pin", "pobpf pins lists them");
  options.pin.names.push_back(name);
  return {};
}

Status take_pin_directory(const Value& value, Options& options) {
  options.pin.directory = value.text;
  // its parent is looked at
  while (options.pin.directory.size() > 1 && options.pin.directory.ends_with('/'))
    options.pin.directory.pop_back();
  return {};
}

/// The last one means "no change" to chown(2).
std::optional<std::uint32_t> id_of(const std::string& text) {
  const auto id = whole_number<std::uint32_t>(text);
  return id == std::numeric_limits<std::uint32_t>::max() ? std::nullopt : id;
}

/// USER, USER:GROUP or :GROUP.
Status take_owner(const Value& value, Options& options) {
  const std::size_t colon = value.text.find(':');
  const std::string user = value.text.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : value.text.substr(colon + 1);
  if (user.empty() && group.empty())
    return usage_error("a user or a group is needed", "as in --chown nobody:adm");
  if (!user.empty()) {
    const passwd* found = ::getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe)
    options.pin.uid = found != nullptr ? found->pw_uid : id_of(user);
    if (!options.pin.uid)
      return usage_error("there is no user '" + user + "'",
                         "give a name or a number, then : and a group if you like");
  }
  if (!group.empty()) {
    const ::group* found = ::getgrnam(group.c_str());  // NOLINT(concurrency-mt-unsafe)
    options.pin.gid = found != nullptr ? found->gr_gid : id_of(group);
    if (!options.pin.gid)
      return usage_error("there is no group '" + group + "'", "give a name or a number");
  }
  return {};
}

Status take_permissions(const Value& value, Options& options) {
  constexpr mode_t kModeMax = 0777;
  options.pin.mode = whole_number<mode_t>(value.text, 8);
  if (!options.pin.mode || *options.pin.mode > kModeMax)
    return usage_error("'" + value.text + "' is not a mode", "give an octal number such as 440");
  return {};
}

// clang-format off
constexpr OptionRow kSnapshotRows[] = {
    {.name = "FILE", .commands = kOfSnapshots, .is_needed = true,
     .text = [](Options& o) { return &o.snapshot.path; }, .names = NameKind::kFile,
     .help = "a file of pobpf record, snapshot or import"},
    {.name = "FILE", .commands = of::kImport, .is_needed = true,
     .text = [](Options& o) { return &o.snapshot.path; }, .names = NameKind::kFile,
     .help = "a text of page_owner; - is stdin"},
    {.name = "salvage", .commands = kOfSnapshots,
     .flag = [](Options& o) { return &o.snapshot.salvages; },
     .help = "show what is intact of a damaged file"},
};

constexpr OptionRow kDiffRows[] = {
    {.name = "FILE", .times = Times::kSeveral,
     .take = [](auto& v, auto& o) { o.diff.paths.push_back(v.text); return Status(); },
     .names = NameKind::kFile, .help = "snapshots, the oldest first"},
    {.name = "leaks", .flag = [](Options& o) { return &o.diff.finds_leaks; },
     .help = "show what grew from each of three or more to the next, the fastest first"},
    {.name = "latest", .value = "[N]",
     .help = "compare the last N snapshots of one host with the same filters, instead of files: "
             "the first with the last, or with --leaks all; default 2, or 3"},
    {.name = "dir", .value = "DIR", .text = [](Options& o) { return &o.diff.directory; },
     .names = NameKind::kDirectory, .help = "where --latest looks; default /var/lib/pobpf"},
    {.name = "salvage", .flag = [](Options& o) { return &o.snapshot.salvages; },
     .help = "compare what is intact of damaged files"},
};

constexpr OptionRow kPressureRows[] = {
    {.name = "stall", .value = "LIMIT",
     .take = [](auto& v, auto& o) { return put(o.pressure.stall, parse_stall_limit(v.text)); },
     .help = "memory is short when tasks wait for it this long: some:300ms/2s (default; at least "
             "one waits for 300ms of 2s), full:1s/5s (all wait), none"},
    {.name = "low-memory", .value = "SIZE", .take = take_low_memory,
     .help = "memory is short when less than this can be allocated (MemAvailable and free swap): "
             "3% (default), 2G, none"},
    {.name = "every", .value = "TIME", .take = take_every,
     .help = "take at most one snapshot in this time, and one more if memory gets low meanwhile; "
             "default 10m"},
    {.name = "once", .flag = [](Options& o) { return &o.pressure.ends_after_first; },
     .help = "end after the first snapshot"},
};

constexpr OptionRow kDirectoryRows[] = {
    {.name = "dir", .value = "DIR", .commands = of::kSnapshot,
     .text = [](Options& o) { return &o.archive.directory; }, .names = NameKind::kDirectory,
     .help = "where snapshots are kept, default /var/lib/pobpf; made (mode 0750) if it is "
             "missing"},
    {.name = "dir", .value = "DIR", .commands = of::kWatchPressure,
     .text = [](Options& o) { return &o.archive.directory; }, .names = NameKind::kDirectory,
     .help = "where snapshots are kept, default /var/lib/pobpf-pressure; made (mode 0750) if it "
             "is missing"},
    {.name = "DIR", .commands = of::kList, .text = [](Options& o) { return &o.archive.directory; },
     .names = NameKind::kDirectory, .help = "default /var/lib/pobpf"},
    {.name = "wait", .value = "SEC", .commands = of::kArchives, .take = take_wait,
     .help = "wait up to SEC seconds for another pobpf that takes a snapshot into DIR; default 0"},
};

constexpr OptionRow kRetentionRows[] = {
    {.name = "keep", .value = "N",
     .take = [](auto& v, auto& o) {
       return put(o.archive.policy.limits.nr_max, number_between(v.text, 1, kKeepMax)); },
     .help = "keep the last N, the new one included"},
    {.name = "max-age", .value = "TIME",
     .take = [](auto& v, auto& o) {
       return put(o.archive.policy.limits.age_max_ns,
                  above_zero(parse_duration(v.text), kNothingStays, kKeepOne)); },
     .help = "keep those up to this old: 36h, 30d"},
    {.name = "max-size", .value = "SIZE",
     .take = [](auto& v, auto& o) {
       return put(o.archive.policy.limits.bytes_max,
                  above_zero(parse_byte_size(v.text), kNothingStays, kKeepOne)); },
     .help = "keep the last ones that together take at most this: 2G"},
    {.name = "min-free", .value = "SIZE",
     .take = [](auto& v, auto& o) {
       return put(o.archive.policy.min_free, parse_byte_share(v.text, "the file system")); },
     .help = "keep as many as leave this much of the file system free: 5G or 10%; if none would, "
             "no snapshot is taken"},
    {.name = "thin",
     .take = [](auto&, auto& o) { return set(o.archive.policy.limits.tiers, default_tiers()); },
     .help = "keep all of a day, one an hour for a week, one a day for a year"},
    {.name = "thin-tiers", .value = "LIST",
     .take = [](auto& v, auto& o) {
       return put(o.archive.policy.limits.tiers, parse_tiers(v.text)); },
     .help = "thin by tiers of your own: AGE:EVERY,...; --thin is 1d:all,1w:1h,365d:1d"},
};

constexpr OptionRow kPageRows[] = {
    {.name = "PFN", .times = Times::kSeveral, .take = take_pages,
     .help = "page frame numbers, decimal or 0x hexadecimal: N, N-M (both included) or N+COUNT"},
    {.name = "phys", .value = "ADDR", .times = Times::kSeveral,
     .take = take_address<&PageRequest::physical>, .help = "the page with this physical address"},
    {.name = "pid", .value = "PID", .commands = of::kPage,
     .take = [](auto& v, auto& o) { return put(o.page.pid, parse_number(v.text)); },
     .names = NameKind::kProcess, .help = "with --addr: a process"},
    {.name = "addr", .value = "VADDR", .commands = of::kPage, .times = Times::kSeveral,
     .take = take_address<&PageRequest::addresses>,
     .help = "the page behind this address of the process; needs CAP_SYS_ADMIN"},
};

constexpr OptionRow kBlockRows[] = {
    {.name = "order", .value = "N",
     .take = [](auto& v, auto& o) {
       return put(o.blocks.order, number_between(v.text, 1, kBlockOrderMax)); },
     .help = "blocks of 2^N pages; default: a pageblock, which is what a huge page needs"},
    {.name = "cma", .value = "[AREA]", .commands = of::kBlockers,
     .take = [](auto& v, auto& o) {
       o.blocks.is_of_cma = true;
       return set(o.blocks.cma_area, v.text); },
     .list = ListSyntax::kOneName,
     .help = "blocks of this area of CMA, or of all: contiguous memory is to be had there"},
    {.name = "memory-block", .value = "LIST", .commands = of::kBlockers,
     .take = [](auto& v, auto& o) {
       return put(o.blocks.memory_blocks, parse_id_ranges(v.text, kMemoryBlockMax)); },
     .help = "the blocks of memory with these numbers, which are to go offline: 32 or 32-39, as in "
             "/sys/devices/system/memory"},
};

constexpr OptionRow kPinRows[] = {
    {.name = "NAME", .commands = of::kPin, .is_needed = true, .take = take_pin_name,
     .names = NameKind::kPin, .list = ListSyntax::kOneName,
     .help = "name of the file to make"},
    {.name = "NAME", .commands = of::kUnpin, .times = Times::kSeveral, .take = take_any_pin_name,
     .names = NameKind::kPin, .list = ListSyntax::kOneName,
     .help = "names of pins"},
    {.name = "dir", .value = "DIR", .take = take_pin_directory, .names = NameKind::kDirectory,
     .help = "directory in a BPF file system; default /sys/fs/bpf/pobpf"},
    {.name = "chown", .value = "USER:GROUP", .commands = of::kPin, .take = take_owner,
     .names = NameKind::kUser, .list = ListSyntax::kOneName,
     .help = "owner of the file, who may read it as --chmod says; USER alone and :GROUP alone "
             "are fine"},
    {.name = "chmod", .value = "MODE", .commands = of::kPin, .take = take_permissions,
     .help = "permissions of the file, in octal; default 600"},
    {.name = "replace", .commands = of::kPin, .flag = [](Options& o) { return &o.pin.replaces; },
     .help = "replace a pin with that name"},
    {.name = "all", .commands = of::kUnpin, .flag = [](Options& o) { return &o.pin.wants_all; },
     .help = "remove all pins of pobpf in the directory"},
    // makes records seem long, for tests
    {.name = "frame-bytes", .value = "N", .commands = of::kPin, .is_hidden = true,
     .take = [](auto& v, auto& o) {
       return put(o.pin.frame_bytes_max, number_between(v.text, 0)); }},
};
// clang-format on

constexpr OptionGroup kOwnGroups[] = {
    {"Snapshot", kOfSnapshots | of::kImport, kSnapshotRows},
    {"Snapshots", of::kDiff, kDiffRows},
    {"When memory is short", of::kWatchPressure, kPressureRows},
    {"Directory", of::kArchives | of::kList, kDirectoryRows},
    {"Older snapshots of this host (all are kept by default)", of::kArchives, kRetentionRows},
    {"Pages", of::kPage | of::kReportPage, kPageRows},
    {"Blocks", of::kBothBlockers, kBlockRows},
    {"Pins", of::kPin | of::kPins | of::kUnpin, kPinRows},
};

}  // namespace

std::span<const OptionGroup> own_option_groups() { return kOwnGroups; }

}  // namespace pobpf::cli
