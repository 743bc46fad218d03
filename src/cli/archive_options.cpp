// SPDX-License-Identifier: GPL-2.0-only
#include "cli/archive_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/option_value.h"
#include "cli/usage_error.h"
#include "model/byte_size.h"
#include "model/duration.h"
#include "model/name_list.h"

namespace pobpf::cli {
namespace {

constexpr std::uint32_t kKeepMax = 1'000'000;
/// 365 days: what is meant to end ends.
constexpr std::uint64_t kWaitMaxNs = 365 * kDayNs;

Status check_given_once(const RawArchiveOptions& raw) {
  const std::pair<const char*, const std::vector<std::string>&> single[] = {
      {"--dir", raw.directory},     {"--keep", raw.keep},         {"--max-age", raw.max_age},
      {"--max-size", raw.max_size}, {"--min-free", raw.min_free}, {"--thin-tiers", raw.tiers},
      {"--wait", raw.wait}};
  for (const auto& [name, values] : single)
    if (values.size() > 1) return usage_error(fmt::format("{} is given more than once", name));
  return {};
}

Status check_limits(const RawArchiveOptions& raw, RetentionLimits& limits) {
  if (!raw.keep.empty()) {
    auto number = parse_number_between("--keep", raw.keep.front(), 1, kKeepMax);
    if (!number) return fail(std::move(number).error());
    limits.nr_max = *number;
  }
  if (!raw.max_age.empty()) {
    auto age = parse_duration(raw.max_age.front());
    if (!age) return fail(std::move(age).error().in("--max-age"));
    if (*age == 0)
      return usage_error("--max-age: nothing but the new one would stay", "use --keep 1");
    limits.age_max_ns = *age;
  }
  if (!raw.max_size.empty()) {
    auto size = parse_byte_size(raw.max_size.front());
    if (!size) return fail(std::move(size).error().in("--max-size"));
    if (*size == 0)
      return usage_error("--max-size: nothing but the new one would stay", "use --keep 1");
    limits.bytes_max = *size;
  }
  if (raw.thins) limits.tiers = default_tiers();
  if (!raw.tiers.empty()) {
    auto tiers = parse_tiers(raw.tiers.front());
    if (!tiers) return fail(std::move(tiers).error().in("--thin-tiers"));
    limits.tiers = *std::move(tiers);
  }
  return {};
}

Result<std::chrono::nanoseconds> parse_wait(const std::string& text) {
  auto wait = parse_seconds(text);
  if (!wait) return fail(std::move(wait).error().in("--wait"));
  if (*wait > kWaitMaxNs) return usage_error("--wait: that is too long", "give a year or less");
  return std::chrono::nanoseconds(*wait);
}

}  // namespace

void add_archive_options(CLI::App& snapshot, RawArchiveOptions& raw, const char* directory) {
  constexpr const char* kPlace = "Directory";
  constexpr const char* kLimits = "What stays of older snapshots of this host (default: all)";
  const std::string description =
      fmt::format("default {};\nmade (mode 0750) if it is missing", directory);
  add_value(snapshot, "--dir", raw.directory, "DIR", kPlace, description.c_str());
  add_value(snapshot, "--wait", raw.wait, "SEC", kPlace,
            "wait so long for another pobpf that takes a\nsnapshot into DIR; default 0");
  add_value(snapshot, "--keep", raw.keep, "N", kLimits, "the last N, with the new one");
  add_value(snapshot, "--max-age", raw.max_age, "TIME", kLimits, "those up to so old: 36h, 30d");
  add_value(snapshot, "--max-size", raw.max_size, "SIZE", kLimits,
            "the last ones that together take no more: 2G");
  add_value(snapshot, "--min-free", raw.min_free, "SIZE", kLimits,
            "as many as leave so much of the file system free:\n5G or 10%; if none would, no "
            "snapshot is taken");
  snapshot
      .add_flag("--thin", raw.thins, "all of a day, one an hour for a week, one a day\nfor a year")
      ->disable_flag_override()
      ->group(kLimits);
  add_value(snapshot, "--thin-tiers", raw.tiers, "LIST", kLimits,
            "the same with tiers of your own: AGE:EVERY,...;\n--thin is 1d:all,1w:1h,365d:1d");
}

void add_dry_run(CLI::App& snapshot, RawArchiveOptions& raw) {
  snapshot.add_flag("--dry-run", raw.is_dry_run, "take none; say on stderr what one would remove")
      ->disable_flag_override()
      ->group("Other");
}

void add_list_options(CLI::App& list, RawArchiveOptions& raw) {
  list.add_option("DIR", raw.directory, "default /var/lib/pobpf")
      ->type_name(" ")
      ->expected(1)
      ->group("Directory");
}

Result<ArchiveOptions> check_archive_options(const RawArchiveOptions& raw, const char* directory) {
  if (auto status = check_given_once(raw); !status) return fail(std::move(status).error());
  ArchiveOptions options;
  options.is_dry_run = raw.is_dry_run;
  options.directory = raw.directory.empty() ? directory : raw.directory.front();
  if (options.directory.empty()) return usage_error("the name of the directory is empty");
  if (auto status = check_limits(raw, options.policy.limits); !status)
    return fail(std::move(status).error());
  if (!raw.min_free.empty()) {
    auto min_free = parse_byte_share(raw.min_free.front(), "the file system");
    if (!min_free) return fail(std::move(min_free).error().in("--min-free"));
    options.policy.min_free = *min_free;
  }
  if (!raw.wait.empty()) {
    auto wait = parse_wait(raw.wait.front());
    if (!wait) return fail(std::move(wait).error());
    options.wait = *wait;
  }
  return options;
}

}  // namespace pobpf::cli
