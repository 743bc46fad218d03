// SPDX-License-Identifier: GPL-2.0-only
// From a command line to the function of its command.
#include <spdlog/spdlog.h>

#include <utility>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/terminal/logging.h"

namespace pobpf::cli {
namespace {

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
    case Command::kBlockers:
      return run_blockers(options);
    case Command::kList:
      return run_list(options);
  }
  return ExitStatus::kFailed;
}

Result<ExitStatus> print_information(const std::string& text) {
  auto output = open_output(Options());
  if (!output) return fail(std::move(output).error());
  output->buffer() = text;
  return commit(*output);
}

}  // namespace

Result<ExitStatus> run_command_line(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments.front() == kCompleteCommand)
    return run_complete({arguments.begin() + 1, arguments.end()});
  auto parsed = parse_options(arguments, default_settings());
  if (!parsed) return fail(std::move(parsed).error());
  if (const auto* information = std::get_if<Information>(&*parsed))
    return print_information(information->text);
  const auto& options = std::get<Options>(*parsed);
  set_up_logging(options.format, options.is_quiet, options.verbosity);
  for (const std::string& setting : options.settings) spdlog::debug("{}", setting);
  return run(options);
}

}  // namespace pobpf::cli
