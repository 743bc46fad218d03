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
  const auto header = make_recording_header(session, options.snapshot.view_text);
  auto recording = write_recording(session, view, header, options, output);
  if (!recording) return give_up(output, std::move(recording).error());
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  return end_recording(*recording, options);
}

Result<ExitStatus> run_record(const Options& options) {
  if (options.output_path.empty() && ::isatty(STDOUT_FILENO) == 1) return refuse_terminal();
  auto session = open_session(recording_options(options));
  if (!session) return fail(std::move(session).error());
  auto view = make_view(options, **session);
  if (!view) return fail(std::move(view).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  if (output->is_terminal()) return refuse_terminal();
  return record_pages(**session, *view, options, *output);
}

}  // namespace pobpf::cli
