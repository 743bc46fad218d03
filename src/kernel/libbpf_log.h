// SPDX-License-Identifier: GPL-2.0-only
// libbpf's messages: into our log at debug level, and the last warnings kept for the error at hand.
#pragma once

#include <string>

#include "pobpf/error.h"

namespace pobpf {

/// Routes libbpf's messages; call once before the first libbpf call.
void route_libbpf_log();

/// An Error for a libbpf call that failed with `error` (negative errno), with the last warning that
/// libbpf gave on this thread. EPERM is kUnsupported.
[[nodiscard]] Error libbpf_error(std::string what, int error);

}  // namespace pobpf
