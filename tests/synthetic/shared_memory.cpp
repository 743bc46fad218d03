// SPDX-License-Identifier: GPL-2.0-only
#include "synthetic/shared_memory.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "kernel/libbpf_log.h"
#include "map_address.skel.h"

namespace pobpf::synthetic {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kCacheLineBytes = 64;
// maps double in size: few of them for 64 GB, little memory for one section
constexpr std::size_t kMapBytesFirst = 8U << 20;
constexpr std::size_t kMapBytesMax = 256U << 20;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

}  // namespace

SharedMemory::~SharedMemory() {
  for (const Map& map : maps_) ::munmap(map.whole.user, map.nr_bytes);
}

Result<SharedMemory::Map> SharedMemory::make_map(std::size_t nr_bytes) {
  const std::unique_ptr<map_address_bpf, decltype(&map_address_bpf__destroy)> object(
      map_address_bpf__open(), map_address_bpf__destroy);
  if (!object) return fail(libbpf_error("opening the map of made-up memory", errno));
  const auto nr_entries = static_cast<__u32>(nr_bytes / kPageBytes);
  if (const int error = bpf_map__set_max_entries(object->maps.memory, nr_entries); error != 0)
    return fail(libbpf_error("sizing the map of made-up memory", error));
  if (const int error = map_address_bpf__load(object.get()); error != 0)
    return fail(libbpf_error("making the map of made-up memory", error));
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (const int error =
          bpf_prog_test_run_opts(bpf_program__fd(object->progs.tell_address), &options);
      error != 0)
    return fail(libbpf_error("asking for the address of made-up memory", error));
  Map map;
  map.nr_bytes = nr_bytes;
  map.fd = Fd(::fcntl(bpf_map__fd(object->maps.memory), F_DUPFD_CLOEXEC, 0));
  if (!map.fd) return fail(libbpf_error("keeping the map of made-up memory", errno));
  void* mapped = ::mmap(nullptr, nr_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd.get(), 0);
  if (mapped == MAP_FAILED) return fail(libbpf_error("mapping made-up memory", errno));
  map.whole = {static_cast<std::byte*>(mapped), object->bss->address};
  return map;
}

Result<Block> SharedMemory::allocate(std::size_t nr_bytes) {
  nr_bytes = round_up(nr_bytes, nr_bytes >= kPageBytes ? kPageBytes : kCacheLineBytes);
  if (maps_.empty() ||
      maps_.back().nr_bytes - round_up(maps_.back().nr_used, kPageBytes) < nr_bytes) {
    std::size_t size = maps_.empty() ? kMapBytesFirst : 2 * maps_.back().nr_bytes;
    size = std::max(std::min(size, kMapBytesMax), round_up(nr_bytes, kPageBytes));
    auto map = make_map(size);
    if (!map) return fail(std::move(map).error());
    maps_.push_back(std::move(*map));
  }
  Map& map = maps_.back();
  if (nr_bytes >= kPageBytes) map.nr_used = round_up(map.nr_used, kPageBytes);
  const Block block{map.whole.user + map.nr_used, map.whole.kernel + map.nr_used};
  map.nr_used += nr_bytes;
  return block;
}

Status SharedMemory::hide_from_children() {
  for (const Map& map : maps_)
    if (::madvise(map.whole.user, map.nr_bytes, MADV_DONTFORK) != 0)
      return fail(libbpf_error("hiding made-up memory from children", errno));
  return {};
}

}  // namespace pobpf::synthetic
