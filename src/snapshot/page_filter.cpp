// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "model/cgroup_text.h"
#include "model/compile_filter.h"
#include "model/filter_kinds.h"
#include "model/flag_text.h"
#include "model/glob.h"
#include "model/nodelist.h"
#include "sum/call_site.h"
#include "util/bounded.h"

namespace pobpf {
namespace {

/// The questions that the file itself answers; the others are not asked.
class SnapshotContext final : public FilterContext {
 public:
  explicit SnapshotContext(const SnapshotHeader& header) : header_(header) {}

  Result<std::uint64_t> now_ns() override {
    if (header_.local_clock_ns) return *header_.local_clock_ns;
    return fail(ErrorKind::kUsage, "the snapshot does not say when it was recorded",
                "give points in time as nanoseconds since boot");
  }
  Result<std::vector<AddressRange>> symbol_ranges(const NamePredicate& /*is_wanted*/) override {
    return std::vector<AddressRange>();
  }
  Result<std::vector<AddressRange>> module_ranges(const NamePredicate& /*is_wanted*/) override {
    return std::vector<AddressRange>();
  }
  Result<std::uint64_t> cgroup_id(const std::string& /*path*/) override { return 0; }
  Status check_supported(pobpf_filter filter) override {
    if (filter != POBPF_FILTER_TIME || header_.local_clock_ns) return {};
    return fail(ErrorKind::kUsage, "the snapshot does not say when it was recorded",
                "use --since and --until with nanoseconds since boot");
  }

