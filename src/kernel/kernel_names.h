// SPDX-License-Identifier: GPL-2.0-only
// Names that filters take, for those who want to offer them.
#pragma once

#include <string>
#include <vector>

#include "kernel/btf.h"

namespace pobpf {

struct KernelNames {
  std::vector<std::string> gfp;
  std::vector<std::string> page_flags;
  std::vector<std::string> migratetypes;
};

/// Names of the running kernel: its own tables where these privileges allow that, else what its
/// type information says. What neither says is empty.
[[nodiscard]] KernelNames read_kernel_names();

/// Without privileges: single gfp flags but none of their compounds (GFP_KERNEL), and those from
/// Linux 6.10 on only; page flags and migratetypes.
[[nodiscard]] KernelNames names_from_btf(const KernelBtf& btf);

/// Types that names_from_btf() asks for.
[[nodiscard]] std::vector<std::string> btf_name_types();

}  // namespace pobpf
