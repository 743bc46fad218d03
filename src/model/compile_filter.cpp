// SPDX-License-Identifier: GPL-2.0-only
#include "model/compile_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "model/cgroup_text.h"
#include "model/comm_automaton.h"
#include "model/filter_kinds.h"
#include "model/glob.h"
#include "model/name_list.h"
#include "model/pfn_text.h"

namespace pobpf {
namespace {

/// Ids that a list may name: the map of a reader has an element for each.
constexpr std::uint64_t kIdsMax = 4'000'000;

/// Address ranges that bpf/filter.bpf.h: address_hits() searches in its 20 steps.
constexpr std::size_t kStackRangesMax = (1U << 20) - 1;

tl::unexpected<Error> nothing_left(std::string_view option, bool has_wanted) {
  return fail(ErrorKind::kUsage, has_wanted
                                     ? fmt::format("--not-{0} rules out all of --{0}", option)
                                     : fmt::format("--not-{} rules out everything", option));
}

/// Whether all that is wanted is ruled out by the same words.
Status check_words(std::string_view option, const Choice<std::string>& choice) {
  const auto is_rejected = [&](const std::string& name) {
    return std::find(choice.rejected.begin(), choice.rejected.end(), name) != choice.rejected.end();
  };
  if (!choice.wanted.empty() &&
      std::all_of(choice.wanted.begin(), choice.wanted.end(), is_rejected))
    return nothing_left(option, true);
  return {};
}

Result<std::uint64_t> index_of(std::string_view what, const std::string& name,
                               const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return fail(unknown_name(what, name, names));
  return static_cast<std::uint64_t>(found - names.begin());
}

tl::unexpected<Error> no_names(std::string_view option) {
  return fail(ErrorKind::kUnsupported,
              fmt::format("--{} does not work here, as this kernel shows no names for it", option),
              "leave it out");
}

/// Bits of what is wanted of a list of names: bit i stands for names[i].
Result<std::uint32_t> name_mask(std::string_view option, std::string_view what,
                                const Choice<std::string>& choice,
                                const std::vector<std::string>& names) {
  std::uint32_t wanted = choice.wanted.empty() ? ~0U : 0;
  std::uint32_t rejected = 0;
  for (auto [list, mask] : {std::pair(&choice.wanted, &wanted), {&choice.rejected, &rejected}}) {
    for (const std::string& name : *list) {
      auto index = index_of(what, name, names);
      if (!index) return fail(std::move(index).error());
      *mask |= 1U << (*index & 31);
    }
  }
  const std::uint32_t all = names.size() >= 32 ? ~0U : (1U << names.size()) - 1;
  if ((wanted & ~rejected & all) == 0) return nothing_left(option, !choice.wanted.empty());
  return wanted & ~rejected;
}

/// Bits that are given as a number; no value: as a name.
Result<std::optional<std::uint64_t>> numbered_bits(std::string_view name, unsigned width) {
  if (!name.starts_with("0x") && !name.starts_with("0X")) return std::nullopt;
  auto number = parse_number(name);
  if (!number) return fail(std::move(number).error());
  if (width < 64 && *number >> width != 0)
    return fail(ErrorKind::kUsage, fmt::format("'{}' has more than {} bits", shown(name), width));
  if (*number == 0) return fail(ErrorKind::kUsage, fmt::format("'{}' has no bit", shown(name)));
  return *number;
}

constexpr unsigned kGfpWidth = 32;
constexpr unsigned kFlagsWidth = 64;

tl::unexpected<Error> contradiction(std::string_view option) {
  return fail(ErrorKind::kUsage, fmt::format("nothing can have the bits of --{}", option),
              "the same bit is asked for and ruled out");
}

/// Checks the words, whatever bits they stand for.
Status check_bits(std::string_view option, const BitNames& names, unsigned width) {
  for (const auto* list : {&names.all, &names.any, &names.none})
    for (const std::string& name : *list)
      if (auto bits = numbered_bits(name, width); !bits)
        return fail(std::move(bits).error().in(fmt::format("--{}", option)));
  const auto is_rejected = [&](const std::string& name) {
    return std::find(names.none.begin(), names.none.end(), name) != names.none.end();
  };
  const bool has_no_any_left =
      !names.any.empty() && std::all_of(names.any.begin(), names.any.end(), is_rejected);
  if (has_no_any_left || std::any_of(names.all.begin(), names.all.end(), is_rejected))
    return contradiction(option);
  return {};
}

Result<std::uint64_t> bits_of(std::string_view option, std::string_view what,
                              const std::vector<std::string>& names,
                              const std::vector<FlagName>& table, unsigned width) {
  std::uint64_t bits = 0;
  for (const std::string& name : names) {
    auto number = numbered_bits(name, width);
    if (!number) return fail(std::move(number).error());
    if (*number) {
      bits |= **number;
      continue;
    }
    if (table.empty()) return no_names(option);
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const FlagName& row) { return row.name == name; });
    if (found == table.end()) {
      std::vector<std::string> known;
      known.reserve(table.size());
      for (const FlagName& row : table) known.push_back(row.name);
      return fail(unknown_name(what, name, known));
    }
    // any: of no bit would be no condition at all
    if (found->mask == 0)
      return fail(ErrorKind::kUsage, fmt::format("'{}' has no bit on this kernel", name),
                  "leave it out");
    bits |= found->mask;
  }
  return bits;
}

