// SPDX-License-Identifier: GPL-2.0-only
// One function a command, each in its own file. Errors become an exit status in main.cpp.
#pragma once

#include "archive/listing.h"
#include "cli/options/options.h"
#include "cli/terminal/exit_status.h"
#include "import/text_source.h"
#include "kernel/preflight.h"
#include "reader/page_inspector.h"
#include "reader/pin.h"
#include "reader/session.h"
#include "snapshot/snapshot_session.h"
#include "util/error.h"
#include "util/output.h"

namespace pobpf::cli {

/// Runs the command that `arguments`, which are those behind the program's name, ask for.
[[nodiscard]] Result<ExitStatus> run_command_line(const std::vector<std::string>& arguments);

/// The default command: all allocated pages.
[[nodiscard]] Result<ExitStatus> run_pages(const Options& options);
/// `pobpf stacks`
[[nodiscard]] Result<ExitStatus> run_stacks(const Options& options);
/// `pobpf top`
[[nodiscard]] Result<ExitStatus> run_top(const Options& options);
/// `pobpf blockers`
[[nodiscard]] Result<ExitStatus> run_blockers(const Options& options);
/// `pobpf page`
[[nodiscard]] Result<ExitStatus> run_page(const Options& options);
/// `pobpf check`
[[nodiscard]] Result<ExitStatus> run_check(const Options& options);

/// `pobpf record`
[[nodiscard]] Result<ExitStatus> run_record(const Options& options);
/// `pobpf report`
[[nodiscard]] Result<ExitStatus> run_report(const Options& options);

/// `pobpf diff`
[[nodiscard]] Result<ExitStatus> run_diff(const Options& options);

/// `pobpf import`
[[nodiscard]] Result<ExitStatus> run_import(const Options& options);

/// `pobpf snapshot`
[[nodiscard]] Result<ExitStatus> run_snapshot(const Options& options);
/// `pobpf watch-pressure`
[[nodiscard]] Result<ExitStatus> run_watch_pressure(const Options& options);
/// `pobpf list`
[[nodiscard]] Result<ExitStatus> run_list(const Options& options);

/// `pobpf pin`
[[nodiscard]] Result<ExitStatus> run_pin(const Options& options);
/// `pobpf pins`
[[nodiscard]] Result<ExitStatus> run_pins(const Options& options);
/// `pobpf unpin`
[[nodiscard]] Result<ExitStatus> run_unpin(const Options& options);

/// Not among the commands of --help.
inline constexpr const char* kCompleteCommand = "__complete";
/// Completes the last of `words`: a line that says what the shell itself has to add ("files",
/// "directories") and whether more must follow ("unfinished"), then "WORD<tab>description" each.
[[nodiscard]] Result<ExitStatus> run_complete(const std::vector<std::string>& words);

/// The table of `pobpf list`; ages are those at `now_ns`, since 1970.
void append_listing(std::string& out, const Listing& listing, std::uint64_t now_ns);

/// The table of `pobpf pins`, one line a pin, with a head line.
void append_pin_table(std::string& out, const std::vector<PinInfo>& pins);

// The rest of these commands, once the kernel is open. They commit `output` unless they fail.

[[nodiscard]] Result<ExitStatus> print_pages(Session& session, const ReaderView& view,
                                             const Options& options, Output& output);
/// Writes a snapshot.
[[nodiscard]] Result<ExitStatus> record_pages(Session& session, const ReaderView& view,
                                              const Options& options, Output& output);
/// Writes a snapshot of a text.
[[nodiscard]] Result<ExitStatus> import_source(TextSource& source, const Options& options,
                                               Output& output);
[[nodiscard]] Result<ExitStatus> report_pages(SnapshotSession& session, const Options& options,
                                              Output& output);
/// As many as DiffOptions::paths.
[[nodiscard]] Result<ExitStatus> print_diff(
    std::vector<std::unique_ptr<SnapshotSession>>& snapshots, const Options& options,
    Output& output);
/// Tells what --salvage asks for.
[[nodiscard]] DamagePolicy damage_policy(const Options& options);
/// Says what salvaging left out, which is not nothing.
[[nodiscard]] Error describe_losses(const SnapshotLosses& losses);
[[nodiscard]] Result<ExitStatus> print_stacks(Session& session, const ReaderView& view,
                                              const Options& options, Output& output);
[[nodiscard]] Result<ExitStatus> print_top(Session& session, const ReaderView& view,
                                           const Options& options, Output& output);
/// The blockers of a snapshot.
[[nodiscard]] Result<ExitStatus> report_blockers(SnapshotSession& session, const ReaderView& view,
                                                 const Options& options, Output& output);
[[nodiscard]] Result<ExitStatus> print_page_reports(PageInspector& inspector,
                                                    const std::vector<PfnRange>& pfns,
                                                    const Options& options, Output& output);
/// The page reports of a snapshot.
[[nodiscard]] Result<ExitStatus> report_page(SnapshotReader& snapshot, const Options& options,
                                             Output& output);
[[nodiscard]] Result<ExitStatus> print_checks(const std::vector<Check>& checks,
                                              const Options& options, Output& output);

}  // namespace pobpf::cli
