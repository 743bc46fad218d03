// SPDX-License-Identifier: GPL-2.0-only
// From what a reader wants to see to what its programs are told, for links and for pins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "model/compiled_filter.h"
#include "model/filter.h"
#include "model/pfn_range.h"
#include "pobpf/parameters.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf {

/// The running kernel, for as long as it takes to load programs: its type information has
/// megabytes.
struct RunningKernel {
  KernelBtf btf;
  MachineFacts facts;
};

/// Names in type information that a kernel without SessionOptions::without_features does not have.
[[nodiscard]] std::vector<std::string> hidden_names(const SessionOptions& options);

/// Makes `btf` that of such a kernel.
void hide_features(const SessionOptions& options, KernelBtf& btf);

/// Asks the running kernel, and makes sure that programs for it can be loaded (set_program_ids()).
[[nodiscard]] Result<RunningKernel> read_kernel(const SessionOptions& options);

/// Whether readers with these filters (bits of enum pobpf_filter) list the kernel's symbols, each
/// anew.
constexpr bool needs_symbols(std::uint32_t filters) {
  return (filters & 1U << POBPF_FILTER_STACK) != 0;
}

/// The ones of `filters` (bits of enum pobpf_filter) whose fields this kernel records. Programs are
/// loaded with no others: what is a known zero to the verifier takes it long.
[[nodiscard]] std::uint32_t recorded_filters(const MachineFacts& facts, std::uint32_t filters);

/// kUsage if the view names what this machine does not have, kUnsupported if this kernel cannot
/// filter by it.
[[nodiscard]] Result<CompiledFilter> compile_view(const MachineFacts& facts,
                                                  const ReaderView& view);

/// The memory that pages of the view can be in, joined.
[[nodiscard]] std::vector<PfnRange> view_ranges(const MachineFacts& facts,
                                                const CompiledFilter& filter);

}  // namespace pobpf
