// SPDX-License-Identifier: GPL-2.0-only
#include "reader/sum_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "kernel/libbpf_log.h"
#include "reader/map_elements.h"

namespace pobpf {
namespace {

constexpr pobpf_group_key other_groups() {
  pobpf_group_key key{};
  key.is_other = 1;
  return key;
}

}  // namespace

Result<SumMap> SumMap::install(const bpf_map* reader_sums, std::uint32_t slot,
                               std::uint32_t groups_max) {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = BPF_F_NO_PREALLOC;
  Fd map(bpf_map_create(BPF_MAP_TYPE_HASH, "pobpf_sums", sizeof(pobpf_group_key),
                        sizeof(pobpf_group_sum), groups_max + 1, &options));
  if (!map) return fail(libbpf_error("making the map of sums", errno));
  const pobpf_group_key key = other_groups();
  const pobpf_group_sum nothing{};
  if (bpf_map_update_elem(map.get(), &key, &nothing, BPF_NOEXIST) != 0)
    return fail(libbpf_error("writing the map of sums", errno));
  const int outer = bpf_map__fd(reader_sums);
  const int inner = map.get();
  if (bpf_map_update_elem(outer, &slot, &inner, BPF_ANY) != 0)
    return fail(libbpf_error("putting the map of sums in its place", errno));
  return SumMap(std::move(map));
}

Status SumMap::read(GroupSums& sums) const {
  return for_each_element<pobpf_group_key, pobpf_group_sum>(
      map_.get(), ElementUse::kRead, "reading the sums",
      [&sums](const pobpf_group_key& key, const pobpf_group_sum& sum) {
        if (key.is_other != 0)
          sums.other = sum;
        else
          sums.groups.push_back({key, sum});
      });
}

}  // namespace pobpf