template <typename T>
Status put_bits(std::string_view option, std::string_view what, const BitNames& names,
                const std::vector<FlagName>& table, unsigned width, T& all, T& any, T& none) {
  for (auto [list, target] :
       {std::pair(&names.all, &all), {&names.any, &any}, {&names.none, &none}}) {
    auto bits = bits_of(option, what, *list, table, width);
    if (!bits) return fail(std::move(bits).error());
    *target = static_cast<T>(*bits);
  }
  const bool has_no_any_left = any != 0 && (any & ~none) == 0;
  if ((all & none) != 0 || has_no_any_left) return contradiction(option);
  return {};
}

/// Checks what the kernel need not be asked about.
class SpecCompiler {
 public:
  explicit SpecCompiler(const FilterSpec& spec) : spec_(spec) {
    // nodes are the caller's
    result_.params.active = spec.active() & ~(1U << POBPF_FILTER_NID);
    result_.params.ts_max = UINT64_MAX;
    result_.params.age_max = UINT64_MAX;
  }

  Status run_spec() {
    for (auto step : {&SpecCompiler::words, &SpecCompiler::orders, &SpecCompiler::sets,
                      &SpecCompiler::comms, &SpecCompiler::choices, &SpecCompiler::pfns})
      if (auto status = (this->*step)(); !status) return status;
    return {};
  }

 protected:
  void add_members(pobpf_set_kind kind, const std::map<std::uint64_t, std::uint32_t>& bits) {
    for (const auto& [value, of_value] : bits) {
      pobpf_set_key key{};
      key.value = value;
      key.kind = kind;
      result_.members.emplace_back(key, of_value);
    }
  }

  /// Whether none of the values passes; where nothing is wanted, those that are not named do.
  static bool has_only_rejected(bool wants_nothing,
                                const std::map<std::uint64_t, std::uint32_t>& bits) {
    return !wants_nothing && std::none_of(bits.begin(), bits.end(), [](const auto& member) {
      return member.second == POBPF_SET_WANTED;
    });
  }

  const FilterSpec& spec_;
  CompiledFilter result_;

 private:
  Status words() {
    for (const NamesFilter& filter : kNamesFilters)
      if (auto status = check_words(option_of(filter.name), spec_.*filter.given); !status)
        return status;
    const std::pair<std::string_view, const Choice<std::string>&> choices[] = {
        {"symbol", spec_.symbols}, {"module", spec_.modules}, {"memcg", spec_.memcgs}};
    for (const auto& [option, choice] : choices)
      if (auto status = check_words(option, choice); !status) return status;
    for (const auto* list : {&spec_.memcgs.wanted, &spec_.memcgs.rejected})
      for (const std::string& given : *list)
        if (auto id = parse_cgroup_id(given); !id) return fail(std::move(id).error());
    if (auto status = check_bits("gfp", spec_.gfp, kGfpWidth); !status) return status;
    return check_bits("flags", spec_.flags, kFlagsWidth);
  }

