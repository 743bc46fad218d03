// SPDX-License-Identifier: GPL-2.0-only
// Whether commands will work: what they load is loaded.
#pragma once

#include <vector>

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "pobpf/preflight.h"
#include "pobpf/reader.h"

namespace pobpf {

/// Does what a command does before it reads: finds the kernel's facts, then loads the programs of
/// each. One check for the facts and one for each set of programs, in a fixed order.
/// `preflight_passed`: else nothing is tried, and all of them are kUnknown.
[[nodiscard]] std::vector<Check> run_command_checks(const SessionOptions& options,
                                                    bool preflight_passed);

/// Those of the programs alone, on a kernel that has been asked already.
[[nodiscard]] std::vector<Check> check_programs(const MachineFacts& facts, const KernelBtf& types);

}  // namespace pobpf
