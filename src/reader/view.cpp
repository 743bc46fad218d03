// SPDX-License-Identifier: GPL-2.0-only
#include "reader/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "kernel/cgroup_path.h"
#include "kernel/kernel_memory.h"
#include "kernel/local_clock.h"
#include "kernel/program_ids.h"
#include "kernel/symbol_table.h"
#include "kernel/text_layout.h"
#include "model/account.h"
#include "model/compile_filter.h"
#include "model/filter_kinds.h"
#include "model/nodelist.h"
#include "model/page_fields.h"

namespace pobpf {

std::vector<std::string> hidden_names(const SessionOptions& options) {
  std::vector<std::string> names;
  for (const std::string& feature : options.without_features)
    std::ranges::move(signs_of_feature(feature), std::back_inserter(names));
  return names;
}

void hide_features(const SessionOptions& options, KernelBtf& btf) {
  for (std::string& name : hidden_names(options)) btf.hide(std::move(name));
}

Result<RunningKernel> read_kernel(const SessionOptions& options) {
  auto btf = KernelBtf::load(fact_types());
  if (!btf) return fail(std::move(btf).error());
  hide_features(options, *btf);
  if (auto status = check_requirements(*btf); !status) return fail(std::move(status).error());
  const FactNeeds needs{.has_text = options.with_text, .has_code = needs_symbols(options.filters)};
  auto memory =
      KernelMemory::open(fact_symbols(*btf, needs), symbol_sources(*btf),
                         needs.has_text ? NamePredicate(is_text_function) : NamePredicate());
  if (!memory) return fail(std::move(memory).error());
  auto facts = discover_facts(*btf, *memory, needs);
  if (!facts) return fail(std::move(facts).error());
  if (auto status = set_program_ids(*btf); !status) return fail(std::move(status).error());
  return RunningKernel{std::move(*btf), std::move(*facts)};
}

namespace {

/// Answers from the running machine. Symbols are read when the first filter asks for them.
class MachineContext final : public FilterContext {
 public:
  explicit MachineContext(const MachineFacts& facts) : facts_(facts) {}

  Result<std::uint64_t> now_ns() override {
    auto clock = read_local_clock();
    if (!clock) return fail(std::move(clock).error());
    return clock->now_ns;
  }

  Result<std::vector<AddressRange>> symbol_ranges(const NamePredicate& is_wanted) override {
    if (auto status = open_symbols(); !status) return fail(std::move(status).error());
    return symbols_->symbol_ranges(is_wanted);
  }

  Result<std::vector<AddressRange>> module_ranges(const NamePredicate& is_wanted) override {
    if (auto status = open_symbols(); !status) return fail(std::move(status).error());
    return symbols_->module_ranges(is_wanted);
  }

  Result<std::uint64_t> cgroup_id(const std::string& path) override { return find_cgroup_id(path); }

  Status check_supported(pobpf_filter filter) override {
    const auto& layout = facts_.layout;
    const auto missing = [](const char* option, const char* symbol) {
      return fail(ErrorKind::kUnsupported,
                  fmt::format("{} does not work here, as this kernel shows no {}", option, symbol),
                  "leave it out");
    };
    if (const PageFields fields = fields_of_filter(filter) & facts_.missing_fields; fields != 0)
      return fail(
          ErrorKind::kUnsupported,
          fmt::format("--{} does not work here, as this kernel's page_owner does not record "
                      "the {}",
                      option_of(kFilterNames.at(filter)), page_field_names(fields)),
          "leave it out");
    if (filter == POBPF_FILTER_DEAD && layout.init_pid_ns == 0)
      return missing("--dead", "init_pid_ns");
    const bool shows_clock = layout.rq_clock != 0 && layout.per_cpu_offsets != 0;
    if ((filter == POBPF_FILTER_DEAD || filter == POBPF_FILTER_TIME) && !shows_clock)
      return missing(filter == POBPF_FILTER_DEAD ? "--dead" : "--age", "runqueues");
    if (filter == POBPF_FILTER_MEMCG && layout.memory_cgrp_subsys == 0)
      return missing("--memcg", "memory controller");
    return {};
  }

 private:
  Status open_symbols() {
    if (symbols_) return {};
    auto table = SymbolTable::open(facts_.symbol_sources, facts_.code);
    if (!table) return fail(std::move(table).error());
    symbols_.emplace(*std::move(table));
    return {};
  }

  const MachineFacts& facts_;
  std::optional<SymbolTable> symbols_;
};

}  // namespace

std::uint32_t recorded_filters(const MachineFacts& facts, std::uint32_t filters) {
  for (unsigned filter = 0; filter < POBPF_NR_FILTERS; ++filter)
    if ((fields_of_filter(static_cast<pobpf_filter>(filter)) & facts.missing_fields) != 0)
      filters &= ~(1U << filter);
  return filters;
}

Result<CompiledFilter> compile_view(const MachineFacts& facts, const ReaderView& view) {
  MachineContext context(facts);
  auto compiled = compile_filter(view.filter, facts.text, context);
  if (!compiled) return compiled;
  auto& params = compiled->params;
  params.mode = view.mode;
  const auto& nodes = view.filter.nodes;
  if (!nodes) return compiled;
  const NodeSet missing = *nodes & ~facts.memory_nodes;
  if (missing.any())
    return fail(ErrorKind::kUsage,
                fmt::format("this machine has no memory on node {}", format_nodelist(missing)),
                fmt::format("nodes with memory are {}", format_nodelist(facts.memory_nodes)));
  params.active |= 1U << POBPF_FILTER_NID;
  for (unsigned nid = 0; nid < POBPF_MAX_NODES; ++nid)
    if (nodes->test(nid)) params.nid_mask[nid / 64] |= 1ULL << (nid % 64);
  return compiled;
}

std::vector<PfnRange> view_ranges(const MachineFacts& facts, const CompiledFilter& filter) {
  const auto& params = filter.params;
  std::vector<PfnRange> wanted;
  if ((params.active & 1U << POBPF_FILTER_NID) != 0) {
    for (const NodeSpan& span : facts.node_spans)
      if ((params.nid_mask[span.nid / 64] >> span.nid % 64 & 1) != 0) wanted.push_back(span.pfns);
  } else {
    // without a filter nothing may depend on what the nodes say of themselves
    wanted = {{0, facts.max_pfn}};
  }
  const std::vector<PfnRange> limits{{facts.min_low_pfn, facts.max_pfn}};
  auto ranges = intersection(intersection(joined(std::move(wanted)), facts.present), limits);
  return filter.pfns ? intersection(ranges, *filter.pfns) : ranges;
}

}  // namespace pobpf
