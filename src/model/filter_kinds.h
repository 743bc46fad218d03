// SPDX-License-Identifier: GPL-2.0-only
// Filters that take the same kind of thing, as tables: what POBPF_FILTER_LIST says of them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "model/filter.h"
#include "model/kernel_facts.h"
#include "pobpf/parameters.h"

namespace pobpf {

/// Names of one of the kernel's tables.
struct NamesFilter {
  const char* name;  ///< as kFilterNames has it
  Choice<std::string> FilterSpec::*given;
  __u32 pobpf_params::*mask;
  const char* what;  ///< such a name, for messages
  std::vector<std::string> KernelFacts::*known;
};

inline constexpr NamesFilter kNamesFilters[] = {
#define POBPF_FILTER(KIND, ID, name, fields, names)                               \
  POBPF_IF_NAMES_##KIND({#name, &FilterSpec::name##s, &pobpf_params::name##_mask, \
                         #names " of this kernel", &KernelFacts::names##_names}, )
    POBPF_FILTER_LIST(POBPF_FILTER)
#undef POBPF_FILTER
};

/// Numbers.
struct IdsFilter {
  const char* name;
  Choice<IdRange> FilterSpec::*given;
  pobpf_set_kind set;
};

inline constexpr IdsFilter kIdsFilters[] = {
#define POBPF_FILTER(KIND, ID, name, fields, names) \
  POBPF_IF_IDS_##KIND({#name, &FilterSpec::name##s, POBPF_SET_##ID}, )
    POBPF_FILTER_LIST(POBPF_FILTER)
#undef POBPF_FILTER
};

/// Whether a page is so.
struct YesNoFilter {
  std::optional<bool> FilterSpec::*given;
  __u32 pobpf_params::*choice;
};

inline constexpr YesNoFilter kYesNoFilters[] = {
#define POBPF_FILTER(KIND, ID, name, fields, names) \
  POBPF_IF_YES_NO_##KIND({&FilterSpec::is_##name, &pobpf_params::name}, )
    POBPF_FILTER_LIST(POBPF_FILTER)
#undef POBPF_FILTER
};

/// The option of a filter, without its dashes.
inline std::string option_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace pobpf