  Status orders() {
    if (spec_.orders.is_empty()) return {};
    const auto mask_of = [](const std::vector<IdRange>& ranges) {
      std::uint64_t mask = 0;
      for (const IdRange& range : ranges)
        for (std::uint32_t order = range.first; order <= std::min(range.last, kOrderMax); ++order)
          mask |= 1ULL << order;
      return mask;
    };
    const bool has_wanted = !spec_.orders.wanted.empty();
    const std::uint64_t wanted =
        mask_of(has_wanted ? spec_.orders.wanted : std::vector<IdRange>{{0, kOrderMax}});
    result_.params.order_mask = wanted & ~mask_of(spec_.orders.rejected);
    if (result_.params.order_mask == 0) return nothing_left("order", has_wanted);
    return {};
  }

  Status put_set(pobpf_set_kind kind, std::string_view option, const Choice<IdRange>& choice) {
    if (choice.is_empty()) return {};
    const std::uint64_t nr_wanted = count_ids(choice.wanted);
    const std::uint64_t nr_rejected = count_ids(choice.rejected);
    if (nr_wanted + nr_rejected > kIdsMax) {
      const bool is_wanted = nr_wanted > nr_rejected;
      return fail(
          ErrorKind::kUsage,
          fmt::format("--{}{} names over {} numbers", is_wanted ? "" : "not-", option, kIdsMax),
          fmt::format("name the others, with --{}{}", is_wanted ? "not-" : "", option));
    }
    if (!choice.wanted.empty()) result_.params.wanted_sets |= 1U << kind;
    std::map<std::uint64_t, std::uint32_t> bits;
    for (const IdRange& range : choice.wanted)
      for (std::uint64_t id = range.first; id <= range.last; ++id) bits[id] |= POBPF_SET_WANTED;
    for (const IdRange& range : choice.rejected)
      for (std::uint64_t id = range.first; id <= range.last; ++id) bits[id] |= POBPF_SET_REJECTED;
    add_members(kind, bits);
    if (has_only_rejected(choice.wanted.empty(), bits)) return nothing_left(option, true);
    return {};
  }

  Status sets() {
    for (const IdsFilter& filter : kIdsFilters)
      if (auto status = put_set(filter.set, option_of(filter.name), spec_.*filter.given); !status)
        return status;
    return {};
  }

  Status comms() {
    if (spec_.comms.is_empty()) return {};
    auto automaton = compile_comm_patterns(spec_.comms.wanted, spec_.comms.rejected);
    if (!automaton) return fail(std::move(automaton).error());
    if (!automaton->may_pass()) return nothing_left("comm", !spec_.comms.wanted.empty());
    std::copy(automaton->states.begin(), automaton->states.end(), result_.params.comm);
    result_.comms = *std::move(automaton);
    return {};
  }

  Status choices() {
    for (const YesNoFilter& filter : kYesNoFilters)
      if (const auto& is_so = spec_.*filter.given)
        result_.params.*filter.choice = *is_so ? POBPF_ONLY : POBPF_NONE;
    return {};
  }

  Status pfns() {
    if (spec_.pfns.is_empty()) return {};
    auto wanted = spec_.pfns.wanted.empty() ? std::vector<PfnRange>{{0, UINT64_MAX}}
                                            : joined(spec_.pfns.wanted);
    result_.pfns = intersection(wanted, complement(joined(spec_.pfns.rejected)));
    if (result_.pfns->empty()) return nothing_left("pfn", !spec_.pfns.wanted.empty());
    return {};
  }
};

class Compiler final : public SpecCompiler {
 public:
  Compiler(const FilterSpec& spec, const KernelFacts& facts, FilterContext& context)
      : SpecCompiler(spec), facts_(facts), context_(context) {}

  Result<CompiledFilter> run() {
    if (auto status = run_spec(); !status) return fail(std::move(status).error());
    for (auto step : {&Compiler::masks, &Compiler::bits, &Compiler::times, &Compiler::memcgs,
                      &Compiler::stacks})
      if (auto status = (this->*step)(); !status) return fail(std::move(status).error());
    for (unsigned filter = 0; filter < POBPF_NR_FILTERS; ++filter) {
      if ((result_.params.active >> filter & 1) == 0) continue;
      // points in time need nothing; ages need the clock while the pages are read
      if (filter == POBPF_FILTER_TIME && !spec_.age) continue;
      auto status = context_.check_supported(static_cast<pobpf_filter>(filter));
      if (!status) return fail(std::move(status).error());
    }
    return std::move(result_);
  }

