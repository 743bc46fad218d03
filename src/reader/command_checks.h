// SPDX-License-Identifier: GPL-2.0-only
// Whether commands will work: what they need is tried.
#pragma once

#include <filesystem>
#include <vector>

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "kernel/preflight.h"
#include "pressure/stall_monitor.h"
#include "reader/pin.h"
#include "reader/session.h"

namespace pobpf {

/// Does what a command does before it reads: finds the kernel's facts, loads the programs of each,
/// and looks at what else some of them need. One check for the facts and one for each set of
/// programs and each need, in a fixed order. `preflight_passed`: else nothing is tried, and all of
/// them are kUnknown.
[[nodiscard]] std::vector<Check> run_command_checks(const SessionOptions& options,
                                                    bool preflight_passed);

/// Those of the programs alone, on a kernel that has been asked already.
[[nodiscard]] std::vector<Check> check_programs(const MachineFacts& facts, const KernelBtf& types);

/// Where commands find what they need besides programs.
struct Surroundings {
  std::filesystem::path pressure_file = kPressureFile;
  std::filesystem::path pin_directory = kPinDirectory;
};

[[nodiscard]] std::vector<Check> check_surroundings(const Surroundings& surroundings);

}  // namespace pobpf
