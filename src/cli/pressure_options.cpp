// SPDX-License-Identifier: GPL-2.0-only
#include "cli/pressure_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/option_value.h"
#include "cli/usage_error.h"
#include "model/duration.h"

namespace pobpf::cli {
namespace {

constexpr const char* kStallDefault = "some:300ms/2s";
constexpr const char* kLowMemoryDefault = "3%";
constexpr const char* kIntervalDefault = "10m";

Result<std::string> single(const char* name, const std::vector<std::string>& values,
                           const char* otherwise) {
  if (values.size() > 1) return usage_error(fmt::format("{} is given more than once", name));
  return values.empty() ? otherwise : values.front();
}

}  // namespace

void add_pressure_options(CLI::App& watch, RawPressureOptions& raw) {
  constexpr const char* kWhen = "When memory is short";
  add_value(watch, "--stall", raw.stall, "LIMIT", kWhen,
            "tasks wait for memory so long: some:300ms/2s\n"
            "(default: at least one does, 300ms of 2s),\n"
            "full:1s/5s (all do), none");
  add_value(watch, "--low-memory", raw.low_memory, "SIZE", kWhen,
            "less can be allocated before something is killed\n"
            "(MemAvailable and free swap): 3% (default), 2G,\n"
            "none");
  add_value(watch, "--every", raw.interval, "TIME", kWhen,
            "one snapshot in so long at most, and one more if\n"
            "memory gets low meanwhile; default 10m");
  watch.add_flag("--once", raw.ends_after_first, "end after the first snapshot")
      ->disable_flag_override()
      ->group(kWhen);
}

Result<PressureOptions> check_pressure_options(const RawPressureOptions& raw) {
  PressureOptions options;
  options.ends_after_first = raw.ends_after_first;
  auto stall_text = single("--stall", raw.stall, kStallDefault);
  if (!stall_text) return fail(std::move(stall_text).error());
  auto stall = parse_stall_limit(*stall_text);
  if (!stall) return fail(std::move(stall).error().in("--stall"));
  options.stall = *stall;
  auto low_text = single("--low-memory", raw.low_memory, kLowMemoryDefault);
  if (!low_text) return fail(std::move(low_text).error());
  if (*low_text != "none") {
    auto low = parse_byte_share(*low_text, "the memory");
    if (!low) return fail(std::move(low).error().in("--low-memory"));
    options.low = *low;
  }
  if (!options.stall && !options.low)
    return usage_error("--stall none and --low-memory none leave nothing to watch for");
  auto interval_text = single("--every", raw.interval, kIntervalDefault);
  if (!interval_text) return fail(std::move(interval_text).error());
  auto interval = parse_duration(*interval_text);
  if (!interval) return fail(std::move(interval).error().in("--every"));
  if (*interval == 0)
    return usage_error("--every: snapshots would never end", "give some time, such as 10s");
  options.interval = std::chrono::nanoseconds(*interval);
  return options;
}

}  // namespace pobpf::cli
