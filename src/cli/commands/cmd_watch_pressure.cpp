// SPDX-License-Identifier: GPL-2.0-only
// pobpf watch-pressure: waits until memory is short, and takes a snapshot then. All that this takes
// is loaded, rehearsed and locked beforehand: when it is wanted there is no memory to be had.
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "archive/snapshot_directory.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/commands/recording_header.h"
#include "cli/commands/take_snapshot.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "pressure/capture_gate.h"
#include "pressure/memory_state.h"
#include "pressure/stall_monitor.h"
#include "sum/row_output.h"
#include "util/file.h"
#include "util/service_manager.h"

namespace pobpf::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kMeminfo = "/proc/meminfo";
constexpr const char* kZoneinfo = "/proc/zoneinfo";
/// A zone is some 2 KiB, and there are up to 6 on each of 1,024 nodes; CPUs add 100 bytes each.
constexpr std::size_t kZoneinfoBytesMax = 64 << 20;

/// Between two looks at the memory if nothing wakes us.
constexpr milliseconds kLookAtLeast{5000};
/// The same if it has to show stalls too.
constexpr milliseconds kSampleAtLeast{1000};

template <typename T>
Result<T> read_and_parse(const char* path, Result<T> (*parse)(std::string_view)) {
  auto text = read_file(path, kZoneinfoBytesMax);
  if (!text) return fail(std::move(text).error());
  return parse(*text);
}

/// Memory is short, and how one knows.
struct Occasion {
  Shortage kind = Shortage::kStalls;
  std::string reason;
};

/// Looks at the machine.
class Lookout {
 public:
  static Result<Lookout> open(const PressureOptions& options) {
    Lookout lookout(options);
    if (options.stall) {
      auto monitor = StallMonitor::open(kPressureFile, *options.stall);
      if (!monitor) return fail(std::move(monitor).error());
      lookout.monitor_.emplace(*std::move(monitor));
    }
    auto memory = read_and_parse(kMeminfo, parse_meminfo);
    if (!memory) return fail(std::move(memory).error());
    lookout.memory_ = *memory;
    return lookout;
  }

  [[nodiscard]] bool is_woken_by_kernel() const { return monitor_ && monitor_->trigger_fd() >= 0; }

  /// Waits until it is time for another look, or the kernel or a signal wakes us; then looks.
  Result<std::optional<Occasion>> wait() {
    pollfd trigger{is_woken_by_kernel() ? monitor_->trigger_fd() : -1, POLLPRI, 0};
    const int nr_ready = ::poll(&trigger, 1, static_cast<int>(time_to_wait().count()));
    if (nr_ready < 0 && errno != EINTR)
      return fail(ErrorKind::kFailed,
                  "waiting for memory pressure: " + std::generic_category().message(errno), {},
                  errno);
    if (nr_ready > 0 && (trigger.revents & (POLLERR | POLLNVAL)) != 0)
      return fail(ErrorKind::kFailed, "the kernel watches memory pressure no longer",
                  "start pobpf again");
    return look(nr_ready > 0);
  }

 private:
  explicit Lookout(const PressureOptions& options) : options_(options) {}

  [[nodiscard]] std::uint64_t low_bytes() const {
    return options_.low ? options_.low->of(static_cast<double>(memory_.total)) : 0;
  }

  [[nodiscard]] milliseconds time_to_wait() const {
    milliseconds longest = kLookAtLeast;
    if (monitor_ && !is_woken_by_kernel())
      longest = std::min(kSampleAtLeast,
                         std::chrono::duration_cast<milliseconds>(options_.stall->window / 2));
    return options_.low ? time_to_look(memory_, low_bytes(), longest) : longest;
  }

  Result<std::optional<Occasion>> look(bool is_triggered) {
    auto memory = read_and_parse(kMeminfo, parse_meminfo);
    if (!memory) return fail(std::move(memory).error());
    memory_ = *memory;
    if (options_.low && memory_.left() < low_bytes())
      return std::optional(Occasion{
          Shortage::kLowMemory,
          fmt::format("only {} of {} left", size_text(memory_.left()), size_text(memory_.total))});
    bool is_stalled = is_triggered;
    if (monitor_ && !is_triggered) {
      auto found = monitor_->check(Clock::now());
      if (!found) return fail(std::move(found).error());
      // where the kernel judges it has said so
      is_stalled = *found && !is_woken_by_kernel();
    }
    if (!is_stalled) return std::optional<Occasion>();
    return std::optional(Occasion{
        Shortage::kStalls,
        fmt::format("{} tasks stalled for {} ms in {} ms",
                    options_.stall->kind == StallKind::kSome ? "some" : "all",
                    options_.stall->stall.count() / 1000, options_.stall->window.count() / 1000)});
  }

  PressureOptions options_;
  std::optional<StallMonitor> monitor_;
  MemoryState memory_;
};

/// Takes the snapshots.
class Recorder {
 public:
  static Result<Recorder> open(const Options& options) {
    auto directory =
        SnapshotDirectory::open(options.archive.directory, SnapshotDirectory::Missing::kCreate);
    if (!directory) return fail(std::move(directory).error());
    auto zones = read_and_parse(kZoneinfo, parse_zoneinfo);
    if (!zones) return fail(std::move(zones).error());
    Recorder recorder(options, *std::move(directory));
    if (auto status = recorder.prepare(*std::move(zones)); !status)
      return fail(std::move(status).error());
    return recorder;
  }

