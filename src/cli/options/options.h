// SPDX-License-Identifier: GPL-2.0-only
// The user's request, checked as far as it can be without a kernel.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "archive/snapshot_directory.h"
#include "model/byte_size.h"
#include "model/filter.h"
#include "model/nodelist.h"
#include "model/pfn_range.h"
#include "pobpf/parameters.h"
#include "pressure/stall_limit.h"
#include "reader/pin.h"
#include "reader/session.h"
#include "snapshot/frame_writer.h"
#include "sum/comparison.h"
#include "sum/group_field.h"
#include "sum/ranking.h"
#include "util/error.h"

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
  kList,
  kBlockers
};
/// The view of a snapshot that pobpf report shows.
enum class ReportView { kPages, kStacks, kTop, kPage, kBlockers };
enum class Format { kText, kJson, kCsv, kSqlite };

/// Pages of one run; more would be a listing, which the default command does better.
inline constexpr std::uint64_t kAskedPagesMax = 4096;

/// Which pages `pobpf page` and `pobpf report page` are asked for.
struct PageRequest {
  std::vector<PfnRange> pfns;            ///< in the order given
  std::vector<std::uint64_t> physical;   ///< addresses; pfns_of() says of which pages
  std::optional<std::uint64_t> pid;      ///< valid together with `addresses`
  std::vector<std::uint64_t> addresses;  ///< virtual, in that process
};

/// All pages but those of a process, where a page has `page_bytes`, which is not 0.
[[nodiscard]] std::vector<PfnRange> pfns_of(const PageRequest& request, std::uint64_t page_bytes);

struct PinOptions {
  std::vector<std::string> names;
  std::string directory = kPinDirectory;
  bool replaces = false;
  bool wants_all = false;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<mode_t> mode;
  std::optional<std::uint32_t> frame_bytes_max;
};

struct TopOptions {
  std::vector<GroupField> fields = {GroupField::kStack};
  SortKey sort = SortKey::kPages;
  std::optional<std::size_t> limit;  ///< rows; no value: as the format wants it
  bool has_limit = false;            ///< `limit` is what the user said
  std::optional<std::size_t> depth;
  std::vector<std::string> ignored_functions;
  bool is_exact = false;
  bool is_full = false;
  std::optional<std::chrono::milliseconds> interval;  ///< of --watch
  std::optional<std::size_t> count;                   ///< intervals; no value: without end
};

/// The blocks that pobpf blockers looks at.
struct BlockOptions {
  std::optional<unsigned> order;  ///< no value: that of a pageblock
  bool is_of_cma = false;
  std::string cma_area;  ///< empty: all of them
  std::vector<IdRange> memory_blocks;
};

/// Glob patterns of functions, one a line; empty lines and lines that start with '#' say nothing.
[[nodiscard]] Result<std::vector<std::string>> parse_ignored_functions(const std::string& text);

struct DiffOptions {
  /// Oldest first; two, or with `finds_leaks` three and more. Empty with `nr_latest`.
  std::vector<std::string> paths;
  std::optional<std::uint32_t> nr_latest;  ///< so many of `directory`
  std::string directory;
  bool finds_leaks = false;
  CompareKey sort = CompareKey::kChange;
};

struct SnapshotOptions {
  ReportView view = ReportView::kPages;
  std::string path;             ///< of report and import: the file to read
  bool salvages = false;        ///< of report and diff
  bool with_free_side = false;  ///< of record
  int level = kLevelDefault;    ///< of record and import
  std::string reason;           ///< why a snapshot is taken, if nobody asked for it
};

/// Where snapshots are unless another directory is named; a systemd unit's StateDirectory=pobpf.
constexpr const char* kDefaultDirectory = "/var/lib/pobpf";
/// Where those of watch-pressure are: apart from those of the timer, which are all alike and follow
/// each other.
constexpr const char* kPressureDirectory = "/var/lib/pobpf-pressure";

struct ArchiveOptions {
  std::string directory = kDefaultDirectory;
  RetentionPolicy policy;
  std::chrono::nanoseconds wait{0};  ///< for another run in the same directory
  bool is_dry_run = false;
};

struct PressureOptions {
  /// No value: stalls do not matter.
  std::optional<StallLimit> stall =
      StallLimit{StallKind::kSome, std::chrono::milliseconds(300), std::chrono::seconds(2)};
  /// Its share is one of all memory; no value: what is left does not matter.
  std::optional<ByteShare> low = ByteShare{.percent = 3};
  /// At least between two snapshots.
  std::chrono::nanoseconds interval = std::chrono::minutes(10);
  bool ends_after_first = false;
};

struct Options {
  Command command = Command::kPages;
  std::string nodelist;  ///< as given; empty: all nodes
  FilterSpec filter;     ///< without nodes, as only the kernel knows how many there can be
  pobpf_mode mode = POBPF_MODE_STACK;
  Format format = Format::kText;
  std::string view_text;    ///< the filters as given
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
  BlockOptions blocks;
  DiffOptions diff;
  SnapshotOptions snapshot;           ///< of commands that read or write snapshots
  ArchiveOptions archive;             ///< of Command::kSnapshot, kWatchPressure and kList
  PressureOptions pressure;           ///< of Command::kWatchPressure
  std::vector<std::string> settings;  ///< what was taken from a settings file, for the log
};

/// The text that --help and --version print instead of running a command.
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

/// Whether errors have to be JSON, told without parsing: the arguments may be what is wrong.
[[nodiscard]] Format error_format(const std::vector<std::string>& arguments);

/// How many rows are shown; no value: all of them.
[[nodiscard]] std::optional<std::size_t> row_limit(const Options& options);

/// The nodes that `nodelist` names in a kernel with `max_nodes` possible nodes; no value: it is an
/// empty list, which filters nothing.
[[nodiscard]] Result<std::optional<NodeSet>> parse_wanted_nodes(std::string_view nodelist,
                                                                unsigned max_nodes);

}  // namespace pobpf::cli
