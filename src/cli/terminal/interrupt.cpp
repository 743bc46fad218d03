// SPDX-License-Identifier: GPL-2.0-only
#include "cli/terminal/interrupt.h"

#include <sys/time.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

#include "util/file.h"

namespace pobpf::cli {
namespace {

volatile sig_atomic_t caught_signal = 0;

/// A signal that comes between the test of the flag and a system call that blocks would be seen by
/// neither: a timer keeps interrupting until somebody has looked.
void on_signal(int signal) {
  constexpr itimerval kOften{{0, 20'000}, {0, 20'000}};
  const int saved_errno = errno;
  caught_signal = signal;
  ::setitimer(ITIMER_REAL, &kOften, nullptr);
  errno = saved_errno;
}

void on_timer(int /*signal*/) {}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_signals() {
  set_cancellation(is_interrupted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    ::sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) set_handler(signal, on_signal);
  }
  set_handler(SIGALRM, on_timer);
  for (const int signal : {SIGPIPE, SIGXFSZ}) set_handler(signal, SIG_IGN);
}

bool is_interrupted() { return caught_signal != 0; }

void end_by_signal() {
  const int signal = caught_signal;
  set_handler(signal, SIG_DFL);
  static_cast<void>(::raise(signal));
  std::_Exit(128 + signal);
}

}  // namespace pobpf::cli
