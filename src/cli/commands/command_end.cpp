// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/command_end.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>

#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"

namespace pobpf::cli {

Result<Output> open_output(const Options& options) {
  if (options.output_path.empty()) return Output::to_stdout(is_interrupted);
  if (options.format == Format::kSqlite)
    return Output::to_named_file(options.output_path, is_interrupted);
  return Output::to_file(options.output_path, is_interrupted);
}

Result<ExitStatus> give_up(const Output& output, Error error) {
  if (output.is_reader_gone()) return ExitStatus::kComplete;
  return fail(std::move(error));
}

Result<ExitStatus> commit(Output& output) {
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  return ExitStatus::kComplete;
}

ExitStatus incomplete(const Error& missing, const Options& options) {
  report(missing, ExitStatus::kIncomplete, options.format);
  return ExitStatus::kIncomplete;
}

tl::unexpected<Error> refuse_terminal() {
  return fail(ErrorKind::kUsage, "a snapshot is binary, and this is a terminal",
              "give the name of a file to -o");
}

Error interrupted() { return {ErrorKind::kFailed, "interrupted", {}, EINTR}; }

Result<ExitStatus> finish(Output& output, const Account& account, const Losses& losses,
                          const Options& options) {
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  return conclude(account, losses, options);
}

ExitStatus conclude(const Account& account, const Losses& losses, const Options& options) {
  if (options.wants_stats) fmt::print(stderr, "{}", account_report(account, options.format));
  const auto missing = incompleteness(account, losses);
  return missing ? incomplete(*missing, options) : ExitStatus::kComplete;
}

}  // namespace pobpf::cli
