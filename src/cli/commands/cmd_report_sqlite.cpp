// SPDX-License-Identifier: GPL-2.0-only
// pobpf report --format sqlite: a snapshot as a database.
#include <fmt/format.h>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "cli/terminal/progress_meter.h"
#include "export/sqlite_writer.h"

namespace pobpf::cli {
namespace {

/// What the database lacks though all pages are in it.
Error unreadable(const SqliteWriter& writer) {
  return {ErrorKind::kFailed,
          fmt::format("finished, but not complete because of {} {} that could not be read ({})",
                      writer.nr_unreadable(),
                      writer.nr_unreadable() == 1 ? "stack or cgroup" : "stacks or cgroups",
                      writer.first_error().what),
          {},
          0};
}

SqliteEnd end_of(const SnapshotSession& session, const PageReader& reader,
                 const SqliteWriter& writer) {
  SqliteEnd end;
  const bool was_counted = session.footer() && session.footer()->account;
  if (was_counted) end.account = reader.account();
  const SnapshotLosses& losses = session.losses();
  end.nr_damaged_places = losses.nr_places;
  if (losses.nr_places != 0) end.nr_lost_pages = losses.nr_pages;
  end.is_complete =
      losses.is_empty() && writer.nr_unreadable() == 0 && !incompleteness(reader.account(), {});
  return end;
}

}  // namespace

Result<ExitStatus> report_database(SnapshotSession& session, const ReaderView& view,
                                   const Options& options, Output& output) {
  auto reader = session.open_reader(view);
  if (!reader) return fail(std::move(reader).error());
  auto writer = SqliteWriter::create(output, is_interrupted, session.header(), session);
  if (!writer) return fail(std::move(writer).error());
  {
    ProgressMeter meter(options, false);
    for (bool at_end = false; !at_end;) {
      if (is_interrupted()) return fail(interrupted());
      auto pages = (*reader)->next(at_end);
      if (!pages) return fail(std::move(pages).error());
      if (auto status = (*writer)->append(*pages, (*reader)->details(), (*reader)->fields());
          !status)
        return fail(std::move(status).error());
      meter.update((*reader)->progress(), (*reader)->account().emitted);
    }
  }
  if (auto status = (*writer)->end(end_of(session, **reader, **writer)); !status)
    return fail(std::move(status).error());
  std::optional<Error> missing;
  if ((*writer)->nr_unreadable() != 0) missing = unreadable(**writer);
  // closes the database
  writer->reset();
  auto ended = finish(output, (*reader)->account(), {}, options);
  if (!ended || !missing) return ended;
  report(*missing, ExitStatus::kIncomplete, options.format);
  return ExitStatus::kIncomplete;
}

}  // namespace pobpf::cli
