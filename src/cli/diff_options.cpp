// SPDX-License-Identifier: GPL-2.0-only
#include "cli/diff_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/archive_options.h"
#include "cli/option_value.h"
#include "cli/usage_error.h"

namespace pobpf::cli {
namespace {

constexpr const char* kHint = "see pobpf diff --help";

/// Files are named, or --latest chooses them.
Status check_sources(const RawDiffOptions& raw, DiffOptions& options) {
  if (raw.latest.size() > 1) return usage_error("--latest is given more than once", kHint);
  if (raw.directory.size() > 1) return usage_error("--dir is given more than once", kHint);
  const std::uint32_t nr_min = raw.finds_leaks ? 3 : 2;
  if (!raw.latest.empty()) {
    if (!raw.files.empty())
      return usage_error("--latest chooses the snapshots: no files are named", kHint);
    options.nr_latest = nr_min;
    const std::string& text = raw.latest.front();
    if (!text.empty()) {
      constexpr std::uint32_t kLatestMax = 10000;
      auto number = parse_number_between("--latest", text, nr_min, kLatestMax);
      if (!number) return fail(std::move(number).error());
      options.nr_latest = *number;
    }
    options.directory = raw.directory.empty() ? kDefaultDirectory : raw.directory.front();
    if (options.directory.empty()) return usage_error("--dir needs the name of a directory", kHint);
    return {};
  }
  if (!raw.directory.empty())
    return usage_error("--dir is for --latest, which is not given", "add --latest");
  if (std::any_of(raw.files.begin(), raw.files.end(), [](const auto& f) { return f.empty(); }))
    return usage_error("a snapshot has an empty name", kHint);
  if (raw.finds_leaks && raw.files.size() < 3)
    return usage_error("--leaks needs three snapshots or more", kHint);
  if (!raw.finds_leaks && raw.files.size() != 2)
    return usage_error("diff needs two snapshots: OLD NEW",
                       raw.files.size() > 2 ? "with --leaks it takes more" : kHint);
  return {};
}

}  // namespace

void add_diff_options(CLI::App& diff, RawDiffOptions& raw, RawTopOptions& rows) {
  diff.add_option("FILE", raw.files, "snapshots, the oldest first")
      ->type_name(" ")
      ->group("Snapshots");
  diff.add_flag("--leaks", raw.finds_leaks,
                "of three or more: what grew from each to the\nnext, by how fast")
      ->disable_flag_override()
      ->group("Snapshots");
  // the number may be left out
  diff.add_option(
          "--latest", raw.latest,
          "the last N of pobpf snapshot, of one host and with\nthe same filters, instead of "
          "files: the first and\nthe last of them, or with --leaks all; default 2, or 3")
      ->type_name("[N]")
      ->type_size(1)
      ->expected(0, 1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Snapshots");
  add_value(diff, "--dir", raw.directory, "DIR", "Snapshots",
            "where --latest looks; default /var/lib/pobpf");
  diff.add_flag("--salvage", raw.salvages, "compare what is intact of damaged files")
      ->disable_flag_override()
      ->group("Snapshots");
  add_row_options(diff, rows);
  add_value(diff, "--sort", raw.sort, "ORDER", "Rows",
            "change (default: the largest, up or down),\ngrowth, shrinkage, pages");
}

Result<DiffOptions> check_diff_options(const RawDiffOptions& raw) {
  DiffOptions options;
  options.paths = raw.files;
  options.finds_leaks = raw.finds_leaks;
  options.salvages = raw.salvages;
  if (auto status = check_sources(raw, options); !status) return fail(std::move(status).error());
  if (raw.sort.size() > 1) return usage_error("--sort is given more than once", kHint);
  if (raw.sort.empty()) {
    if (raw.finds_leaks) options.sort = CompareKey::kSlope;
    return options;
  }
  if (raw.finds_leaks)
    return usage_error("--leaks sorts by how fast groups grow", "leave --sort out");
  auto sort = parse_compare_key(raw.sort.front());
  if (!sort) return fail(std::move(sort).error().in("--sort"));
  options.sort = *sort;
  return options;
}

}  // namespace pobpf::cli
