// SPDX-License-Identifier: GPL-2.0-only
// A Session on facts that were found elsewhere: the seam through which tests/synthetic runs the
// walker over memory that it made up.
#pragma once

#include <memory>

#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf {

/// Does what Session::open() does once it knows the machine, and set_program_ids() was called.
/// `types` are those that the programs are relocated against.
[[nodiscard]] Result<std::unique_ptr<Session>> open_session_on(MachineFacts facts,
                                                               const SessionOptions& options,
                                                               const KernelBtf& types);

}  // namespace pobpf
