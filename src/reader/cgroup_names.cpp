// SPDX-License-Identifier: GPL-2.0-only
#include "reader/cgroup_names.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "kernel/libbpf_log.h"
#include "pobpf/names.h"
#include "reader/map_elements.h"
#include "util/bounded.h"

namespace pobpf {
namespace {

/// PATH_MAX: a path that is longer is not one that anybody can give.
constexpr std::size_t kPathBytesMax = 4096;

/// No value for one that is not in the map.
template <typename Value>
Result<std::optional<Value>> look_up(int map, std::uint64_t cgroup_id) {
  Value value{};
  const int error = bpf_map_lookup_elem(map, &cgroup_id, &value);
  if (error == -ENOENT) return std::optional<Value>();
  if (error != 0)
    return fail(libbpf_error(fmt::format("reading the name of cgroup {}", cgroup_id), error));
  return std::optional(value);
}

/// Not in its element yet, or the kernel's string could not be read: no cgroup has an empty name.
bool has_no_name(const pobpf_cgroup& cgroup) { return cgroup.name[0] == '\0'; }

}  // namespace

Status CgroupNames::begin_reading(std::uint64_t number, std::uint64_t oldest) {
  if (last_reading_ != 0) {
    // before the names: what an earlier reading meets meanwhile is noted again, not noted half
    auto status = for_each_element<std::uint64_t, pobpf_cgroup_level>(
        paths_map_, ElementUse::kTakeOut, "taking paths of cgroups out of their map",
        [](std::uint64_t /*id*/, const pobpf_cgroup_level& /*level*/) {});
    if (!status) return status;
    // of what others have read, names may be asked for later
    status = for_each_element<std::uint64_t, pobpf_cgroup>(
        names_map_, ElementUse::kTakeOut, "taking names of cgroups out of their map",
        [this](std::uint64_t id, const pobpf_cgroup& cgroup) {
          if (has_no_name(cgroup)) return;
          names_[id].text = bounded(cgroup.name);
          names_[id].reading = last_reading_;
        });
    if (!status) return status;
    std::erase_if(names_, [oldest](const auto& entry) { return entry.second.reading < oldest; });
  }
  last_reading_ = number;
  return {};
}

Result<std::string_view> CgroupNames::get(std::uint64_t cgroup_id) {
  auto known = names_.find(cgroup_id);
  if (known == names_.end() || known->second.reading != last_reading_) {
    const auto cgroup = look_up<pobpf_cgroup>(names_map_, cgroup_id);
    if (!cgroup) return fail(cgroup.error());
    if (known == names_.end()) known = names_.try_emplace(cgroup_id).first;
    if (*cgroup && !has_no_name(**cgroup)) known->second.text = bounded((*cgroup)->name);
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
  Name& known = names_[cgroup_id];
  if (known.path_reading != last_reading_) {
    if (auto status = read_path(cgroup_id, known); !status) return fail(std::move(status).error());
    known.path_reading = last_reading_;
  }
  if (known.path) return *known.path;
  return fail(ErrorKind::kFailed,
              fmt::format("the path of cgroup {} could not be read, or there was no room for it",
                          cgroup_id));
}

std::vector<std::uint64_t> CgroupNames::above(std::uint64_t cgroup_id) {
  // reads it
  return path(cgroup_id) ? names_[cgroup_id].above : std::vector<std::uint64_t>();
}

/// Leaves `to` as it is if the path is not in the map as far as the root.
Status CgroupNames::read_path(std::uint64_t cgroup_id, Name& to) const {
  std::string path;
  std::vector<std::uint64_t> above;
  for (std::uint64_t id = cgroup_id; path.size() <= kPathBytesMax;) {
    const auto level = look_up<pobpf_cgroup_level>(paths_map_, id);
    if (!level) return fail(level.error());
    // a part of a path is that of another cgroup
    if (!*level || (*level)->name[0] == '\0') break;
    if ((*level)->name[0] == '/') {
      to.path = path.empty() ? "/" : std::move(path);
      to.above = std::move(above);
      break;
    }
    path.insert(0, bounded((*level)->name));
    path.insert(0, 1, '/');
    id = (*level)->parent_id;
    above.push_back(id);
  }
  return {};
}

}  // namespace pobpf
