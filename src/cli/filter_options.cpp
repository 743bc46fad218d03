// SPDX-License-Identifier: GPL-2.0-only
#include "cli/filter_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <utility>

#include "cli/hidden_options.h"
#include "model/compile_filter.h"
#include "model/duration.h"
#include "model/id_range.h"
#include "model/name_list.h"
#include "model/pfn_text.h"

namespace pobpf::cli {
namespace {

/// Options show in --help under this heading; their opposites are named by it alone.
constexpr const char* kFiltersGroup = "Filters";

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
Status parse_ids(const std::string& text, bool is_not, FilterSpec& spec) {
  return append(parse_id_ranges(text, kMax), side(spec.*kMember, is_not));
}

template <Choice<std::string> FilterSpec::*kMember>
Status parse_names(const std::string& text, bool is_not, FilterSpec& spec) {
  return append(split_list(text, ","), side(spec.*kMember, is_not));
}

template <Choice<std::string> FilterSpec::*kMember>
Status parse_patterns(const std::string& text, bool is_not, FilterSpec& spec) {
  return append(split_patterns(text), side(spec.*kMember, is_not));
}

/// "all:", "any:" and "none:" hold for the names behind them, up to the next one.
template <BitNames FilterSpec::*kMember>
Status parse_bits(const std::string& text, bool /*is_not*/, FilterSpec& spec) {
  BitNames& names = spec.*kMember;
  const std::pair<std::string_view, std::vector<std::string>*> groups[] = {
      {"all:", &names.all}, {"any:", &names.any}, {"none:", &names.none}};
  auto parts = split_list(text, ",|");
  if (!parts) return fail(std::move(parts).error());
  std::vector<std::string>* to = &names.all;
  for (std::string_view part : *parts) {
    for (const auto& [prefix, group] : groups) {
      if (!part.starts_with(prefix)) continue;
      part.remove_prefix(prefix.size());
      to = group;
      if (to == &names.any && !names.any.empty())
        return fail(ErrorKind::kUsage, "any: is given more than once",
                    "name all of them behind one any:");
    }
    if (part.empty()) return fail(ErrorKind::kUsage, "an entry of the list is empty");
    to->emplace_back(part);
  }
  return {};
}

Status parse_pfns(const std::string& text, bool is_not, FilterSpec& spec) {
  auto parts = split_list(text, ",");
  if (!parts) return fail(std::move(parts).error());
  for (const std::string& part : *parts) {
    auto range = parse_pfn_range(part);
    if (!range) return fail(std::move(range).error());
    side(spec.pfns, is_not).push_back(*range);
  }
  return {};
}

Status parse_path(const std::string& text, bool is_not, FilterSpec& spec) {
  if (text.empty()) return fail(ErrorKind::kUsage, "the path is empty");
  side(spec.memcgs, is_not).push_back(text);
  return {};
}

template <typename T>
Status put(Result<T> parsed, std::optional<T>& to) {
  if (!parsed) return fail(std::move(parsed).error());
  to = *parsed;
  return {};
}

Status parse_age(const std::string& text, bool /*is_not*/, FilterSpec& spec) {
  return put(parse_age_range(text), spec.age);
}

Status parse_since(const std::string& text, bool /*is_not*/, FilterSpec& spec) {
  return put(parse_clock_time(text), spec.since);
}

Status parse_until(const std::string& text, bool /*is_not*/, FilterSpec& spec) {
  return put(parse_clock_time(text), spec.until);
}

enum class FilterValues {
  kOne,           ///< it is given once
  kSeveral,       ///< values add up
  kWithOpposite,  ///< and there is --not-NAME
};

struct ValueFilter {
  const char* name;
  const char* placeholder;
  FilterValues values;
  Status (*parse)(const std::string& text, bool is_not, FilterSpec& spec);
  const char* description;
};

// PID_MAX_LIMIT is 4 Mi; page_owner prints what it has as an int
constexpr std::uint32_t kPidMax = 0x7fffffff;

constexpr ValueFilter kValueFilters[] = {
    {"zone", "NAMES", FilterValues::kWithOpposite, parse_names<&FilterSpec::zones>,
     "of these zones: DMA32,Normal"},
    {"pid", "LIST", FilterValues::kWithOpposite, parse_ids<&FilterSpec::pids, kPidMax>,
     "allocated by these threads: 7,20-29"},
    {"tgid", "LIST", FilterValues::kWithOpposite, parse_ids<&FilterSpec::tgids, kPidMax>,
     "allocated by these processes"},
    {"comm", "PATTERNS", FilterValues::kWithOpposite, parse_patterns<&FilterSpec::comms>,
     "allocated by tasks of these names: 'kworker*'"},
    {"order", "LIST", FilterValues::kWithOpposite, parse_ids<&FilterSpec::orders, kOrderMax>,
     "in blocks of these orders: 0 or 4-"},
    {"age", "RANGE", FilterValues::kOne, parse_age,
     "at least so old: 10m, or 10m..2h, or ..90s;\nas seen when they are read"},
    {"since", "TIME", FilterValues::kOne, parse_since,
     "allocated since: 10m (ago), or ns since boot as\nthe ts of a record"},
    {"until", "TIME", FilterValues::kOne, parse_until, "allocated until"},
    {"gfp", "NAMES", FilterValues::kSeveral, parse_bits<&FilterSpec::gfp>,
     "with all of these gfp flags; any:NAMES with at\nleast one, none:NAMES without"},
    {"migratetype", "NAMES", FilterValues::kWithOpposite, parse_names<&FilterSpec::migratetypes>,
     "allocated as: Movable,Reclaimable"},
    {"block-migratetype", "NAMES", FilterValues::kWithOpposite,
     parse_names<&FilterSpec::block_migratetypes>, "in pageblocks of these migratetypes"},
    {"flags", "NAMES", FilterValues::kSeveral, parse_bits<&FilterSpec::flags>,
     "with all of these page flags; any: and none: too"},
    {"handle", "LIST", FilterValues::kWithOpposite, parse_ids<&FilterSpec::handles, 0xffffffffU>,
     "with these stacks, by their number"},
    {"symbol", "PATTERNS", FilterValues::kWithOpposite, parse_patterns<&FilterSpec::symbols>,
     "with one of these functions in the stack"},
    {"module", "PATTERNS", FilterValues::kWithOpposite, parse_patterns<&FilterSpec::modules>,
     "with one of these modules in the stack"},
    {"memcg", "PATH", FilterValues::kWithOpposite, parse_path,
     "charged to this cgroup, or to one below it"},
    {"pfn", "LIST", FilterValues::kWithOpposite, parse_pfns,
     "at these PFNs: 0x1000-0x1fff or 0x1000+16"},
};

struct FlagFilter {
  const char* name;
  std::optional<bool> FilterSpec::*member;
  const char* description;
};

constexpr FlagFilter kFlagFilters[] = {
    {"mixed", &FilterSpec::is_mixed, "allocated as another migratetype than the block's"},
    {"dead", &FilterSpec::is_dead, "allocated by a process that no longer exists"},
};

bool has_opposite(const ValueFilter& filter) {
  return filter.values == FilterValues::kWithOpposite;
}

std::string option_name(const char* name, bool is_not) {
  return fmt::format("{}{}", is_not ? "--not-" : "--", name);
}

void add_filter(CLI::App& app, const std::string& name, RawFilters& raw, const ValueFilter& filter,
                const std::string& group) {
  app.add_option(name, raw.values[name], filter.description)
      ->type_name(filter.placeholder)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
}

Status check_contradictions(const FilterSpec& spec) {
  if (spec.since && spec.until && spec.since->is_ago == spec.until->is_ago) {
    const bool is_reversed =
        spec.since->is_ago ? spec.since->ns < spec.until->ns : spec.since->ns > spec.until->ns;
    if (is_reversed)
      return fail(ErrorKind::kUsage, "--since is after --until", "nothing lies between them");
  }
  return {};
}

}  // namespace

void add_filter_options(CLI::App& app, RawFilters& raw) {
  for (const ValueFilter& filter : kValueFilters) {
    add_filter(app, option_name(filter.name, false), raw, filter, kFiltersGroup);
    // a line of its own for each opposite would double the list
    if (has_opposite(filter))
      add_filter(app, option_name(filter.name, true), raw, filter, kHiddenGroup);
  }
  for (const FlagFilter& filter : kFlagFilters) {
    for (const bool is_not : {false, true}) {
      const std::string name = option_name(filter.name, is_not);
      app.add_flag(name, raw.flags[name], filter.description)
          ->disable_flag_override()
          ->group(is_not ? kHiddenGroup : kFiltersGroup);
    }
  }
}

Result<FilterSpec> parse_filters(const RawFilters& raw) {
  FilterSpec spec;
  for (const ValueFilter& filter : kValueFilters) {
    for (const bool is_not : {false, true}) {
      const std::string name = option_name(filter.name, is_not);
      const auto values = raw.values.find(name);
      if (values == raw.values.end()) continue;
      if (filter.values == FilterValues::kOne && values->second.size() > 1)
        return fail(ErrorKind::kUsage, fmt::format("{} is given more than once", name));
      for (const std::string& value : values->second)
        if (auto status = filter.parse(value, is_not, spec); !status)
          return fail(std::move(status).error().in(name));
    }
  }
  for (const FlagFilter& filter : kFlagFilters) {
    for (const bool is_not : {false, true}) {
      const auto given = raw.flags.find(option_name(filter.name, is_not));
      if (given == raw.flags.end() || !given->second) continue;
      if (spec.*filter.member)
        return fail(ErrorKind::kUsage,
                    fmt::format("--{0} and --not-{0} contradict each other", filter.name));
      spec.*filter.member = !is_not;
    }
  }
  if (auto status = check_contradictions(spec); !status) return fail(std::move(status).error());
  if (auto status = check_filter(spec); !status) return fail(std::move(status).error());
  return spec;
}

std::string filter_footer() {
  std::string text =
      "A page must pass all filters; a list may be given in parts. These rule out:\n";
  std::string line = " ";
  const auto append = [&](const char* name) {
    constexpr std::size_t kColumns = 80;
    const std::string word = " " + option_name(name, true);
    if (line.size() + word.size() > kColumns) text += std::exchange(line, " ") + "\n";
    line += word;
  };
  for (const ValueFilter& filter : kValueFilters)
    if (has_opposite(filter)) append(filter.name);
  for (const FlagFilter& filter : kFlagFilters) append(filter.name);
  return text + line + "\n\n";
}

bool is_filter_option(std::string_view name) {
  if (name == "--nid") return true;
  const auto is_of = [&](const auto& filter) {
    return name == option_name(filter.name, false) || name == option_name(filter.name, true);
  };
  return std::any_of(std::begin(kValueFilters), std::end(kValueFilters), is_of) ||
         std::any_of(std::begin(kFlagFilters), std::end(kFlagFilters), is_of);
}

}  // namespace pobpf::cli
