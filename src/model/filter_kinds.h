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
#define POBPF_NAMES(ID, name, fields, names)                                          \
  {#name, &FilterSpec::name##s, &pobpf_params::name##_mask, #names " of this kernel", \
   &KernelFacts::names##_names},
    POBPF_FILTER_LIST(POBPF_NAMES, POBPF_NO_FILTER, POBPF_NO_FILTER, POBPF_NO_FILTER)
#undef POBPF_NAMES
};

/// Numbers.
struct IdsFilter {
  const char* name;
  Choice<IdRange> FilterSpec::*given;
  pobpf_set_kind set;
};

inline constexpr IdsFilter kIdsFilters[] = {
#define POBPF_IDS(ID, name, fields) {#name, &FilterSpec::name##s, POBPF_SET_##ID},
    POBPF_FILTER_LIST(POBPF_NO_FILTER, POBPF_IDS, POBPF_NO_FILTER, POBPF_NO_FILTER)
#undef POBPF_IDS
};

/// Whether a page is so.
struct YesNoFilter {
  std::optional<bool> FilterSpec::*given;
  __u32 pobpf_params::*choice;
};

inline constexpr YesNoFilter kYesNoFilters[] = {
#define POBPF_YES_NO(ID, name, fields) {&FilterSpec::is_##name, &pobpf_params::name},
    POBPF_FILTER_LIST(POBPF_NO_FILTER, POBPF_NO_FILTER, POBPF_YES_NO, POBPF_NO_FILTER)
#undef POBPF_YES_NO
};

/// The option of a filter, without its dashes.
inline std::string option_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace pobpf
