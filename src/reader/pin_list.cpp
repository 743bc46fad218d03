// SPDX-License-Identifier: GPL-2.0-only
// Lists a directory of pins: asks the kernel's BPF objects, from the file to the maps of
// its program.
#include "reader/pin_list.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "kernel/libbpf_log.h"
#include "pobpf/pin_abi.h"
#include "util/bounded.h"
#include "util/fd.h"

namespace pobpf {
namespace {

struct DirCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// "bpf-map" for the file descriptor of a map, and so on: the kernel tells the kind only here.
std::string kind_of(int fd) {
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), error).string();
  for (const char* kind : {"map", "prog", "link"})
    if (target.ends_with(fmt::format("bpf-{}", kind)) ||
        target.ends_with(fmt::format("bpf_{}", kind)))
      return std::string_view(kind) == "prog" ? "program" : kind;
  return "BPF object";
}

Error cannot_ask(const char* what) {
  Error error = libbpf_error(fmt::format("asking about {}", what), errno);
  if (error.os_errno == EPERM) error.hint = "looking into BPF objects takes CAP_SYS_ADMIN: be root";
  return error;
}

template <typename Info>
Result<Info> info_of(int fd, const char* what) {
  Info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return fail(cannot_ask(what));
  return info;
}

struct ProgramMap {
  Fd fd;
  bpf_map_info info{};

  [[nodiscard]] std::string_view name() const {
    return {info.name, strnlen(info.name, sizeof(info.name))};
  }
  [[nodiscard]] Result<std::vector<std::byte>> first_element() const {
    std::vector<std::byte> value(info.value_size);
    const __u32 key = 0;
    if (bpf_map_lookup_elem(fd.get(), &key, value.data()) != 0)
      return fail(cannot_ask("a pin's map"));
    return value;
  }
};

Result<std::vector<ProgramMap>> maps_of(__u32 program_id) {
  const Fd program(bpf_prog_get_fd_by_id(program_id));
  if (!program) return fail(cannot_ask("a pin's program"));
  auto info = info_of<bpf_prog_info>(program.get(), "a pin's program");
  if (!info) return fail(std::move(info).error());
  std::vector<__u32> ids(info->nr_map_ids);
  bpf_prog_info with_ids{};
  with_ids.nr_map_ids = static_cast<__u32>(ids.size());
  with_ids.map_ids = reinterpret_cast<__u64>(ids.data());
  __u32 size = sizeof(with_ids);
  if (bpf_obj_get_info_by_fd(program.get(), &with_ids, &size) != 0)
    return fail(cannot_ask("a pin's program"));
  std::vector<ProgramMap> maps;
  for (const __u32 id : ids) {
    ProgramMap map{Fd(bpf_map_get_fd_by_id(id)), {}};
    if (!map.fd) return fail(cannot_ask("a pin's map"));
    auto map_info = info_of<bpf_map_info>(map.fd.get(), "a pin's map");
    if (!map_info) return fail(std::move(map_info).error());
    map.info = *map_info;
    maps.push_back(std::move(map));
  }
  return maps;
}

/// The map that makes a program one of ours, of whatever version.
const ProgramMap* find_tag(const std::vector<ProgramMap>& maps) {
  constexpr std::size_t kBytesMin = offsetof(pobpf_pin, abi) + sizeof(__u32);
  for (const ProgramMap& map : maps)
    if (map.name() == POBPF_PIN_MAP && map.info.type == BPF_MAP_TYPE_ARRAY &&
        map.info.key_size == sizeof(__u32) && map.info.value_size >= kBytesMin)
      return &map;
  return nullptr;
}

/// From a link to what its maps say; `pin` stays foreign if they are none of ours.
Status read_link(int link, PinInfo& pin) {
  auto info = info_of<bpf_link_info>(link, "a link");
  if (!info) return fail(std::move(info).error());
  if (info->type != BPF_LINK_TYPE_ITER) return {};
  auto maps = maps_of(info->prog_id);
  if (!maps) return fail(std::move(maps).error());

  const ProgramMap* tag = find_tag(*maps);
  if (tag == nullptr) return {};
  auto bytes = tag->first_element();
  if (!bytes) return fail(std::move(bytes).error());
  pobpf_pin content{};
  std::memcpy(&content, bytes->data(), std::min(bytes->size(), sizeof(content)));
  if (content.magic != POBPF_PIN_MAGIC) return {};

  pin.kind = PinKind::kOtherVersion;
  pin.what.clear();
  pin.version = bounded(content.version);
  if (content.abi != POBPF_PIN_ABI || bytes->size() != sizeof(content)) return {};

  pin.kind = PinKind::kOurs;
  pin.mode = static_cast<pobpf_mode>(content.mode);
  pin.view_text = bounded(content.view);
  pin.nr_pages = content.nr_pages;
  if (content.has_nodes != 0) {
    pin.nodes.emplace();
    for (unsigned nid = 0; nid < POBPF_MAX_NODES; ++nid)
      pin.nodes->set(nid, (content.nid_mask[nid / 64] >> (nid % 64) & 1) != 0);
  }
  return {};
}

