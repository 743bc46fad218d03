// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/account_report.h"

#include <fmt/format.h>

#include <vector>

#include "cli/commands/counted.h"
#include "format/json_writer.h"

namespace pobpf::cli {
namespace {

struct AccountLine {
  const char* name;
  std::uint64_t count;
  const char* meaning;
};

/// Without what is not known.
std::vector<AccountLine> lines_of(const Account& account) {
  std::vector<AccountLine> lines;
  account.for_each_known([&](const char* name, std::uint64_t count, const char* meaning) {
    lines.push_back({name, count, meaning});
  });
  return lines;
}

}  // namespace

std::string account_report(const Account& account, Format format) {
  if (format == Format::kJson) {
    std::string out;
    append_json(out, [&](JsonWriter& json) {
      json.object("stats", [&] {
        for (const AccountLine& line : lines_of(account)) json.member(line.name, line.count);
        // the parts of "filtered"
        for (std::size_t i = 0; i < account.filtered.size(); ++i)
          json.member(fmt::format("filtered_{}", kFilterNames[i]), account.filtered[i]);
      });
    });
    return out;
  }
  std::string table;
  for (const AccountLine& line : lines_of(account))
    table += fmt::format("{:<15} {:>14}  {}\n", line.name, line.count, line.meaning);
  for (std::size_t i = 0; i < account.filtered.size(); ++i)
    if (account.filtered[i] != 0)
      table += fmt::format("{:<15} {:>14}  of the filtered ones, by this filter\n",
                           fmt::format("filtered_{}", kFilterNames[i]), account.filtered[i]);
  return table;
}

std::optional<Error> incompleteness(const Account& account, const Losses& losses) {
  std::vector<std::string> reasons;
  if (account.torn != 0)
    reasons.push_back(counted(account.torn, "page that changed while it was read",
                              "pages that changed while they were read"));
  if (account.errors != 0)
    reasons.push_back(
        counted(account.errors, "page that could not be read", "pages that could not be read"));
  if (account.cgroup_errors != 0)
    reasons.push_back(counted(account.cgroup_errors, "page whose cgroup is not known",
                              "pages whose cgroup is not known"));
  if (!account.is_balanced())
    reasons.emplace_back("pages that nothing accounts for (a bug: see --stats)");
  if (losses.count != 0)
    reasons.push_back(counted(losses.count, "record", "records") +
                      " with a part that could not be read (" + losses.first.what + ")");
  const bool is_transient = !reasons.empty();
  if (losses.ungrouped_pages != 0)
    reasons.push_back(counted(losses.ungrouped_pages, "page of a group that there was no room for",
                              "pages of groups that there was no room for"));
  const bool needs_room = !reasons.empty() && !is_transient;
  if (losses.sums_without_allocations != 0)
    reasons.push_back(counted(losses.sums_without_allocations,
                              "sum that does not say how many allocations it is of",
                              "sums that do not say how many allocations they are of"));
  if (reasons.empty()) return std::nullopt;
  const char* hint = "the imported text had only pages";
  if (is_transient)
    hint = "run pobpf again if this matters";
  else if (needs_room && losses.is_file_too_small)
    hint = "no more of them are made of a file of this size: narrow the view down with filters";
  else if (needs_room)
    hint = "raise --max-groups, or narrow the view down with filters";
  return Error{ErrorKind::kFailed,
               fmt::format("finished, but not complete because of {}", fmt::join(reasons, ", ")),
               hint, 0};
}

}  // namespace pobpf::cli
