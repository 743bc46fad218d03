// SPDX-License-Identifier: GPL-2.0-only
#include "reader/view.h"

#include <fmt/format.h>

#include "kernel/btf.h"
#include "kernel/kernel_memory.h"
#include "model/nodelist.h"

namespace pobpf {

Result<MachineFacts> read_facts(const SessionOptions& options) {
  auto btf = KernelBtf::load(fact_types());
  if (!btf) return fail(std::move(btf).error());
  auto memory = KernelMemory::open(fact_symbols(), options.use_kallsyms_lookup);
  if (!memory) return fail(std::move(memory).error());
  auto facts = discover_facts(*btf, *memory);
  if (facts)
    facts->has_rdonly_cast = options.use_rdonly_cast && btf->has_function("bpf_rdonly_cast");
  return facts;
}

Result<CompiledFilter> compile_view(const MachineFacts& facts, const ReaderView& view) {
  CompiledFilter filter;
  filter.params.mode = view.mode;
  if (!view.nodes) return filter;
  const NodeSet missing = *view.nodes & ~facts.memory_nodes;
  if (missing.any())
    return fail(ErrorKind::kUsage,
                fmt::format("this machine has no memory on node {}", format_nodelist(missing)),
                fmt::format("nodes with memory are {}", format_nodelist(facts.memory_nodes)));
  filter.params.active = 1U << POBPF_FILTER_NID;
  for (unsigned nid = 0; nid < POBPF_MAX_NODES; ++nid)
    if (view.nodes->test(nid)) filter.params.nid_mask[nid / 64] |= 1ULL << (nid % 64);
  return filter;
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
