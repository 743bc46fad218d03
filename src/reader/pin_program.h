// SPDX-License-Identifier: GPL-2.0-only
// The program behind a pin, without the pin.
#pragma once

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "pobpf/error.h"

namespace pobpf {

/// Loads it as for a pin of all pages, and throws it away.
[[nodiscard]] Status check_pin_program(const MachineFacts& facts, const KernelBtf& types);

}  // namespace pobpf
