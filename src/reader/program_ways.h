// SPDX-License-Identifier: GPL-2.0-only
// The ways of loaded programs, which differ between kernels: what they are compiled for is one
// thing, and what was loaded another.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernel/machine_facts.h"

struct bpf_object;

namespace pobpf {

/// Session::describe(): the facts, and how the loaded programs of the object read the kernel's
/// memory and how they loop, by the instructions of which they consist.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe_loaded(
    const MachineFacts& facts, const bpf_object* object);

}  // namespace pobpf
