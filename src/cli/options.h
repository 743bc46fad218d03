// SPDX-License-Identifier: GPL-2.0-only
// The command line: what the user asked for, checked as far as it can be without a kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/archive_options.h"
#include "cli/diff_options.h"
#include "cli/page_request.h"
#include "cli/pin_options.h"
#include "cli/pressure_options.h"
#include "cli/snapshot_options.h"
#include "cli/top_options.h"
#include "model/filter.h"
#include "model/nodelist.h"
#include "pobpf/abi.h"
#include "pobpf/error.h"
#include "pobpf/reader.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

enum class Command {
  kPages,
  kPage,
  kStacks,
  kTop,
  kCheck,
  kPin,
  kPins,
  kUnpin,
  kRecord,
  kReport,
  kDiff,
  kImport,
  kSnapshot,
  kWatchPressure,
  kList
};
enum class Format { kText, kJson, kCsv, kSqlite };

struct Options {
  Command command = Command::kPages;
  std::string nodelist;  ///< as given; empty: all nodes
  FilterSpec filter;     ///< without nodes, as only the kernel knows how many there can be
  pobpf_mode mode = POBPF_MODE_STACK;
  Format format = Format::kText;
  std::string output_path;  ///< empty: the standard output
  PageRequest page;         ///< of Command::kPage
  unsigned nr_threads = 1;
  std::uint32_t groups_max = SumRequest().groups_max;
  bool wants_stats = false;
  bool is_quiet = false;
  int verbosity = 0;  ///< how often -v was given
  SessionOptions session;
  bool reads_again = false;  ///< more than one reader, or sums more than once
  PinOptions pin;
  TopOptions top;
  DiffOptions diff;
  SnapshotOptions snapshot;           ///< of Command::kReport, and those that write snapshots
  ArchiveOptions archive;             ///< of Command::kSnapshot, kWatchPressure and kList
  PressureOptions pressure;           ///< of Command::kWatchPressure
  std::vector<std::string> settings;  ///< what was taken from a settings file, for the log
};

/// What --help and --version print instead of running a command.
struct Information {
  std::string text;
};

/// Settings are read from there unless --config or the environment (POBPF_CONFIG) names another.
constexpr const char* kSettingsPath = "/etc/pobpf/pobpf.conf";
[[nodiscard]] std::string default_settings();

/// `arguments` are those behind the program's name. What they leave open is taken from the settings
/// in `settings_path`, which need not exist, or in --config, which must. Errors are kUsage; kFailed
/// if settings cannot be read.
[[nodiscard]] Result<std::variant<Options, Information>> parse_options(
    const std::vector<std::string>& arguments, const std::string& settings_path);

/// Shows what parse_options() parses with, for man pages and completion, which are made of it. Ends
/// with the call.
void visit_command_line(const std::function<void(const CLI::App&)>& visit);

/// Whether errors have to be JSON, told without parsing: the arguments may be what is wrong.
[[nodiscard]] Format error_format(const std::vector<std::string>& arguments);

/// The nodes that `nodelist` names in a kernel with `max_nodes` possible nodes; no value: it is an
/// empty list, which filters nothing.
[[nodiscard]] Result<std::optional<NodeSet>> parse_wanted_nodes(std::string_view nodelist,
                                                                unsigned max_nodes);

}  // namespace pobpf::cli
