// SPDX-License-Identifier: GPL-2.0-only
// The options that say which pages are wanted, the same for all commands that have them.
#include <iterator>
#include <utility>

#include "cli/options/option_values.h"
#include "model/compile_filter.h"
#include "model/duration.h"
#include "model/id_range.h"
#include "model/name_list.h"
#include "model/pfn_text.h"

namespace pobpf::cli {
namespace {

constexpr Commands kFiltering = of::kPages | of::kStacks | of::kTop | of::kRecord | of::kReports |
                                of::kDiff | of::kArchives | of::kPin;
// PID_MAX_LIMIT is 4 Mi; page_owner prints what it has as an int
constexpr std::uint32_t kPidMax = 0x7fffffff;
constexpr std::uint32_t kHandleMax = 0xffffffff;

template <typename T>
std::vector<T>& side(Choice<T>& choice, bool is_not) {
  return is_not ? choice.rejected : choice.wanted;
}

template <typename T>
Status append(Result<std::vector<T>> parsed, std::vector<T>& to) {
  if (!parsed) return fail(std::move(parsed).error());
  to.insert(to.end(), std::make_move_iterator(parsed->begin()),
            std::make_move_iterator(parsed->end()));
  return {};
}

template <Choice<IdRange> FilterSpec::*kMember, std::uint32_t kMax>
Status take_ids(const Value& value, Options& options) {
  return append(parse_id_ranges(value.text, kMax), side(options.filter.*kMember, value.is_not));
}

template <Choice<std::string> FilterSpec::*kMember>
Status take_names(const Value& value, Options& options) {
  return append(split_list(value.text, ","), side(options.filter.*kMember, value.is_not));
}

template <Choice<std::string> FilterSpec::*kMember>
Status take_patterns(const Value& value, Options& options) {
  return append(split_patterns(value.text), side(options.filter.*kMember, value.is_not));
}

/// "all:", "any:" and "none:" hold for the names behind them, up to the next one.
template <BitNames FilterSpec::*kMember>
Status take_bits(const Value& value, Options& options) {
  BitNames& names = options.filter.*kMember;
  const std::pair<std::string_view, std::vector<std::string>*> groups[] = {
      {"all:", &names.all}, {"any:", &names.any}, {"none:", &names.none}};
  auto parts = split_list(value.text, ",|");
  if (!parts) return fail(std::move(parts).error());
  std::vector<std::string>* to = &names.all;
  for (std::string_view part : *parts) {
    for (const auto& [prefix, group] : groups) {
      if (!part.starts_with(prefix)) continue;
      part.remove_prefix(prefix.size());
      to = group;
      if (to == &names.any && !names.any.empty())
        return usage_error("any: is given more than once", "name all of them behind one any:");
    }
    if (part.empty()) return usage_error("an entry of the list is empty");
    to->emplace_back(part);
  }
  return {};
}

Status take_pfns(const Value& value, Options& options) {
  auto parts = split_list(value.text, ",");
  if (!parts) return fail(std::move(parts).error());
  for (const std::string& part : *parts) {
    auto range = parse_pfn_range(part);
    if (!range) return fail(std::move(range).error());
    side(options.filter.pfns, value.is_not).push_back(*range);
  }
  return {};
}

Status take_path(const Value& value, Options& options) {
  if (value.text.empty()) return usage_error("the path is empty");
  side(options.filter.memcgs, value.is_not).push_back(value.text);
  return {};
}

template <std::optional<bool> FilterSpec::*kMember>
Status take_either(const Value& value, Options& options) {
  return set(options.filter.*kMember, !value.is_not);
}

// clang-format off
constexpr OptionRow kFilterRows[] = {
    {.name = "nid", .value = "LIST", .text = [](Options& o) { return &o.nodelist; },
     .names = NameKind::kNode,
     .help = "pages on these NUMA nodes, in the kernel's list syntax: 0 or 0,2 or 0-3 or "
             "0-7:1/2; an empty list means all nodes"},
    {.name = "zone", .value = "NAMES", .times = Times::kEitherWay,
     .take = take_names<&FilterSpec::zones>, .names = NameKind::kZone,
     .help = "pages in these zones: DMA32,Normal"},
    {.name = "pid", .value = "LIST", .times = Times::kEitherWay,
     .take = take_ids<&FilterSpec::pids, kPidMax>, .names = NameKind::kProcess,
     .help = "pages that these threads allocated: 7,20-29"},
    {.name = "tgid", .value = "LIST", .times = Times::kEitherWay,
     .take = take_ids<&FilterSpec::tgids, kPidMax>, .names = NameKind::kProcess,
     .help = "pages that these processes allocated"},
    {.name = "comm", .value = "PATTERNS", .times = Times::kEitherWay,
     .take = take_patterns<&FilterSpec::comms>, .names = NameKind::kComm,
     .help = "pages that tasks with these names allocated: 'kworker*'"},
    {.name = "order", .value = "LIST", .times = Times::kEitherWay,
     .take = take_ids<&FilterSpec::orders, kOrderMax>,
     .help = "allocations of these orders: 0 or 4-"},
    {.name = "age", .value = "RANGE",
     .take = [](auto& v, auto& o) { return put(o.filter.age, parse_age_range(v.text)); },
     .help = "pages that are at least this old when they are read: 10m, or 10m..2h, or ..90s"},
    {.name = "since", .value = "TIME",
     .take = [](auto& v, auto& o) { return put(o.filter.since, parse_clock_time(v.text)); },
     .help = "pages allocated since: 10m (ago), or nanoseconds since boot as in the ts of a "
             "record"},
    {.name = "until", .value = "TIME",
     .take = [](auto& v, auto& o) { return put(o.filter.until, parse_clock_time(v.text)); },
     .help = "pages allocated until then; TIME as for --since"},
    {.name = "gfp", .value = "NAMES", .times = Times::kSeveral, .take = take_bits<&FilterSpec::gfp>,
     .names = NameKind::kGfp, .list = ListSyntax::kBits,
     .help = "pages allocated with all of these gfp flags; any:NAMES with at least one of them, "
             "none:NAMES without any"},
    {.name = "migratetype", .value = "NAMES", .times = Times::kEitherWay,
     .take = take_names<&FilterSpec::migratetypes>, .names = NameKind::kMigratetype,
     .help = "pages allocated as these migratetypes: Movable,Reclaimable"},
    {.name = "block-migratetype", .value = "NAMES", .times = Times::kEitherWay,
     .take = take_names<&FilterSpec::block_migratetypes>, .names = NameKind::kMigratetype,
     .help = "pages in pageblocks of these migratetypes"},
    {.name = "flags", .value = "NAMES", .times = Times::kSeveral,
     .take = take_bits<&FilterSpec::flags>, .names = NameKind::kPageFlags,
     .list = ListSyntax::kBits, .help = "pages with all of these page flags; any:NAMES and "
                                        "none:NAMES as for --gfp"},
    {.name = "handle", .value = "LIST", .times = Times::kEitherWay,
     .take = take_ids<&FilterSpec::handles, kHandleMax>,
     .help = "pages whose stacks have these handles"},
    {.name = "symbol", .value = "PATTERNS", .times = Times::kEitherWay,
     .take = take_patterns<&FilterSpec::symbols>, .names = NameKind::kSymbol,
     .help = "pages with one of these functions in the stack"},
    {.name = "module", .value = "PATTERNS", .times = Times::kEitherWay,
     .take = take_patterns<&FilterSpec::modules>, .names = NameKind::kModule,
     .help = "pages with one of these modules in the stack"},
    {.name = "memcg", .value = "PATH", .times = Times::kEitherWay, .take = take_path,
     .names = NameKind::kMemcg, .list = ListSyntax::kOneName,
     .help = "pages charged to this cgroup, or to one below it; id:N is the cgroup with this id"},
    {.name = "pfn", .value = "LIST", .times = Times::kEitherWay, .take = take_pfns,
     .help = "pages at these PFNs: 0x1000-0x1fff or 0x1000+16"},
    {.name = "mixed", .times = Times::kEitherWay, .take = take_either<&FilterSpec::is_mixed>,
     .help = "pages allocated as another migratetype than that of their pageblock"},
    {.name = "dead", .times = Times::kEitherWay, .take = take_either<&FilterSpec::is_dead>,
     .help = "pages whose process no longer exists, whoever has its number now"},
};

constexpr OptionRow kPlaceRows[] = {
    {.name = "nid", .value = "LIST", .text = [](Options& o) { return &o.nodelist; },
     .names = NameKind::kNode, .help = "blocks on these NUMA nodes: 0 or 0,2 or 0-3"},
    {.name = "zone", .value = "NAMES", .times = Times::kEitherWay,
     .take = take_names<&FilterSpec::zones>, .names = NameKind::kZone,
     .help = "blocks in these zones: DMA32,Normal"},
    {.name = "pfn", .value = "LIST", .times = Times::kEitherWay, .take = take_pfns,
     .help = "blocks in which these PFNs lie: 0x1000-0x1fff or 0x1000+16"},
};
// clang-format on

constexpr OptionGroup kFilterGroups[] = {{"Filters", kFiltering, kFilterRows},
                                         {"Filters", of::kBothBlockers, kPlaceRows}};

}  // namespace

std::span<const OptionGroup> filter_groups() { return kFilterGroups; }

}  // namespace pobpf::cli