 private:
  const SnapshotHeader& header_;
};

constexpr std::uint64_t set_key(std::uint32_t kind, std::uint64_t value) {
  return std::uint64_t{kind} << 32 | value;
}

bool masks_pass(std::uint64_t bits, std::uint64_t all, std::uint64_t any, std::uint64_t none) {
  return (bits & all) == all && (any == 0 || (bits & any) != 0) && (bits & none) == 0;
}

Status check_nodes(const FilterSpec& spec, const SnapshotHeader& header) {
  if (!spec.nodes) return {};
  NodeSet known;
  for (const NodeSpan& node : header.nodes) known.set(node.nid);
  const NodeSet missing = *spec.nodes & ~known;
  if (known.none() || missing.none()) return {};
  return fail(
      ErrorKind::kUsage,
      fmt::format("the recorded machine has no memory on node {}", format_nodelist(missing)),
      fmt::format("nodes with memory are {}", format_nodelist(known)));
}

/// An import has no tables: its names stand beside the numbers of its pages.
Status check_import(const FilterSpec& spec, const SnapshotHeader& header) {
  if (!header.facts || !header.facts->texts) return {};
  const auto is_name = [](const std::string& name) { return !name.starts_with("0x"); };
  const auto has_name = [&](const BitNames& names) {
    return std::ranges::any_of(names.all, is_name) || std::ranges::any_of(names.any, is_name) ||
           std::ranges::any_of(names.none, is_name);
  };
  std::vector<std::pair<std::string, bool>> options;
  for (const NamesFilter& filter : kNamesFilters)
    options.emplace_back("--" + option_of(filter.name), !(spec.*filter.given).is_empty());
  options.emplace_back("names in --gfp", has_name(spec.gfp));
  options.emplace_back("names in --flags", has_name(spec.flags));
  for (const auto& [option, is_given] : options)
    if (is_given)
      return fail(
          ErrorKind::kUsage,
          fmt::format("an imported text has no table of names that {} could be looked up in",
                      option),
          "filter by something else, or grep the text");
  return {};
}

/// `ranges` are ascending and disjoint; a list may have thousands.
bool has_pfn(const std::vector<PfnRange>& ranges, std::uint64_t pfn) {
  const auto behind = std::upper_bound(
      ranges.begin(), ranges.end(), pfn,
      [](std::uint64_t value, const PfnRange& range) { return value < range.begin; });
  return behind != ranges.begin() && pfn < std::prev(behind)->end;
}

/// Whether one of these is by numbers that only the kernel's tables explain.
bool needs_facts(std::uint32_t active) {
  constexpr std::uint32_t kByTable = 1U << POBPF_FILTER_NID | 1U << POBPF_FILTER_ZONE |
                                     1U << POBPF_FILTER_MIGRATETYPE | 1U << POBPF_FILTER_MIXED;
  return (active & kByTable) != 0;
}

std::string_view function_of(std::string_view symbol) {
  return symbol.substr(0, symbol.find_first_of("+ "));
}

}  // namespace

PageFilter::PageFilter(FilterSpec spec, const SnapshotHeader& header, PageContext& context)
    : spec_(std::move(spec)),
      facts_(header.facts ? &*header.facts : nullptr),
      now_ns_(header.local_clock_ns.value_or(0)),
      context_(&context) {
  if (facts_ != nullptr) zones_.emplace(*facts_);
}

Result<PageFilter> PageFilter::make(const FilterSpec& spec, const SnapshotHeader& header,
                                    PageContext& context) {
  if (auto status = check_nodes(spec, header); !status) return fail(std::move(status).error());
  if (auto status = check_import(spec, header); !status) return fail(std::move(status).error());
  PageFilter filter(spec, header, context);
  // what is told by names here is left to us
  FilterSpec numbers = spec;
  numbers.symbols = {};
  numbers.modules = {};
  numbers.memcgs = {};
  if (auto status = check_filter(spec); !status) return fail(std::move(status).error());
  SnapshotContext answers(header);
  auto compiled = compile_filter(numbers, header.facts ? *header.facts : KernelFacts(), answers);
  if (!compiled) return fail(std::move(compiled).error());
  filter.compiled_ = *std::move(compiled);
  const std::uint32_t active = spec.active();
  filter.compiled_.params.active = active;
  if (needs_facts(active) && !header.facts)
    return fail(ErrorKind::kUsage, "the snapshot does not say how its kernel numbers these",
                "leave out --nid, --zone, --migratetype and --mixed");
  for (const auto& [key, bits] : filter.compiled_.members)
    filter.sets_.emplace(set_key(key.kind, key.value), bits);
  return filter;
}

PageFields PageFilter::needed_fields() const {
  PageFields needed = 0;
  for (unsigned i = 0; i < POBPF_NR_FILTERS; ++i) {
    const auto filter = static_cast<pobpf_filter>(i);
    if (is_active(filter)) needed |= fields_of_filter(filter);
  }
  if (compiled_.pfns) needed = needed | PageField::kPfn;
  return needed;
}

Status PageFilter::check_fields(PageFields known) const {
  if ((needed_fields() & ~known) == 0) return {};
  return fail(ErrorKind::kFailed,
              fmt::format("pages of the snapshot lack what is filtered by: {}",
                          page_field_names(needed_fields() & ~known)),
              "leave that filter out");
}

PageFilter::Verdict PageFilter::judge(const pobpf_page& page, const pobpf_page_detail* detail,
                                      pobpf_filter& filter) {
  if (compiled_.pfns && !has_pfn(*compiled_.pfns, page.pfn)) return Verdict::kOutside;
  if (active() == 0) return Verdict::kWanted;
  is_unknown_ = false;
  auto rejected = page_filters(page);
  if (!rejected) rejected = owner_filters(page);
  if (!rejected && is_active(POBPF_FILTER_DEAD)) {
    const unsigned state =
        detail == nullptr ? unsigned{POBPF_PROCESS_UNKNOWN} : detail->process_state;
    is_unknown_ = is_unknown_ || state == POBPF_PROCESS_UNKNOWN;
    if ((state != POBPF_PROCESS_LIVING) != *spec_.is_dead) rejected = POBPF_FILTER_DEAD;
  }
  if (!rejected && is_active(POBPF_FILTER_MEMCG)) {
    const auto passes = memcg_passes(page);
    is_unknown_ = is_unknown_ || !passes;
    if (passes && !*passes) rejected = POBPF_FILTER_MEMCG;
  }
  if (!rejected && is_active(POBPF_FILTER_STACK)) {
    const auto passes = stack_passes(page.handle);
    is_unknown_ = is_unknown_ || !passes;
    if (passes && !*passes) rejected = POBPF_FILTER_STACK;
  }
  if (is_unknown_) return Verdict::kUnknown;
  if (!rejected) return Verdict::kWanted;
  filter = *rejected;
  return Verdict::kFiltered;
}

bool PageFilter::zone_passes(std::uint64_t flags, pobpf_filter& filter) {
  const PageZone page_zone = zones_->of(flags);
  filter = POBPF_FILTER_NID;
  if (is_active(filter)) {
    is_unknown_ = !page_zone.nid;
    // PF_POISONED(), as the kernel's side has it
    if (flags == UINT64_MAX) return false;
    if (page_zone.nid && (*page_zone.nid >= POBPF_MAX_NODES || !spec_.nodes->test(*page_zone.nid)))
      return false;
  }
  filter = POBPF_FILTER_ZONE;
  if (!is_active(filter)) return true;
  is_unknown_ = is_unknown_ || !page_zone.zone;
  return (compiled_.params.zone_mask >> (page_zone.zone.value_or(0) & 31) & 1) != 0;
}

std::optional<pobpf_filter> PageFilter::page_filters(const pobpf_page& page) {
  const pobpf_params& params = compiled_.params;
  pobpf_filter filter{};
  if ((is_active(POBPF_FILTER_NID) || is_active(POBPF_FILTER_ZONE)) &&
      !zone_passes(page.flags, filter))
    return filter;
  if (is_active(POBPF_FILTER_FLAGS) &&
      !masks_pass(page.flags, params.flags_all, params.flags_any, params.flags_none))
    return POBPF_FILTER_FLAGS;
  if (is_active(POBPF_FILTER_ORDER) && (params.order_mask >> (page.order & 63U) & 1) == 0)
    return POBPF_FILTER_ORDER;
  if (is_active(POBPF_FILTER_BLOCK_MIGRATETYPE) &&
      (params.block_migratetype_mask >> (page.pageblock_migratetype & 31U) & 1) == 0)
    return POBPF_FILTER_BLOCK_MIGRATETYPE;
  return std::nullopt;
}

std::optional<pobpf_filter> PageFilter::owner_filters(const pobpf_page& page) {
  if (is_active(POBPF_FILTER_HANDLE) && !set_passes(POBPF_SET_HANDLE, page.handle))
    return POBPF_FILTER_HANDLE;
  if (is_active(POBPF_FILTER_TIME) && !time_passes(page.ts_nsec)) return POBPF_FILTER_TIME;
  pobpf_filter filter{};
  if (!gfp_filters(page, filter)) return filter;
  if (is_active(POBPF_FILTER_TGID) &&
      !set_passes(POBPF_SET_TGID, static_cast<std::uint32_t>(page.tgid)))
    return POBPF_FILTER_TGID;
  if (is_active(POBPF_FILTER_PID) &&
      !set_passes(POBPF_SET_PID, static_cast<std::uint32_t>(page.pid)))
    return POBPF_FILTER_PID;
  if (is_active(POBPF_FILTER_COMM) && !comm_passes(page)) return POBPF_FILTER_COMM;
  return std::nullopt;
}

bool PageFilter::gfp_filters(const pobpf_page& page, pobpf_filter& filter) {
  const pobpf_params& params = compiled_.params;
  filter = POBPF_FILTER_GFP;
  if (is_active(filter) &&
      !masks_pass(page.gfp_mask, params.gfp_all, params.gfp_any, params.gfp_none))
    return false;
  if (!is_active(POBPF_FILTER_MIGRATETYPE) && !is_active(POBPF_FILTER_MIXED)) return true;
  const unsigned migratetype = gfp_migratetype(page.gfp_mask, *facts_);
  is_unknown_ = is_unknown_ || migratetype == kUnknownMigratetype;
  filter = POBPF_FILTER_MIGRATETYPE;
  if (is_active(filter) && (params.migratetype_mask >> (migratetype & 31) & 1) == 0) return false;
  filter = POBPF_FILTER_MIXED;
  return !is_active(filter) ||
         (migratetype != page.pageblock_migratetype) == (params.mixed == POBPF_ONLY);
}

bool PageFilter::set_passes(pobpf_set_kind kind, std::uint32_t value) const {
  const auto found = sets_.find(set_key(kind, value));
  const std::uint32_t bits = found == sets_.end() ? 0 : found->second;
  if ((bits & POBPF_SET_REJECTED) != 0) return false;
  return (bits & POBPF_SET_WANTED) != 0 || (compiled_.params.wanted_sets >> kind & 1) == 0;
}

bool PageFilter::comm_passes(const pobpf_page& page) {
  const std::string_view comm = bounded(page.comm, sizeof(page.comm));
  if (!last_comm_passes_ || comm != last_comm_) {
    last_comm_ = comm;
    last_comm_passes_ = compiled_.comms->passes(comm);
  }
  return *last_comm_passes_;
}

bool PageFilter::time_passes(std::uint64_t ts_nsec) const {
  const pobpf_params& params = compiled_.params;
  if (ts_nsec < params.ts_min || ts_nsec > params.ts_max) return false;
  // recorded after the recording began
  const std::uint64_t age = now_ns_ > ts_nsec ? now_ns_ - ts_nsec : 0;
  return !spec_.age || (age >= params.age_min && age <= params.age_max);
}

std::optional<bool> PageFilter::memcg_passes(const pobpf_page& page) {
  const auto& memcgs = spec_.memcgs;
  if (is_charge_unknown(page.memcg_flags)) return std::nullopt;
  if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return memcgs.wanted.empty();
  if (const auto known = cgroups_.find(page.cgroup_id); known != cgroups_.end())
    return known->second;
  const auto path = context_->cgroup_path(page.cgroup_id);
  if (!path) return std::nullopt;
  const auto above = context_->cgroups_above(page.cgroup_id);
  const auto is_in = [&](const std::vector<std::string>& cgroups) {
    return std::ranges::any_of(cgroups, [&](const std::string& given) {
      // check_filter() has looked at it
      const auto id = parse_cgroup_id(given).value_or(std::nullopt);
      if (!id) return is_in_cgroup(*path, given);
      return *id == page.cgroup_id || std::ranges::find(above, *id) != above.end();
    });
  };
  const bool passes = !is_in(memcgs.rejected) && (memcgs.wanted.empty() || is_in(memcgs.wanted));
  cgroups_.emplace(page.cgroup_id, passes);
  return passes;
}

std::optional<bool> PageFilter::stack_passes(std::uint32_t handle) {
  if (const auto known = stacks_.find(handle); known != stacks_.end()) return known->second;
  const auto stack = context_->stack(handle);
  if (!stack) return std::nullopt;
  const bool passes = frames_pass((*stack)->frames);
  stacks_.emplace(handle, passes);
  return passes;
}

bool PageFilter::frames_pass(const std::vector<Frame>& frames) const {
  bool has_symbol = spec_.symbols.wanted.empty();
  bool has_module = spec_.modules.wanted.empty();
  for (const Frame& frame : frames) {
    const auto function = function_of(frame.symbol);
    const auto module = frame_module(frame.symbol);
    if (any_glob_matches(spec_.symbols.rejected, function)) return false;
    if (!module.empty() && any_glob_matches(spec_.modules.rejected, module)) return false;
    has_symbol = has_symbol || any_glob_matches(spec_.symbols.wanted, function);
    has_module = has_module || (!module.empty() && any_glob_matches(spec_.modules.wanted, module));
  }
  return has_symbol && has_module;
}

}  // namespace pobpf
