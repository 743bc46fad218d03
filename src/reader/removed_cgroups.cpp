// SPDX-License-Identifier: GPL-2.0-only
#include "reader/removed_cgroups.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernel/cgroup_path.h"
#include "model/cgroup_text.h"

namespace pobpf {
namespace {

struct RemovedCgroup {
  std::uint64_t id;
  std::string path;
};

/// Whether it is a path, and nothing is there.
bool is_gone(const std::string& given) {
  if (parse_cgroup_id(given).value_or(std::nullopt)) return false;
  const auto id = find_cgroup_id(given);
  return !id && id.error().kind == ErrorKind::kUsage;
}

/// Those that pages are charged to. One whose path cannot be read is not found by it.
Result<std::vector<RemovedCgroup>> removed_cgroups(const SessionOptions& options) {
  SessionOptions needed;
  needed.without_features = options.without_features;
  needed.with_pages = false;
  needed.with_stacks = false;
  auto session = Session::open(needed);
  if (!session) return fail(std::move(session).error());
  SumRequest request;
  request.group_by = POBPF_GROUP_MEMCG;
  auto sums = (*session)->sum_groups({}, request, {});
  if (!sums) return fail(std::move(sums).error());
  std::vector<RemovedCgroup> removed;
  for (const auto& [key, sum] : sums->groups) {
    if ((key.memcg_flags & POBPF_MEMCG_OFFLINE) == 0) continue;
    if (auto path = (*session)->cgroup_path(key.cgroup_id); path)
      removed.push_back({key.cgroup_id, *std::move(path)});
  }
  return removed;
}

}  // namespace

Status find_removed_cgroups(FilterSpec& filter, const SessionOptions& options) {
  auto& memcgs = filter.memcgs;
  if (std::ranges::none_of(memcgs.wanted, is_gone) &&
      std::ranges::none_of(memcgs.rejected, is_gone))
    return {};
  auto removed = removed_cgroups(options);
  if (!removed) return fail(std::move(removed).error());
  for (auto* list : {&memcgs.wanted, &memcgs.rejected}) {
    std::vector<std::string> found;
    for (std::string& given : *list) {
      const std::size_t nr_before = found.size();
      if (is_gone(given))
        for (const RemovedCgroup& cgroup : *removed)
          if (is_in_cgroup(cgroup.path, given)) found.push_back(fmt::format("id:{}", cgroup.id));
      if (found.size() == nr_before) found.push_back(std::move(given));
    }
    *list = std::move(found);
  }
  return {};
}

}  // namespace pobpf
