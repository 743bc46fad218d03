// SPDX-License-Identifier: GPL-2.0-only
// Privileges are given up once pobpf does not need them any more.
#pragma once

namespace pobpf {

/// The work that a process still has to do.
enum class StillToCome {
  kReaders,  ///< more readers, which are maps (CAP_BPF) and times of the clock (CAP_PERFMON)
  /// The same with filters by symbol or module where /proc/kallsyms alone tells of symbols
  /// (CAP_SYSLOG).
  kReadersByKallsyms,
  kReading,  ///< reading of what is attached: descriptors are enough
};

/// Gives up, for this thread and those that it starts, all capabilities that are not needed any
/// more, and the chance to gain any by executing a program. Root keeps what it has over files,
/// where its output may go. What the kernel refuses to take stays: nothing depends on it.
void shed_privileges(StillToCome what);

}  // namespace pobpf
