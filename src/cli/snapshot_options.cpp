// SPDX-License-Identifier: GPL-2.0-only
#include "cli/snapshot_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/option_value.h"
#include "cli/usage_error.h"

namespace pobpf::cli {
namespace {

Status check_file(const RawSnapshotOptions& raw, const std::string& command,
                  const std::string& hint, SnapshotOptions& options) {
  if (raw.files.empty() || raw.files.front().empty())
    return usage_error(fmt::format("{} needs a FILE", command), hint);
  if (raw.files.size() > 1)
    return usage_error(fmt::format("unexpected argument '{}'", raw.files[1]), hint);
  options.path = raw.files.front();
  return {};
}

Status check_level(const RawSnapshotOptions& raw, const std::string& hint,
                   SnapshotOptions& options) {
  if (raw.level.size() > 1) return usage_error("--level is given more than once", hint);
  if (raw.level.empty()) return {};
  auto level = parse_number_between("--level", raw.level.front(), kLevelMin, kLevelMax);
  if (!level) return fail(std::move(level).error());
  options.level = static_cast<int>(*level);
  return {};
}

void add_level(CLI::App& command, RawSnapshotOptions& raw) {
  add_value(command, "--level", raw.level, "N", "Output",
            "level of zstd, 1 to 19, instead of what suits best");
}

}  // namespace

void add_record_options(CLI::App& record, RawSnapshotOptions& raw) {
  record
      .add_flag(
          "--free", raw.with_free_side,
          "also when each page was freed before, by whom\nand with which stack, for a larger file")
      ->disable_flag_override()
      ->group("Output");
  add_level(record, raw);
}

namespace {

CLI::Option& add_file(CLI::App& report, RawSnapshotOptions& raw) {
  return *report.add_option("FILE", raw.files, "what pobpf record has written")
              ->type_name(" ")
              ->group("Snapshot");
}

void add_salvage(CLI::App& report, RawSnapshotOptions& raw) {
  report.add_flag("--salvage", raw.salvages, "show what is intact of a damaged file")
      ->disable_flag_override()
      ->group("Snapshot");
}

}  // namespace

void add_report_options(CLI::App& report, RawSnapshotOptions& raw) {
  add_file(report, raw);
  add_salvage(report, raw);
}

void add_report_page_options(CLI::App& report, RawSnapshotOptions& raw) {
  add_file(report, raw).expected(1)->allow_extra_args(false);
  add_salvage(report, raw);
}

void add_import_options(CLI::App& import, RawSnapshotOptions& raw) {
  import.add_option("FILE", raw.files, "a text of page_owner; - is stdin")
      ->type_name(" ")
      ->group("Snapshot");
  add_level(import, raw);
}

Result<SnapshotOptions> check_snapshot_options(const RawSnapshotOptions& raw,
                                               const std::string& command, bool has_output,
                                               const std::string& hint) {
  const bool needs_output = command == "record" || command == "import";
  const bool needs_file = command == "report" || command == "import";
  SnapshotOptions options;
  options.salvages = raw.salvages;
  options.with_free_side = raw.with_free_side;
  if (needs_file)
    if (auto status = check_file(raw, command, hint, options); !status)
      return fail(std::move(status).error());
  if (needs_output && !has_output)
    return usage_error(fmt::format("{} needs a file: -o FILE", command), hint);
  if (auto status = check_level(raw, hint, options); !status)
    return fail(std::move(status).error());
  return options;
}

}  // namespace pobpf::cli
