// SPDX-License-Identifier: GPL-2.0-only
#include "cli/diff_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/option_value.h"

namespace pobpf::cli {
namespace {

constexpr const char* kHint = "see pobpf diff --help";

tl::unexpected<Error> usage_error(std::string what, std::string hint) {
  return fail(ErrorKind::kUsage, std::move(what), std::move(hint));
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
  if (std::any_of(raw.files.begin(), raw.files.end(), [](const auto& f) { return f.empty(); }))
    return usage_error("a snapshot has an empty name", kHint);
  if (raw.finds_leaks && raw.files.size() < 3)
    return usage_error("--leaks needs three snapshots or more", kHint);
  if (!raw.finds_leaks && raw.files.size() != 2)
    return usage_error("diff needs two snapshots: OLD NEW",
                       raw.files.size() > 2 ? "with --leaks it takes more" : kHint);
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
