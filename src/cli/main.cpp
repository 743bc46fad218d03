// SPDX-License-Identifier: GPL-2.0-only
// Prepares the process, runs the command line, and turns its error into an exit status.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"

namespace {

using pobpf::ErrorKind;
using pobpf::Result;
using namespace pobpf::cli;

/// A closed stdin, stdout or stderr would be the number of the next file that is opened, and get
/// that file's content. Reading-only, so that writing there still fails.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1 && ::open("/dev/null", O_RDONLY) == -1) std::terminate();
}

/// Each map, program and link takes one; what a shell gives may be few.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  raise_descriptor_limit();
  catch_signals();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Format format = error_format(arguments);
  set_up_logging(format, false, 0);

  Result<ExitStatus> ended = ExitStatus::kFailed;
  try {
    ended = run_command_line(arguments);
  } catch (const std::exception& exception) {
    // nothing here throws on purpose; caught so that destructors take unfinished files away
    ended = pobpf::fail(ErrorKind::kFailed, std::string("unexpected: ") + exception.what(),
                        "please report this");
  }
  if (is_interrupted()) end_by_signal();
  if (!ended) {
    const ExitStatus status = exit_status(ended.error().kind);
    report(ended.error(), status, format);
    return static_cast<int>(status);
  }
  return static_cast<int>(*ended);
}
