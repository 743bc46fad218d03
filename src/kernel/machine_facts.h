// SPDX-License-Identifier: GPL-2.0-only
// All that is found out about the running kernel before the walker is loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/btf.h"
#include "kernel/cma_areas.h"
#include "kernel/kernel_memory.h"
#include "kernel/symbol_table.h"
#include "model/kernel_facts.h"
#include "model/node_span.h"
#include "model/nodelist.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "model/pfn_range.h"
#include "pobpf/blockers.h"
#include "pobpf/facts.h"
#include "util/error.h"

namespace pobpf {

/// The programs are compiled to an object for each way of reading kernel memory and of looping.
enum class ProgramVariant {
  kForEach,  ///< calls that copy memory; bpf_for_each_map_elem(), a call for each element of an
             ///< array
  kLoop,     ///< v5.17: the same; bpf_loop(), which calls a function a number of times
  kCast,     ///< v6.2: bpf_rdonly_cast(), and so loads of single words; bpf_loop()
  /// v6.17: the same; loops in a program (may_goto, v6.9). Up to 6.16 the verifier compares states
  /// in a loop so strictly that it takes twice as long for all of the program as with bpf_loop();
  /// since then it knows strongly connected components, whose type tells of it.
  kMayGoto,
};

/// Facts that only some need, as they take time.
struct FactNeeds {
  bool has_text = true;   ///< KernelFacts::text_layout
  bool has_code = false;  ///< MachineFacts::code
};

struct MachineFacts {
  KernelFacts text;
  pobpf_layout layout{};
  pobpf_cast_ids cast_ids{};
  std::uint64_t min_low_pfn = 0;
  std::uint64_t max_pfn = 0;  ///< one past the last
  unsigned max_nodes = 1;     ///< MAX_NUMNODES
  NodeSet memory_nodes;       ///< N_MEMORY
  std::vector<NodeSpan> node_spans;
  /// Present sections as PFN ranges, ascending, adjacent ones joined.
  std::vector<PfnRange> present;
  PageTypes page_types;
  pobpf_blocker_facts blockers{};
  PageFields missing_fields = 0;  ///< that page_owner does not record on this kernel
  ProgramVariant programs = ProgramVariant::kForEach;
  std::string pageblock_order_source;
  std::optional<CodePlaces> code;  ///< for SymbolTable
  std::string text_layout_source;  ///< of KernelFacts::text_layout
  SymbolSources symbol_sources;
  std::string symbol_source;  ///< that of them which was taken

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const;
};

/// Names in a kernel's type information that tell of a feature (--no-feature NAME): where they are
/// hidden (KernelBtf::hide()), all is done as on kernels without it. Empty: there is no such one.
[[nodiscard]] std::vector<std::string> signs_of_feature(std::string_view feature);

/// kUnsupported if the kernel lacks something that all programs need and that nothing else can
/// stand in for, as those before v5.14 do.
[[nodiscard]] Status check_requirements(const KernelBtf& btf);

/// v5.18: the thread group and the name of who allocated, each by itself. Before: the pid alone.
[[nodiscard]] PageFields missing_fields(const KernelBtf& btf);

/// v5.16: bpf_kallsyms_lookup_name(). v6.0: iter/ksym.
[[nodiscard]] SymbolSources symbol_sources(const KernelBtf& btf);

/// The newest that the kernel has all of.
[[nodiscard]] ProgramVariant program_variant(const KernelBtf& btf);

/// Names of the kernel variables that discover_facts() reads, required and optional ones.
[[nodiscard]] std::vector<std::string> fact_symbols(const KernelBtf& btf, const FactNeeds& needs);

/// Names of the kernel types and functions that discover_facts() and the session ask BTF about.
[[nodiscard]] std::vector<std::string> fact_types();

/// Ids of the types that programs look at kernel memory as; 0 where the kernel has no such type.
[[nodiscard]] pobpf_cast_ids make_cast_ids(const KernelBtf& btf);

/// How pages tell whether they can be moved.
[[nodiscard]] pobpf_blocker_facts make_blocker_facts(const KernelBtf& btf, const PageTypes& types);

/// The part of fact_symbols() and fact_types() that discover_names() needs.
[[nodiscard]] std::vector<std::string> name_symbols();
[[nodiscard]] std::vector<std::string> name_types();

/// The tables of gfp flags, page flags and migratetypes alone, which a kernel has without
/// page_owner, too.
[[nodiscard]] Result<KernelFacts> discover_names(const KernelBtf& btf, KernelMemory& memory);

/// Names that discover_cma_areas() needs.
[[nodiscard]] std::vector<std::string> cma_symbols();
[[nodiscard]] std::vector<std::string> cma_types();

/// kUnsupported if the kernel has no CMA.
[[nodiscard]] Result<std::vector<CmaArea>> discover_cma_areas(const KernelBtf& btf,
                                                              KernelMemory& memory);

/// Asks the kernel. kUnsupported if it has no page_owner, has it switched off, or is laid out in a
/// way that the walker does not know; each with a sentence that says what to do.
[[nodiscard]] Result<MachineFacts> discover_facts(const KernelBtf& btf, KernelMemory& memory,
                                                  const FactNeeds& needs);

}  // namespace pobpf
