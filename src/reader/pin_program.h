// SPDX-License-Identifier: GPL-2.0-only
// The program behind a pin, without the pin.
#pragma once

#include <cstdint>

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "util/error.h"

namespace pobpf {

/// Loads it as for a pin of a view with these filters (bits of enum pobpf_filter), and throws it
/// away.
[[nodiscard]] Status check_pin_program(const MachineFacts& facts, const KernelBtf& types,
                                       std::uint32_t filters);

}  // namespace pobpf
