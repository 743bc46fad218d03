// SPDX-License-Identifier: GPL-2.0-only
// Names of the running machine, and of snapshots, as far as these privileges let them be read.
#pragma once

#include <filesystem>
#include <memory>

#include "cli/completion/completion.h"

namespace pobpf::cli {

/// `root` is in front of /proc and /sys, for tests.
[[nodiscard]] std::unique_ptr<NameSource> make_name_source(std::filesystem::path root = "/");

}  // namespace pobpf::cli
