// SPDX-License-Identifier: GPL-2.0-only
// The kernel's names as print_pages has them.
#pragma once

#include "model/kernel_facts.h"
#include "pobpf/pin_abi.h"
#include "util/error.h"

namespace pobpf {

/// Copies the facts into the tables of the program. kUnsupported if a table or a name of this
/// kernel does not fit, or if it is not known how it prints.
[[nodiscard]] Result<pobpf_text_facts> make_text_facts(const KernelFacts& facts);

}  // namespace pobpf
