// SPDX-License-Identifier: GPL-2.0-only
#include "reader/reader_maps.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <span>

#include "kernel/libbpf_log.h"
#include "util/fd.h"

namespace pobpf {
namespace {

constexpr const char* kSets = "reader_sets";
constexpr const char* kCommTables = "reader_comm_tables";
constexpr const char* kStackRanges = "reader_stack_ranges";

/// A map with all of these elements, in batches: lists of pids have thousands.
template <typename Key, typename Value>
Result<Fd> make_map(bpf_map_type type, const char* name, __u32 flags, std::size_t max_entries,
                    std::span<const Key> keys, std::span<const Value> values) {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = flags;
  Fd map(bpf_map_create(type, name, sizeof(Key), sizeof(Value), static_cast<__u32>(max_entries),
                        &options));
  if (!map) return fail(libbpf_error(fmt::format("making the map {}", name), errno));
  constexpr std::size_t kBatch = 16384;
  for (std::size_t at = 0; at < keys.size();) {
    auto count = static_cast<__u32>(std::min(kBatch, keys.size() - at));
    const __u32 asked = count;
    const int error =
        bpf_map_update_batch(map.get(), keys.data() + at, values.data() + at, &count, nullptr);
    if (error != 0 || count != asked)
      return fail(libbpf_error(fmt::format("writing the map {}", name), error));
    at += asked;
  }
  return map;
}

template <typename Value>
Result<Fd> make_array(const char* name, __u32 flags, std::span<const Value> values) {
  std::vector<__u32> keys(values.size());
  std::iota(keys.begin(), keys.end(), 0U);
  return make_map<__u32, Value>(BPF_MAP_TYPE_ARRAY, name, flags, values.size(), keys, values);
}

Status put(const bpf_object* object, const char* outer, std::uint32_t slot,
           const Result<Fd>& inner) {
  if (!inner) return fail(Error(inner.error()));
  const int map = bpf_object__find_map_fd_by_name(object, outer);
  const int value = inner->get();
  // the outer map keeps the inner one alive
  if (map < 0 || bpf_map_update_elem(map, &slot, &value, BPF_ANY) != 0)
    return fail(libbpf_error(fmt::format("writing the map {}", outer), map < 0 ? map : errno));
  return {};
}

/// The members of the reader's set, with room for what the programs find out of stacks.
Result<Fd> make_set(const CompiledFilter& filter, bool has_stack_filter) {
  std::vector<pobpf_set_key> keys;
  std::vector<__u32> values;
  for (const auto& [key, bits] : filter.members) {
    keys.push_back(key);
    values.push_back(bits);
  }
  const std::size_t room = keys.size() + (has_stack_filter ? POBPF_STACK_CACHE_MAX : 0);
  return make_map<pobpf_set_key, __u32>(BPF_MAP_TYPE_HASH, "pobpf_set", BPF_F_NO_PREALLOC, room,
                                        keys, values);
}

Status install_inner_maps(const bpf_object* object, std::uint32_t slot, SlotState state,
                          const CompiledFilter& filter) {
  // what is put takes the place of what an earlier reader has left there
  const auto fill = [&](const char* outer, bool is_needed, const auto& make) -> Status {
    if (is_needed) return put(object, outer, slot, make());
    if (state == SlotState::kNew) return {};
    bpf_map_delete_elem(bpf_object__find_map_fd_by_name(object, outer), &slot);
    return {};
  };
  const bool has_stack_filter = (filter.params.active & 1U << POBPF_FILTER_STACK) != 0;
  if (auto status = fill(kSets, !filter.members.empty() || has_stack_filter,
                         [&] { return make_set(filter, has_stack_filter); });
      !status)
    return status;
  const auto make_comm_table = [&] {
    return make_array<pobpf_comm_table>("pobpf_comm", 0, std::span(&filter.comms->table, 1));
  };
  if (auto status = fill(kCommTables, filter.comms.has_value(), make_comm_table); !status)
    return status;
  return fill(kStackRanges, !filter.stack_ranges.empty(), [&] {
    return make_array<pobpf_stack_range>("pobpf_ranges", BPF_F_INNER_MAP, filter.stack_ranges);
  });
}

}  // namespace

Status install_reader_maps(const bpf_object* object, std::uint32_t slot, SlotState state,
                           const CompiledFilter& filter) {
  const int readers = bpf_object__find_map_fd_by_name(object, "readers");
  if (readers < 0 || bpf_map_update_elem(readers, &slot, &filter.params, BPF_ANY) != 0)
    return fail(libbpf_error("writing the reader's parameters", readers < 0 ? readers : errno));
  return install_inner_maps(object, slot, state, filter);
}

}  // namespace pobpf
