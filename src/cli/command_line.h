// SPDX-License-Identifier: GPL-2.0-only
// Which commands and options there are. What their values mean is decided in options.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/archive_options.h"
#include "cli/diff_options.h"
#include "cli/filter_options.h"
#include "cli/options.h"
#include "cli/page_request.h"
#include "cli/pin_options.h"
#include "cli/pressure_options.h"
#include "cli/snapshot_options.h"
#include "cli/top_options.h"

namespace pobpf::cli {

/// What the option parser fills in. Lists, because "given twice" is an error that we word.
struct Raw {
  std::vector<std::string> nodelist;
  RawFilters filters;
  std::vector<std::string> mode;
  std::vector<std::string> format;
  std::vector<std::string> output;
  std::vector<std::string> settings_path;
  std::vector<std::string> disabled_features;
  RawPageRequest page;
  bool wants_handles = false;
  bool wants_stats = false;
  bool is_quiet = false;
  int verbosity = 0;
  bool wants_version = false;
  RawPinOptions pin;
  RawTopOptions top;
  RawSnapshotOptions snapshot;
  RawArchiveOptions archive;
  RawPressureOptions pressure;
  RawDiffOptions diff;
  std::vector<std::string> threads;
  std::vector<std::string> max_groups;
};

/// Parses into raw(); for one use.
class CommandLine {
 public:
  /// Only commands that `arguments` name get their options: all of them are a thousand, which would
  /// be a tenth of what pobpf takes to start.
  explicit CommandLine(const std::vector<std::string>& arguments);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Gives all other commands theirs.
  void add_rest();

  [[nodiscard]] CLI::App& app() { return app_; }
  [[nodiscard]] const CLI::App& app() const { return app_; }
  [[nodiscard]] const Raw& raw() const { return raw_; }

  /// The command that was given, or its view; nullptr: none.
  [[nodiscard]] const CLI::App* chosen() const;
  /// Of chosen().
  [[nodiscard]] Command command() const;
  [[nodiscard]] ReportView view() const;
  /// Whether one command is given, or none, and one view.
  [[nodiscard]] bool is_one_command() const;

  /// As they were written; some may stand in front of the command.
  [[nodiscard]] std::string given_filters() const;

 private:
  void add_command(Command number, const char* name, const char* description,
                   std::function<void(CLI::App&)> add_options);
  CLI::App& add_view(CLI::App& report, ReportView view, const char* name, const char* description);
  void add_live_commands();
  void add_report_commands();
  void add_history_commands();
  void add_pin_commands();

  Raw raw_;
  CLI::App app_;
  std::vector<std::pair<const CLI::App*, Command>> commands_;
  std::vector<std::pair<CLI::App*, std::function<void(CLI::App&)>>> unfilled_;
  std::vector<std::pair<const CLI::App*, ReportView>> views_;
};

/// "report top": without the program's own name.
[[nodiscard]] std::string full_name(const CLI::App& command);

}  // namespace pobpf::cli
