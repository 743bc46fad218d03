// SPDX-License-Identifier: GPL-2.0-only
#include "reader/cgroup_names.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "kernel/libbpf_log.h"
#include "pobpf/abi.h"
#include "reader/map_elements.h"

namespace pobpf {
namespace {

/// PATH_MAX: a path that is longer is not one that anybody can give.
constexpr std::size_t kPathBytesMax = 4096;

std::string text_of(const pobpf_cgroup& cgroup) {
  return {cgroup.name, strnlen(cgroup.name, sizeof(cgroup.name))};
}

}  // namespace

Status CgroupNames::begin_reading(std::uint64_t number, std::uint64_t oldest) {
  if (last_reading_ != 0) {
    // of what others have read, names may be asked for later
    auto status = for_each_element<std::uint64_t, pobpf_cgroup>(
        map_, ElementUse::kTakeOut, "taking names of cgroups out of their map",
        [this](std::uint64_t id, const pobpf_cgroup& cgroup) {
          names_[id] = {text_of(cgroup), last_reading_};
        });
    if (!status) return status;
    std::erase_if(names_, [oldest](const auto& entry) { return entry.second.reading < oldest; });
  }
  last_reading_ = number;
  return {};
}

Result<std::optional<pobpf_cgroup>> CgroupNames::read(std::uint64_t cgroup_id) const {
  pobpf_cgroup cgroup{};
  const int error = bpf_map_lookup_elem(map_, &cgroup_id, &cgroup);
  if (error == -ENOENT) return std::optional<pobpf_cgroup>();
  if (error != 0)
    return fail(libbpf_error(fmt::format("reading the name of cgroup {}", cgroup_id), error));
  return std::optional(cgroup);
}

Result<std::string_view> CgroupNames::get(std::uint64_t cgroup_id) {
  if (const auto known = names_.find(cgroup_id);
      known != names_.end() && known->second.reading == last_reading_)
    return std::string_view(known->second.text);
  const auto cgroup = read(cgroup_id);
  if (!cgroup) return fail(cgroup.error());
  if (*cgroup)
    names_[cgroup_id] = {text_of(**cgroup), last_reading_};
  else
    names_.try_emplace(cgroup_id, Name{fmt::format("(cgroup {})", cgroup_id), last_reading_});
  return std::string_view(names_.find(cgroup_id)->second.text);
}

Result<std::string> CgroupNames::path(std::uint64_t cgroup_id) {
  const auto name = get(cgroup_id);
  if (!name) return fail(name.error());
  std::string path;
  for (std::uint64_t id = cgroup_id; path.size() <= kPathBytesMax;) {
    const auto cgroup = read(id);
    if (!cgroup) return fail(cgroup.error());
    if (!*cgroup) break;
    const pobpf_cgroup& level = **cgroup;
    if (level.is_root != 0) return path.empty() ? "/" : path;
    path.insert(0, level.path_name, strnlen(level.path_name, sizeof(level.path_name)));
    path.insert(0, 1, '/');
    id = level.parent_id;
  }
  return std::string(*name);
}

}  // namespace pobpf