  /// A session knows where memory was when it began: a new one if some came or went. For calls at
  /// any time; looks now and then.
  Status follow_memory(Clock::time_point now) {
    if (now - last_follow_ < kLookAtLeast) return {};
    last_follow_ = now;
    auto zones = read_and_parse(kZoneinfo, parse_zoneinfo);
    if (!zones) return fail(std::move(zones).error());
    if (is_same_memory(*zones, zones_)) return {};
    spdlog::info("memory came or went: programs are loaded again");
    return prepare(*std::move(zones));
  }

  Result<ExitStatus> take(const Occasion& occasion) {
    Options options = options_;
    options.snapshot.reason = occasion.reason;
    auto view = view_of(options);
    if (!view) return fail(std::move(view).error());
    spdlog::warn("memory is short: {}; recording {}", occasion.reason,
                 view->filter.nodes ? "node " + format_nodelist(*view->filter.nodes) : "all nodes");
    auto place =
        directory_.begin(options.archive.policy, host_name(), options.archive.wait, is_interrupted);
    if (!place) return fail(std::move(place).error());
    auto ended = take_and_report(*session_, *view, options, *place);
    if (!ended) return ended;
    auto printed = print_path(place->path());
    return printed ? ended : printed;
  }

 private:
  Recorder(const Options& options, SnapshotDirectory directory)
      : options_(recording_options(options)), directory_(std::move(directory)) {
    options_.reads_again = true;
  }

  /// `zones` were read before, so that memory that comes meanwhile is noticed later.
  Status prepare(std::vector<ZoneState> zones) {
    session_.reset();
    auto session = load_session(options_);
    if (!session) return fail(std::move(session).error());
    session_ = *std::move(session);
    zones_ = std::move(zones);
    auto view = make_view(options_, *session_);
    if (!view) return fail(std::move(view).error());
    return rehearse(*view);
  }

  /// Buffers and stacks are there then. Each recording looks the names of functions and cgroups up
  /// anew, and begins with forgetting those of the one before and taking them out of the kernel's
  /// maps: the second round rehearses that.
  Status rehearse(const ReaderView& view) {
    constexpr int kRounds = 2;
    for (int round = 0; round < kRounds; ++round) {
      auto nowhere = Output::to_file("/dev/null", is_interrupted);
      if (!nowhere) return fail(std::move(nowhere).error());
      const auto header = make_recording_header(*session_, options_.view_text);
      auto recording = write_recording(*session_, view, header, options_, *nowhere);
      if (!recording) return fail(std::move(recording).error());
      if (auto status = nowhere->commit(); !status) return status;
    }
    return {};
  }

  /// That which was asked for, of nodes that are short of memory if only some are.
  Result<ReaderView> view_of(Options& options) const {
    auto view = make_view(options, *session_);
    if (!view || view->filter.nodes) return view;
    const auto zones = read_and_parse(kZoneinfo, parse_zoneinfo);
    if (!zones) return view;
    const NodeSet nodes = short_nodes(*zones) & session_->memory_nodes();
    if (nodes.none()) return view;
    view->filter.nodes = nodes;
    options.view_text +=
        (options.view_text.empty() ? "--nid " : " --nid ") + format_nodelist(nodes);
    return view;
  }

  Options options_;
  SnapshotDirectory directory_;
  std::unique_ptr<Session> session_;
  std::vector<ZoneState> zones_;  ///< when session_ was opened
  Clock::time_point last_follow_;
};

/// For as long as there are privileges; where there are none the limit is what it is.
void raise_lock_limit() {
  constexpr rlimit kUnlimited{RLIM_INFINITY, RLIM_INFINITY};
  static_cast<void>(::setrlimit(RLIMIT_MEMLOCK, &kUnlimited));
}

/// Locks what there is now, after a rehearsal: more is hardly needed, and were it to be locked as
/// well (MCL_FUTURE), a limit would turn into memory that cannot be had.
void lock_memory() {
  if (::mlockall(MCL_CURRENT) == 0) return;
  spdlog::warn(
      "memory cannot be locked ({}), so that a snapshot may come late when memory is short: raise "
      "the limit (ulimit -l, LimitMEMLOCK=)",
      std::generic_category().message(errno));
}

Result<ExitStatus> watch(Lookout& lookout, Recorder& recorder, const Options& options) {
  CaptureGate gate(options.pressure.interval);
  while (!is_interrupted()) {
    auto occasion = lookout.wait();
    if (!occasion) return fail(std::move(occasion).error());
    if (!*occasion) {
      if (auto status = recorder.follow_memory(Clock::now()); !status)
        return fail(std::move(status).error());
      continue;
    }
    if (is_interrupted() || !gate.is_open((*occasion)->kind, Clock::now())) continue;
    auto taken = recorder.take(**occasion);
    gate.close((*occasion)->kind, Clock::now());
    if (options.pressure.ends_after_first) return taken;
    if (is_interrupted()) break;
    // the next one may succeed: a disk that is full today, another pobpf that holds the lock
    if (!taken) report(taken.error(), ExitStatus::kIncomplete, options.format);
  }
  return fail(interrupted());
}

}  // namespace

Result<ExitStatus> run_watch_pressure(const Options& options) {
  show_news(options);
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  raise_lock_limit();
  auto lookout = Lookout::open(options.pressure);
  if (!lookout) return fail(std::move(lookout).error());
  auto recorder = Recorder::open(options);
  if (!recorder) return fail(std::move(recorder).error());
  lock_memory();
  spdlog::info("ready: {}", lookout->is_woken_by_kernel()
                                ? "the kernel says when tasks wait for memory"
                                : "looks at the memory itself, from time to time");
  tell_service_manager("READY=1");
  return watch(*lookout, *recorder, options);
}

}  // namespace pobpf::cli
