// SPDX-License-Identifier: GPL-2.0-only
// pobpf record: all that the kernel tells of its pages, into a file for later.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/command_end.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/logging.h"
#include "cli/open_session.h"
#include "cli/progress_meter.h"
#include "cli/recording_header.h"
#include "snapshot/snapshot_writer.h"

namespace pobpf::cli {
namespace {

tl::unexpected<Error> refuse_terminal() {
  return fail(ErrorKind::kUsage, "a snapshot is no text, and this is a terminal",
              "give the name of a file to -o");
}

/// What the snapshot lacks though all pages are in it.
Error unreadable(const SnapshotWriter& writer) {
  return {ErrorKind::kFailed,
          fmt::format("finished, but not complete because of {} {} that could not be read ({})",
                      writer.nr_unreadable(),
                      writer.nr_unreadable() == 1 ? "stack or cgroup" : "stacks or cgroups",
                      writer.first_error().what),
          "run pobpf again if this matters", 0};
}

}  // namespace

Result<ExitStatus> record_pages(Session& session, const ReaderView& view, const Options& options,
                                Output& output) {
  auto reader = session.open_reader(view);
  if (!reader) return fail(std::move(reader).error());
  SnapshotWriter writer(
      session, output.buffer(), options.snapshot.level,
      options.snapshot.with_free_side ? FreeSidePolicy::kRecord : FreeSidePolicy::kOmit);
  if (auto status = writer.begin(make_recording_header(session, options.snapshot.view_text));
      !status)
    return fail(std::move(status).error());
  {
    ProgressMeter meter(options, false);
    for (bool at_end = false; !at_end;) {
      if (is_interrupted()) return fail(interrupted());
      auto pages = (*reader)->next(at_end);
      if (!pages) return fail(std::move(pages).error());
      if (auto status = writer.append(*pages, kAllPageFields, (*reader)->details()); !status)
        return fail(std::move(status).error());
      if (auto status = output.flush_if_full(); !status)
        return give_up(output, std::move(status).error());
      meter.update((*reader)->progress(), (*reader)->account().emitted);
    }
  }
  const Account& account = (*reader)->account();
  if (auto status = writer.end(account); !status) return fail(std::move(status).error());
  auto ended = finish(output, account, {}, options);
  if (!ended || writer.nr_unreadable() == 0) return ended;
  report(unreadable(writer), ExitStatus::kIncomplete, options.format);
  return ExitStatus::kIncomplete;
}

Result<ExitStatus> run_record(const Options& options) {
  if (options.output_path.empty() && ::isatty(STDOUT_FILENO) == 1) return refuse_terminal();
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_sums = false;
  needed.session.with_details = true;
  auto session = open_session(needed);
  if (!session) return fail(std::move(session).error());
  auto view = make_view(options, **session);
  if (!view) return fail(std::move(view).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  if (output->is_terminal()) return refuse_terminal();
  return record_pages(**session, *view, options, *output);
}

}  // namespace pobpf::cli
