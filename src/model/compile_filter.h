// SPDX-License-Identifier: GPL-2.0-only
// From what the user said to what the BPF programs take, for one kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address_range.h"
#include "model/compiled_filter.h"
#include "model/filter.h"
#include "model/kernel_facts.h"
#include "util/error.h"

namespace pobpf {

/// Questions that only the running machine can answer, asked only where a filter needs it.
class FilterContext {
 public:
  using NamePredicate = std::function<bool(std::string_view)>;

  FilterContext() = default;
  FilterContext(const FilterContext&) = delete;
  FilterContext& operator=(const FilterContext&) = delete;
  FilterContext(FilterContext&&) = delete;
  FilterContext& operator=(FilterContext&&) = delete;
  virtual ~FilterContext() = default;

  /// local_clock(), ns.
  virtual Result<std::uint64_t> now_ns() = 0;
  /// Code of all functions whose name `is_wanted`, which is asked about every function once;
  /// ascending and disjoint.
  virtual Result<std::vector<AddressRange>> symbol_ranges(const NamePredicate& is_wanted) = 0;
  /// The same of the loaded modules.
  virtual Result<std::vector<AddressRange>> module_ranges(const NamePredicate& is_wanted) = 0;
  /// kernfs id of a cgroup; kUsage if there is none at this path.
  virtual Result<std::uint64_t> cgroup_id(const std::string& path) = 0;
  /// kUnsupported if this kernel does not show what the filter needs.
  virtual Status check_supported(pobpf_filter filter) = 0;
};

/// Finds what is wrong with a filter on every kernel: kUsage if nothing can pass it, or if its
/// lists are too long.
[[nodiscard]] Status check_filter(const FilterSpec& spec);

/// Everything except for nodes, of which `FilterContext` knows nothing. kUsage for names that this
/// kernel does not have, and for filters that nothing can pass.
[[nodiscard]] Result<CompiledFilter> compile_filter(const FilterSpec& spec,
                                                    const KernelFacts& facts,
                                                    FilterContext& context);

}  // namespace pobpf
