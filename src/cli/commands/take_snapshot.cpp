// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/take_snapshot.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "cli/commands/command_end.h"
#include "cli/commands/recording_header.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

const char* reason_text(RemovalReason reason) {
  switch (reason) {
    case RemovalReason::kThinned:
      return "an earlier one of the same interval stays (--thin)";
    case RemovalReason::kTooOld:
      return "older than all that stays (--thin)";
    case RemovalReason::kAge:
      return "too old (--max-age)";
    case RemovalReason::kNumber:
      return "there are enough younger ones (--keep)";
    case RemovalReason::kSize:
      return "younger ones take all that they may (--max-size)";
    case RemovalReason::kFreeSpace:
      return "the file system is to have more free (--min-free)";
    case RemovalReason::kLeftBehind:
      break;
  }
  return "begun by a run that was killed";
}

}  // namespace

Result<TakenSnapshot> take_snapshot(Session& session, const ReaderView& view,
                                    const Options& options, NewSnapshot& place) {
  SnapshotHeader header = make_recording_header(session, options.view_text);
  header.reason = options.snapshot.reason;
  if (auto status = place.open(header); !status) return fail(std::move(status).error());
  auto recording = write_recording(session, view, header, options, place.output(),
                                   [&place] { return place.check_room(); });
  if (!recording) return fail(std::move(recording).error());
  auto retention = place.commit();
  if (!retention) return fail(std::move(retention).error());
  return TakenSnapshot{*std::move(recording), *std::move(retention)};
}

ExitStatus report_retention(const RetentionReport& report_of, bool is_done,
                            const Options& options) {
  for (const RemovedFile& file : report_of.removed)
    spdlog::info("{} {}: {}", is_done ? "removed" : "would remove", file.file,
                 reason_text(file.reason));
  for (const std::string& why : report_of.left) spdlog::warn("{}, so it is not removed", why);
  if (report_of.failures.empty()) return ExitStatus::kComplete;
  for (const std::string& why : report_of.failures)
    report({ErrorKind::kFailed, "finished, but " + why, {}, 0}, ExitStatus::kIncomplete,
           options.format);
  return ExitStatus::kIncomplete;
}

Result<ExitStatus> take_and_report(Session& session, const ReaderView& view, const Options& options,
                                   NewSnapshot& place) {
  static_cast<void>(report_retention(place.swept(), true, options));
  auto taken = take_snapshot(session, view, options, place);
  if (!taken) return fail(std::move(taken).error());
  const ExitStatus recorded = end_recording(taken->recording, options);
  const ExitStatus removed = report_retention(taken->retention, true, options);
  return recorded == ExitStatus::kComplete ? removed : recorded;
}

Result<ExitStatus> print_path(const std::string& path) {
  Output output = Output::to_stdout(is_interrupted);
  if (output.is_terminal())
    append_escaped(output.buffer(), path);
  else
    output.buffer() += path;
  output.buffer() += '\n';
  return commit(output);
}

}  // namespace pobpf::cli
