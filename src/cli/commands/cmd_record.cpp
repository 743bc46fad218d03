// SPDX-License-Identifier: GPL-2.0-only
// pobpf record: all that the kernel tells of its pages, into a file for later.
#include <unistd.h>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/commands/recording.h"
#include "cli/commands/recording_header.h"

namespace pobpf::cli {

Result<ExitStatus> record_pages(Session& session, const ReaderView& view, const Options& options,
                                Output& output) {
  const auto header = make_recording_header(session, options.view_text);
  auto recording = write_recording(session, view, header, options, output);
  if (!recording) return give_up(output, std::move(recording).error());
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  return end_recording(*recording, options);
}

namespace {

Result<ExitStatus> record_to_file(Session& session, const ReaderView& view, const Options& options,
                                  Output& output) {
  if (output.is_terminal()) return refuse_terminal();
  return record_pages(session, view, options, output);
}

}  // namespace

Result<ExitStatus> run_record(const Options& options) {
  if (options.output_path.empty() && ::isatty(STDOUT_FILENO) == 1) return refuse_terminal();
  return run_on_session(recording_options(options), record_to_file);
}

}  // namespace pobpf::cli
