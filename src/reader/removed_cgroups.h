// SPDX-License-Identifier: GPL-2.0-only
// Cgroups that were removed, by the path that they had.
#pragma once

#include "model/filter.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf {

/// Puts ids in place of paths of `filter` where no cgroup is any more: those of all removed cgroups
/// that were there or below, and that pages are charged to. To find them, memory is walked once. A
/// path that no such cgroup had stays as it is.
[[nodiscard]] Status find_removed_cgroups(FilterSpec& filter, const SessionOptions& options);

}  // namespace pobpf
