// SPDX-License-Identifier: GPL-2.0-only
#pragma once

namespace pobpf {

/// For errors about a kernel that is not as pobpf knows them.
constexpr const char* kReportKernel = "report this kernel with the output of `pobpf check`";

}  // namespace pobpf
