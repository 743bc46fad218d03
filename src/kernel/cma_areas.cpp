// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cma_areas.h"

#include "kernel/kernel_memory.h"
#include "kernel/machine_facts.h"

namespace pobpf {

Result<std::vector<CmaArea>> read_cma_areas() {
  auto btf = KernelBtf::load(cma_types());
  if (!btf) return fail(std::move(btf).error());
  auto memory = KernelMemory::open(cma_symbols(), symbol_sources(*btf));
  if (!memory) return fail(std::move(memory).error());
  return discover_cma_areas(*btf, *memory);
}

}  // namespace pobpf
