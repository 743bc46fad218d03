// SPDX-License-Identifier: GPL-2.0-only
// Programs that are loaded with numbers which libbpf would read the kernel's type information for.
#pragma once

#include <cstdint>

#include "kernel/btf.h"
#include "util/error.h"

namespace pobpf {

/// Tells libbpf how to load programs of SEC("pobpf/bpf_map_elem"): as SEC("iter/bpf_map_elem"), but
/// with the ids of the iterator and of bpf_rdonly_cast() from `btf`, which check_requirements() has
/// accepted. For the whole process, as all of it runs on one kernel. Call before such an object is
/// loaded; again does no harm.
[[nodiscard]] Status set_program_ids(const KernelBtf& btf);

}  // namespace pobpf
