// SPDX-License-Identifier: GPL-2.0-only
// Parse, dispatch, Error -> exit status; nothing else.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/command_end.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/interrupt.h"
#include "cli/logging.h"
#include "cli/options.h"

namespace {

using pobpf::Error;
using pobpf::ErrorKind;
using pobpf::Result;
using namespace pobpf::cli;

/// A closed stdin, stdout or stderr would be the number of the next file that is opened, and get
/// that file's content. Reading-only, so that writing there still fails.
void keep_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1 && ::open("/dev/null", O_RDONLY) == -1) std::terminate();
}

Result<ExitStatus> print_information(const std::string& text) {
  auto output = open_output(Options());
  if (!output) return pobpf::fail(std::move(output).error());
  output->buffer() = text;
  if (auto status = output->commit(); !status) return give_up(*output, std::move(status).error());
  return ExitStatus::kComplete;
}

Result<ExitStatus> run(const Options& options) {
  switch (options.command) {
    case Command::kPages:
      return run_pages(options);
    case Command::kPage:
      return run_page(options);
    case Command::kStacks:
      return run_stacks(options);
    case Command::kTop:
      return run_top(options);
    case Command::kCheck:
      return run_check(options);
    case Command::kPin:
      return run_pin(options);
    case Command::kPins:
      return run_pins(options);
    case Command::kUnpin:
      return run_unpin(options);
    case Command::kRecord:
      return run_record(options);
    case Command::kReport:
      return run_report(options);
    case Command::kDiff:
      return run_diff(options);
    case Command::kImport:
      return run_import(options);
    case Command::kSnapshot:
      return run_snapshot(options);
    case Command::kWatchPressure:
      return run_watch_pressure(options);
    case Command::kList:
      return run_list(options);
  }
  return ExitStatus::kFailed;
}

Result<ExitStatus> run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() == kCompleteCommand)
    return run_complete({arguments.begin() + 1, arguments.end()});
  auto parsed = parse_options(arguments, default_settings());
  if (!parsed) return pobpf::fail(std::move(parsed).error());
  if (const auto* information = std::get_if<Information>(&*parsed))
    return print_information(information->text);
  const auto& options = std::get<Options>(*parsed);
  set_up_logging(options.format, options.is_quiet, options.verbosity);
  for (const std::string& setting : options.settings) spdlog::debug("{}", setting);
  return run(options);
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
    ended = run(arguments);
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
