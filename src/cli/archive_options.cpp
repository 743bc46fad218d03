// SPDX-License-Identifier: GPL-2.0-only
#include "cli/archive_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/option_value.h"
#include "model/byte_size.h"
#include "model/duration.h"
#include "model/name_list.h"

namespace pobpf::cli {
namespace {

constexpr std::uint32_t kKeepMax = 1'000'000;
/// 365 days: what is meant to end ends.
constexpr std::uint64_t kWaitMaxNs = 365ULL * 86400 * 1'000'000'000;

tl::unexpected<Error> usage_error(std::string what, std::string hint = {}) {
  return fail(ErrorKind::kUsage, std::move(what), std::move(hint));
}

Status check_given_once(const RawArchiveOptions& raw) {
  const std::pair<const char*, const std::vector<std::string>&> single[] = {
      {"--dir", raw.directory},     {"--keep", raw.keep},         {"--max-age", raw.max_age},
      {"--max-size", raw.max_size}, {"--min-free", raw.min_free}, {"--thin-tiers", raw.tiers},
      {"--wait", raw.wait}};
  for (const auto& [name, values] : single)
    if (values.size() > 1) return usage_error(fmt::format("{} is given more than once", name));
  return {};
}

Result<MinFree> parse_min_free(const std::string& text) {
  if (!text.ends_with('%')) {
    auto size = parse_byte_size(text);
    if (!size) return fail(std::move(size).error());
    return MinFree{*size, 0};
  }
  constexpr double kPercentMax = 99;
  double percent = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [at, error] = std::from_chars(text.data(), end, percent, std::chars_format::fixed);
  if (error != std::errc() || at != end || !(percent >= 0 && percent <= kPercentMax))
    return usage_error(fmt::format("'{}' is no share of the file system", shown(text)),
                       "give 0% to 99%, or a size such as 2G");
  return MinFree{0, percent};
}

Status check_limits(const RawArchiveOptions& raw, RetentionLimits& limits) {
  if (!raw.keep.empty()) {
    auto number = parse_number("--keep", raw.keep.front(), 1, kKeepMax);
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
  // a plain number is seconds, as in --watch
  const bool is_plain = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  auto wait = parse_duration(is_plain ? text + "s" : text);
  if (!wait) return fail(std::move(wait).error().in("--wait"));
  if (*wait > kWaitMaxNs) return usage_error("--wait: that is too long", "give a year or less");
  return std::chrono::nanoseconds(*wait);
}

}  // namespace

void add_archive_options(CLI::App& snapshot, RawArchiveOptions& raw) {
  constexpr const char* kPlace = "Directory";
  constexpr const char* kLimits = "What stays of older snapshots of this host (default: all)";
  add_value(snapshot, "--dir", raw.directory, "DIR", kPlace,
            "default /var/lib/pobpf; made (mode 0750) if it is\nmissing");
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
  snapshot.add_flag("--dry-run", raw.is_dry_run, "take none; say on stderr what one would remove")
      ->disable_flag_override()
      ->group(kLimits);
}

void add_list_options(CLI::App& list, RawArchiveOptions& raw) {
  list.add_option("DIR", raw.directory, "default /var/lib/pobpf")
      ->type_name(" ")
      ->expected(0, 1)
      ->group("Directory");
}

Result<ArchiveOptions> check_archive_options(const RawArchiveOptions& raw) {
  if (auto status = check_given_once(raw); !status) return fail(std::move(status).error());
  ArchiveOptions options;
  options.is_dry_run = raw.is_dry_run;
  if (!raw.directory.empty()) options.directory = raw.directory.front();
  if (options.directory.empty()) return usage_error("the name of the directory is empty");
  if (auto status = check_limits(raw, options.policy.limits); !status)
    return fail(std::move(status).error());
  if (!raw.min_free.empty()) {
    auto min_free = parse_min_free(raw.min_free.front());
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
