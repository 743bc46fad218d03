// SPDX-License-Identifier: GPL-2.0-only
// pobpf report: what a snapshot holds, as the live commands show it. Needs no privileges, no BPF
// and no page_owner.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/counted.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/logging.h"
#include "snapshot/snapshot_session.h"

namespace pobpf::cli {
namespace {

std::string describe_newer_items(std::uint64_t nr_items) {
  return counted(nr_items, "part of the snapshot is of a newer pobpf and is not shown",
                 "parts of the snapshot are of a newer pobpf and are not shown");
}

}  // namespace

DamagePolicy damage_policy(const Options& options) {
  return options.snapshot.salvages ? DamagePolicy::kSalvage : DamagePolicy::kRefuse;
}

Error describe_losses(const SnapshotLosses& losses) {
  if (losses.nr_places == 0)
    return {ErrorKind::kFailed,
            "finished, but not complete: " + describe_newer_items(losses.nr_newer_items),
            "read it with that one", 0};
  std::vector<std::string> lost;
  lost.push_back(losses.nr_pages ? counted(*losses.nr_pages, "record", "records")
                                 : "an unknown number of records");
  if (losses.nr_groups != 0) lost.push_back(counted(losses.nr_groups, "sum", "sums"));
  if (losses.nr_stacks != 0) lost.push_back(counted(losses.nr_stacks, "stack", "stacks"));
  if (losses.nr_cgroups != 0)
    lost.push_back(counted(losses.nr_cgroups, "name of a cgroup", "names of cgroups"));
  if (losses.nr_texts != 0)
    lost.push_back(counted(losses.nr_texts, "list of names", "lists of names"));
  return {ErrorKind::kFailed,
          fmt::format(
              "finished, but not complete: {}{} lost in {}, of which the first: {}",
              losses.nr_newer_items == 0 ? "" : describe_newer_items(losses.nr_newer_items) + "; ",
              fmt::join(lost, ", "), counted(losses.nr_places, "damaged place", "damaged places"),
              losses.first.what),
          {},
          0};
}

Result<ExitStatus> report_pages(SnapshotSession& session, const Options& options, Output& output) {
  auto view = make_view(options, session);
  if (!view) return fail(std::move(view).error());
  auto ended = [&] {
    switch (options.snapshot.view) {
      case ReportView::kStacks:
        return print_stacks(session, *view, options, output);
      case ReportView::kTop:
        return print_top(session, *view, options, output);
      case ReportView::kBlockers:
        return report_blockers(session, *view, options, output);
      case ReportView::kPages:
      case ReportView::kPage:
        break;
    }
    return print_pages(session, *view, options, output);
  }();
  if (!ended || output.is_reader_gone() || session.losses().is_empty()) return ended;
  return incomplete(describe_losses(session.losses()), options);
}

namespace {

Result<ExitStatus> run_report_page(const Options& options) {
  auto snapshot = SnapshotReader::open(options.snapshot.path, damage_policy(options));
  if (!snapshot) return fail(std::move(snapshot).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  return report_page(**snapshot, options, *output);
}

}  // namespace

Result<ExitStatus> run_report(const Options& options) {
  if (options.snapshot.view == ReportView::kPage) return run_report_page(options);
  auto session = SnapshotSession::open(options.snapshot.path, damage_policy(options));
  if (!session) return fail(std::move(session).error());
  for (const auto& [name, value] : (*session)->describe()) spdlog::debug("{}: {}", name, value);
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  return report_pages(**session, options, *output);
}

}  // namespace pobpf::cli
