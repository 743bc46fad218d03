// SPDX-License-Identifier: GPL-2.0-only
// Ctrl-C and its like: work is given up within a tenth of a second, and the shell sees the signal.
#pragma once

namespace pobpf::cli {

/// Catches SIGINT, SIGTERM and SIGHUP (unless they were ignored already, as nohup does) without
/// restarting system calls, and ignores SIGPIPE and SIGXFSZ, whose writes fail with an errno.
void catch_signals();

/// A caught signal has come; loops ask this and give up.
[[nodiscard]] bool is_interrupted();

/// Ends the process by the signal that came. Destructors of the caller must have run.
[[noreturn]] void end_by_signal();

}  // namespace pobpf::cli
