// SPDX-License-Identifier: GPL-2.0-only
// pobpf import: the text of any kernel's page_owner as a snapshot. Needs nothing of this machine.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/counted.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "import/importer.h"

namespace pobpf::cli {
namespace {

/// Says what is in the snapshot, and what is not though it was understood.
std::string summary(const ImportReport& report) {
  std::string text = counted(report.nr_pages, "record", "records");
  if (report.nr_freed_pages != 0)
    text += fmt::format(" ({})", counted(report.nr_freed_pages, "of a page that is free",
                                         "of pages that are free"));
  if (report.nr_groups != 0)
    text += ", " + counted(report.nr_groups, "sum without pages", "sums without pages");
  text += fmt::format(" and {} from {}", counted(report.nr_stacks, "stack", "stacks"),
                      counted(report.nr_lines, "line", "lines"));
  if (report.nr_joined_lines != 0)
    text += ", " + counted(report.nr_joined_lines, "wrapped line", "wrapped lines") + " joined";
  if (report.nr_unkept_lines != 0)
    text += fmt::format(", {} of which a snapshot has no place for what they say",
                        counted(report.nr_unkept_lines, "line", "lines"));
  if (report.nr_elisions != 0)
    text += fmt::format(", {} where the text says that something is cut out (...)",
                        counted(report.nr_elisions, "place", "places"));
  return text;
}

void show_notes(const ImportReport& report) {
  // the logger makes untrusted bytes harmless
  for (const ImportNote& note : report.notes)
    spdlog::warn("line {}: {}{}{}", note.line, note.what, note.text.empty() ? "" : ": ", note.text);
  const std::uint64_t nr_all = report.nr_unknown_lines + report.nr_dropped_records;
  if (nr_all > report.notes.size()) spdlog::warn("and {} more", nr_all - report.notes.size());
}

Error left_out(const ImportReport& report) {
  return {ErrorKind::kFailed,
          fmt::format("finished, but not complete: {} left out, {} not understood",
                      counted(report.nr_dropped_records, "record", "records"),
                      counted(report.nr_unknown_lines, "line", "lines")),
          {},
          0};
}

}  // namespace

Result<ExitStatus> import_source(TextSource& source, const Options& options, Output& output) {
  ImportOptions request;
  request.pobpf_version = POBPF_VERSION;
  request.level = options.snapshot.level;
  request.on_progress = [&](const ImportReport& /*so_far*/) -> Status {
    if (is_interrupted()) return fail(interrupted());
    return output.flush_if_full();
  };
  auto imported = import_text(source, request, output.buffer());
  if (!imported) return give_up(output, std::move(imported).error());
  show_notes(*imported);
  if (imported->is_empty())
    return fail(ErrorKind::kFailed,
                fmt::format("nothing of page_owner found in {}",
                            counted(imported->nr_lines, "line", "lines")),
                "docs/import.md says what is understood");
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  if (!options.is_quiet) fmt::print(stderr, "pobpf: {}\n", summary(*imported));
  if (imported->is_complete()) return ExitStatus::kComplete;
  return incomplete(left_out(*imported), options);
}

Result<ExitStatus> run_import(const Options& options) {
  if (options.output_path.empty() && ::isatty(STDOUT_FILENO) == 1) return refuse_terminal();
  auto source = open_text(options.snapshot.path);
  if (!source) return fail(std::move(source).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  if (output->is_terminal()) return refuse_terminal();
  return import_source(**source, options, *output);
}

}  // namespace pobpf::cli