 private:
  Status masks() {
    for (const NamesFilter& filter : kNamesFilters) {
      const auto& choice = spec_.*filter.given;
      if (choice.is_empty()) continue;
      const auto& names = facts_.*filter.known;
      const std::string option = option_of(filter.name);
      if (names.empty()) return no_names(option);
      auto mask = name_mask(option, filter.what, choice, names);
      if (!mask) return fail(std::move(mask).error());
      result_.params.*filter.mask = *mask;
    }
    return {};
  }

  Status bits() {
    auto& params = result_.params;
    if (!spec_.gfp.is_empty()) {
      if (auto status = put_bits("gfp", "gfp flag of this kernel", spec_.gfp, facts_.gfp_names,
                                 kGfpWidth, params.gfp_all, params.gfp_any, params.gfp_none);
          !status)
        return status;
    }
    if (spec_.flags.is_empty()) return {};
    return put_bits<__u64>("flags", "page flag of this kernel", spec_.flags, facts_.page_flag_names,
                           kFlagsWidth, params.flags_all, params.flags_any, params.flags_none);
  }

  Status times() {
    auto& params = result_.params;
    if (!spec_.since && !spec_.until && !spec_.age) return {};
    std::uint64_t now = 0;
    if ((spec_.since && spec_.since->is_ago) || (spec_.until && spec_.until->is_ago)) {
      auto clock = context_.now_ns();
      if (!clock) return fail(std::move(clock).error());
      now = *clock;
    }
    const auto ns_of = [&](const ClockTime& time) {
      return time.is_ago ? now - std::min(now, time.ns) : time.ns;
    };
    if (spec_.since) params.ts_min = ns_of(*spec_.since);
    if (spec_.until) params.ts_max = ns_of(*spec_.until);
    if (params.ts_min > params.ts_max)
      return fail(ErrorKind::kUsage, "--since is after --until", "nothing lies between them");
    if (spec_.age) {
      params.age_min = spec_.age->min_ns;
      params.age_max = spec_.age->max_ns;
    }
    return {};
  }

  Status memcgs() {
    if (spec_.memcgs.is_empty()) return {};
    if (!spec_.memcgs.wanted.empty()) result_.params.wanted_sets |= 1U << POBPF_SET_MEMCG;
    std::map<std::uint64_t, std::uint32_t> bits;
    for (auto [paths, bit] : {std::pair(&spec_.memcgs.wanted, POBPF_SET_WANTED),
                              {&spec_.memcgs.rejected, POBPF_SET_REJECTED}}) {
      for (const std::string& given : *paths) {
        // run_spec() has looked at it
        auto known = parse_cgroup_id(given).value_or(std::nullopt);
        auto id = known ? Result<std::uint64_t>(*known) : context_.cgroup_id(given);
        if (!id) return fail(std::move(id).error());
        bits[*id] |= static_cast<std::uint32_t>(bit);
      }
    }
    add_members(POBPF_SET_MEMCG, bits);
    if (has_only_rejected(spec_.memcgs.wanted.empty(), bits)) return nothing_left("memcg", true);
    return {};
  }

  using FindRanges =
      Result<std::vector<AddressRange>> (FilterContext::*)(const FilterContext::NamePredicate&);

  /// Code of everything that one of the patterns matches; each of them must match something.
  Result<std::vector<AddressRange>> find_ranges(std::string_view what, FindRanges find,
                                                const std::vector<std::string>& patterns) {
    if (patterns.empty()) return std::vector<AddressRange>();
    std::vector<bool> has_match(patterns.size());
    auto ranges = (context_.*find)([&](std::string_view name) {
      const std::string whole(name);
      bool matches = false;
      for (std::size_t i = 0; i < patterns.size(); ++i) {
        if (!glob_matches(patterns[i], whole)) continue;
        has_match[i] = true;
        matches = true;
      }
      return matches;
    });
    if (!ranges) return ranges;
    for (std::size_t i = 0; i < patterns.size(); ++i)
      if (!has_match[i]) return fail(unknown_pattern(what, find, patterns[i]));
    return ranges;
  }