Status unlink_pin(const PinDirectory& directory, const std::string& name) {
  if (::unlinkat(directory.fd(), name.c_str(), 0) == 0) return {};
  const int error = errno;
  return fail(ErrorKind::kFailed,
              fmt::format("removing {}: {}", name, std::generic_category().message(error)), {},
              error);
}

}  // namespace

Result<PinInfo> read_pin(const PinDirectory& directory, const std::string& name) {
  PinInfo pin;
  pin.name = name;
  struct stat info {};
  if (::fstatat(directory.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(ErrorKind::kUsage, fmt::format("there is no pin {}", pin.name),
                "pobpf pins lists them", errno);
  pin.uid = info.st_uid;
  pin.gid = info.st_gid;
  pin.permissions = info.st_mode & 07777;
  if (!S_ISREG(info.st_mode)) {
    pin.what = S_ISDIR(info.st_mode) ? "directory" : S_ISLNK(info.st_mode) ? "link" : "file";
    return pin;
  }
  const Fd object(bpf_obj_get(directory.path_of(name).c_str()));
  if (!object) {
    // files of the kernel's own (maps.debug) cannot be got
    if (errno != EACCES && errno != EPERM) {
      pin.what = "file";
      return pin;
    }
    return fail(cannot_ask(name.c_str()));
  }
  pin.what = kind_of(object.get());
  if (pin.what != "link") return pin;
  pin.what = "BPF link";
  if (auto status = read_link(object.get(), pin); !status) return fail(std::move(status).error());
  return pin;
}

Result<std::vector<PinInfo>> read_pins(const PinDirectory& directory) {
  std::vector<PinInfo> pins;
  Fd fd(::openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, DirCloser> entries(fd ? ::fdopendir(fd.get()) : nullptr);
  if (!entries) return fail(cannot_ask("a directory of pins"));
  static_cast<void>(fd.release());
  while (const dirent* entry = ::readdir(entries.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    auto pin = read_pin(directory, name);
    if (!pin) {
      // gone since
      if (pin.error().os_errno == ENOENT) continue;
      return fail(std::move(pin).error());
    }
    pins.push_back(std::move(*pin));
  }
  std::sort(pins.begin(), pins.end(),
            [](const PinInfo& a, const PinInfo& b) { return a.name < b.name; });
  return pins;
}

Result<std::vector<PinInfo>> list_pins(const std::filesystem::path& path) {
  route_libbpf_log();
  auto directory = PinDirectory::find(path);
  if (!directory) return fail(std::move(directory).error());
  return directory->exists() ? read_pins(*directory) : std::vector<PinInfo>();
}

Status remove_pin(const std::filesystem::path& path, const std::string& name) {
  route_libbpf_log();
  auto directory = PinDirectory::find(path);
  if (!directory) return fail(std::move(directory).error());
  auto pin = read_pin(*directory, name);
  if (!pin) return fail(std::move(pin).error());
  if (pin->kind == PinKind::kForeign)
    return fail(ErrorKind::kUsage,
                fmt::format("{} is not a pin of pobpf but a {}", name, pin->what),
                "remove it with rm if that is what you want");
  if (auto status = unlink_pin(*directory, name); !status) return status;
  directory->remove_if_empty();
  return {};
}

Status remove_all_pins(const std::filesystem::path& path) {
  route_libbpf_log();
  auto directory = PinDirectory::find(path);
  if (!directory) return fail(std::move(directory).error());
  if (!directory->exists()) return {};
  auto pins = read_pins(*directory);
  if (!pins) return fail(std::move(pins).error());
  for (const PinInfo& pin : *pins) {
    if (pin.kind == PinKind::kForeign) continue;
    if (auto status = unlink_pin(*directory, pin.name); !status) return status;
  }
  directory->remove_if_empty();
  return {};
}

}  // namespace pobpf
