// SPDX-License-Identifier: GPL-2.0-only
// Finds what this machine lacks to run pobpf, and the one thing to do about each. Works without
// privileges and without the kernel feature.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "util/error.h"

namespace pobpf {

enum class CheckState {
  kOk,       ///< fine
  kMissing,  ///< pobpf cannot work, or not all of it: `hint` says what to do
  kUnknown,  ///< could not be told without more privileges; not held against the machine
};

struct Check {
  std::string name;  ///< stable short name, e.g. "page_owner", "lockdown"; key in JSON
  CheckState state = CheckState::kOk;
  std::string detail;  ///< what was found, one plain sentence without final stop
  std::string hint;    ///< what to do; empty when kOk
  /// Every command needs it; else only those that `detail` names.
  bool is_for_all = true;
};

/// The checks look at this machine; tests replace it by a made-up machine.
struct Machine {
  std::filesystem::path root = "/";  ///< prefix of /proc, /sys and /boot
  std::uint64_t effective_capabilities = 0;
  std::string release;                         ///< uname -r
  std::uint64_t descriptors_max = UINT64_MAX;  ///< files that the process may have open
  /// 0, or the errno of a first harmless bpf() call (map creation).
  std::function<int()> probe_bpf;
  /// Names that its type information is taken not to have (KernelBtf::hide()).
  std::vector<std::string> hidden_names = {};
  /// The machine we run on.
  static Machine current();
};

/// kQuick leaves the kernel's BTF unparsed where its configuration says enough: the session that
/// follows parses it, and start-up counts.
enum class PreflightDepth { kQuick, kThorough };

/// All checks in a fixed order, passed or not.
[[nodiscard]] std::vector<Check> run_preflight(const Machine& machine,
                                               PreflightDepth depth = PreflightDepth::kThorough);

/// kUnsupported with the sentence of the first check that is kMissing and for all.
[[nodiscard]] Status preflight_status(const std::vector<Check>& checks);

}  // namespace pobpf
