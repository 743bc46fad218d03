// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/recording.h"
#include "cli/commands/counted.h"

#include <fmt/format.h>

#include <utility>

#include "cli/commands/command_end.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "cli/terminal/progress_meter.h"
#include "snapshot/snapshot_writer.h"

namespace pobpf::cli {
namespace {

Error unreadable(const Recording& recording) {
  return {ErrorKind::kFailed,
          fmt::format("finished, but not complete because of {} that could not be read ({})",
                      counted(recording.nr_unreadable, "stack or cgroup", "stacks or cgroups"),
                      recording.first_unreadable.what),
          "run pobpf again if this matters", 0};
}

/// All that this kernel's text has, if it is known. The time of the last free, which it has up
/// to 6.6 only, is of the free side elsewhere: nothing foretells it, so where most pages were freed
/// before, as on machines that have run for long, it takes as much of a file as the time of
/// allocation.
PageFields recorded_fields(const SnapshotHeader& header, const Options& options) {
  const bool is_in_text =
      header.facts && header.facts->text_layout.value_or(TextLayout()).shows_free_ts;
  if (options.snapshot.with_free_side || is_in_text) return kAllPageFields;
  return kAllPageFields & ~static_cast<PageFields>(PageField::kFreeTsNsec);
}

}  // namespace

Result<Recording> write_recording(Session& session, const ReaderView& view,
                                  const SnapshotHeader& header, const Options& options,
                                  Output& output, const std::function<Status()>& check) {
  auto reader = session.open_reader(view);
  if (!reader) return fail(std::move(reader).error());
  SnapshotWriter writer(
      session, output.buffer(), options.snapshot.level,
      options.snapshot.with_free_side ? FreeSidePolicy::kRecord : FreeSidePolicy::kOmit);
  if (auto status = writer.begin(header); !status) return fail(std::move(status).error());
  const PageFields fields = recorded_fields(header, options) & (*reader)->fields();
  {
    ProgressMeter meter(options, false);
    for (bool at_end = false; !at_end;) {
      if (is_interrupted()) return fail(interrupted());
      auto pages = (*reader)->next(at_end);
      if (!pages) return fail(std::move(pages).error());
      if (auto status = writer.append(*pages, fields, (*reader)->details()); !status)
        return fail(std::move(status).error());
      const bool is_full = output.is_full();
      if (auto status = output.flush_if_full(); !status) return fail(std::move(status).error());
      if (is_full && check)
        if (auto status = check(); !status) return fail(std::move(status).error());
      meter.update((*reader)->progress(), (*reader)->account().emitted);
    }
  }
  if (auto status = writer.end((*reader)->account()); !status)
    return fail(std::move(status).error());
  return Recording{(*reader)->account(), writer.nr_unreadable(),
                   writer.nr_unreadable() == 0 ? Error() : writer.first_error()};
}

ExitStatus end_recording(const Recording& recording, const Options& options) {
  const ExitStatus ended = conclude(recording.account, {}, options);
  if (recording.nr_unreadable == 0) return ended;
  return incomplete(unreadable(recording), options);
}

Options recording_options(const Options& options) {
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_sums = false;
  needed.session.with_details = true;
  return needed;
}

}  // namespace pobpf::cli
