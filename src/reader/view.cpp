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

Result<pobpf_params> make_params(const MachineFacts& facts, const ReaderView& view) {
  pobpf_params params{};
  params.mode = view.mode;
  if (!view.nodes) return params;
  const NodeSet missing = *view.nodes & ~facts.memory_nodes;
  if (missing.any())
    return fail(ErrorKind::kUsage,
                fmt::format("this machine has no memory on node {}", format_nodelist(missing)),
                fmt::format("nodes with memory are {}", format_nodelist(facts.memory_nodes)));
  params.active = 1U << POBPF_FILTER_NID;
  for (unsigned nid = 0; nid < POBPF_MAX_NODES; ++nid)
    if (view.nodes->test(nid)) params.nid_mask[nid / 64] |= 1ULL << (nid % 64);
  return params;
}

std::vector<PfnRange> view_ranges(const MachineFacts& facts, const ReaderView& view) {
  std::vector<PfnRange> wanted;
  for (const NodeSpan& span : facts.node_spans)
    if (!view.nodes || view.nodes->test(span.nid)) wanted.push_back(span.pfns);
  // without a filter nothing may depend on what the nodes say of themselves
  if (!view.nodes) wanted = {{0, facts.max_pfn}};
  const std::vector<PfnRange> limits{{facts.min_low_pfn, facts.max_pfn}};
  return intersection(intersection(joined(std::move(wanted)), facts.present), limits);
}

}  // namespace pobpf