  /// A kernel has a hundred thousand functions: only near ones are named.
  Error unknown_pattern(std::string_view what, FindRanges find, const std::string& pattern) {
    std::vector<std::string> names;
    (void)(context_.*find)([&](std::string_view name) {
      names.emplace_back(name);
      return false;
    });
    constexpr std::size_t kShownMax = 64;
    if (names.size() <= kShownMax) return unknown_name(what, pattern, names);
    const std::string nearest = nearest_name(pattern, names);
    return {ErrorKind::kUsage, fmt::format("'{}' is not a {}", shown(pattern), what),
            nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest), 0};
  }

  Status stacks() {
    if (spec_.symbols.is_empty() && spec_.modules.is_empty()) return {};
    auto& params = result_.params;
    if (!spec_.symbols.wanted.empty()) params.wanted_hits |= POBPF_STACK_SYMBOL;
    if (!spec_.modules.wanted.empty()) params.wanted_hits |= POBPF_STACK_MODULE;
    struct Source {
      std::string_view what;
      FindRanges find;
      const std::vector<std::string>* patterns;
      pobpf_stack_hits hit;
    };
    const Source sources[] = {{"function of this kernel", &FilterContext::symbol_ranges,
                               &spec_.symbols.wanted, POBPF_STACK_SYMBOL},
                              {"function of this kernel", &FilterContext::symbol_ranges,
                               &spec_.symbols.rejected, POBPF_STACK_NOT_SYMBOL},
                              {"module that is loaded", &FilterContext::module_ranges,
                               &spec_.modules.wanted, POBPF_STACK_MODULE},
                              {"module that is loaded", &FilterContext::module_ranges,
                               &spec_.modules.rejected, POBPF_STACK_NOT_MODULE}};
    // where a kind of range begins and ends, by address
    std::map<std::uint64_t, std::array<int, 4>> borders;
    for (std::size_t kind = 0; kind < std::size(sources); ++kind) {
      const Source& source = sources[kind];
      auto ranges = find_ranges(source.what, source.find, *source.patterns);
      if (!ranges) return fail(std::move(ranges).error());
      for (const AddressRange& range : *ranges) {
        ++borders[range.begin].at(kind);
        --borders[range.end].at(kind);
      }
    }
    std::array<int, 4> depth{};
    const pobpf_stack_range* before = nullptr;
    for (auto border = borders.begin(); border != borders.end(); ++border) {
      std::uint32_t hits = 0;
      for (std::size_t kind = 0; kind < depth.size(); ++kind) {
        depth.at(kind) += border->second.at(kind);
        if (depth.at(kind) > 0) hits |= static_cast<std::uint32_t>(sources[kind].hit);
      }
      const auto next = std::next(border);
      if (hits == 0 || next == borders.end()) continue;
      pobpf_stack_range range{};
      range.begin = border->first;
      range.end = next->first;
      range.hits = hits;
      if (before != nullptr && before->end == range.begin && before->hits == hits) {
        result_.stack_ranges.back().end = range.end;
      } else {
        result_.stack_ranges.push_back(range);
      }
      before = &result_.stack_ranges.back();
    }
    if (result_.stack_ranges.size() > kStackRangesMax)
      return fail(ErrorKind::kUsage,
                  fmt::format("the functions lie in over {} places", kStackRangesMax),
                  "name fewer of them");
    params.nr_stack_ranges = static_cast<__u32>(result_.stack_ranges.size());
    return check_hits();
  }

  /// A stack passes only if each kind that is wanted is hit by a frame that hits nothing rejected.
  [[nodiscard]] Status check_hits() const {
    constexpr std::uint32_t kRejected = POBPF_STACK_NOT_SYMBOL | POBPF_STACK_NOT_MODULE;
    const std::pair<std::uint32_t, const char*> kinds[] = {{POBPF_STACK_SYMBOL, "symbol"},
                                                           {POBPF_STACK_MODULE, "module"}};
    for (const auto& entry : kinds) {
      const std::uint32_t kind = entry.first;
      if ((result_.params.wanted_hits & kind) == 0) continue;
      const bool is_possible =
          std::any_of(result_.stack_ranges.begin(), result_.stack_ranges.end(),
                      [&](const auto& range) { return (range.hits & (kind | kRejected)) == kind; });
      if (!is_possible)
        return fail(
            ErrorKind::kUsage,
            fmt::format("--not-symbol and --not-module rule out all of --{}", entry.second));
    }
    return {};
  }

  const KernelFacts& facts_;
  FilterContext& context_;
};

}  // namespace

Status check_filter(const FilterSpec& spec) { return SpecCompiler(spec).run_spec(); }

Result<CompiledFilter> compile_filter(const FilterSpec& spec, const KernelFacts& facts,
                                      FilterContext& context) {
  return Compiler(spec, facts, context).run();
}

}  // namespace pobpf
