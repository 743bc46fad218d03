// SPDX-License-Identifier: GPL-2.0-only
// Programs of type "syscall", which do one thing when they are asked.
#pragma once

#include "util/error.h"

struct bpf_program;

namespace pobpf {

/// Runs such a program once; its request and its answer are variables of its object.
[[nodiscard]] Status run_program(const bpf_program* program);

}  // namespace pobpf
