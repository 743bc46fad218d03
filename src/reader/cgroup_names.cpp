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

/// Not in its element yet, or the kernel's string could not be read: no cgroup has an empty name.
bool has_no_name(const pobpf_cgroup& cgroup) { return cgroup.name[0] == '\0'; }

}  // namespace

Status CgroupNames::begin_reading(std::uint64_t number, std::uint64_t oldest) {
  if (last_reading_ != 0) {
    // of what others have read, names may be asked for later
    auto status = for_each_element<std::uint64_t, pobpf_cgroup>(
        map_, ElementUse::kTakeOut, "taking names of cgroups out of their map",
        [this](std::uint64_t id, const pobpf_cgroup& cgroup) {
          if (!has_no_name(cgroup)) names_[id] = {text_of(cgroup), last_reading_};
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
  auto known = names_.find(cgroup_id);
  if (known == names_.end() || known->second.reading != last_reading_) {
    const auto cgroup = read(cgroup_id);
    if (!cgroup) return fail(cgroup.error());
    if (known == names_.end()) known = names_.try_emplace(cgroup_id).first;
    if (*cgroup && !has_no_name(**cgroup)) known->second.text = text_of(**cgroup);
    // also if it was another reading that met it: to ask for each of its pages is dear
    known->second.reading = last_reading_;
  }
  if (!known->second.text)
    return fail(ErrorKind::kFailed,
                fmt::format("the name of cgroup {} could not be read, or there was no room for it",
                            cgroup_id));
  return std::string_view(*known->second.text);
}

Result<std::string> CgroupNames::path(std::uint64_t cgroup_id) {
  if (paths_ == CgroupPaths::kNone) {
    const auto name = get(cgroup_id);
    if (!name) return fail(name.error());
    return std::string(*name);
  }
  std::string path;
  for (std::uint64_t id = cgroup_id; path.size() <= kPathBytesMax;) {
    const auto cgroup = read(id);
    if (!cgroup) return fail(cgroup.error());
    // a part of a path is that of another cgroup
    if (!*cgroup || has_no_name(**cgroup)) break;
    const pobpf_cgroup& level = **cgroup;
    if (level.is_root != 0) return path.empty() ? "/" : path;
    const std::size_t name_bytes = strnlen(level.path_name, sizeof(level.path_name));
    if (name_bytes == 0) break;
    path.insert(0, level.path_name, name_bytes);
    path.insert(0, 1, '/');
    id = level.parent_id;
  }
  return fail(ErrorKind::kFailed,
              fmt::format("the path of cgroup {} could not be read, or there was no room for it",
                          cgroup_id));
}

}  // namespace pobpf
