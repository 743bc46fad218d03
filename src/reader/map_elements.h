// SPDX-License-Identifier: GPL-2.0-only
// All elements of a hash map, many a system call.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "kernel/libbpf_log.h"
#include "util/error.h"

namespace pobpf {

enum class ElementUse { kRead, kTakeOut };

/// Calls `on_element` with key and value of each. `what` is the subject of an error.
template <typename Key, typename Value, typename OnElement>
[[nodiscard]] Status for_each_element(int map, ElementUse use, const char* what,
                                      OnElement on_element) {
  const auto look_up =
      use == ElementUse::kRead ? bpf_map_lookup_batch : bpf_map_lookup_and_delete_batch;
  // a batch ends at the end of a hash bucket: it must hold the fullest one
  std::uint32_t batch = 512;
  std::vector<Key> keys;
  std::vector<Value> values;
  std::uint32_t position = 0;
  std::uint32_t* from = nullptr;
  for (bool at_end = false; !at_end;) {
    keys.resize(batch);
    values.resize(batch);
    std::uint32_t count = batch;
    const int error = look_up(map, from, &position, keys.data(), values.data(), &count, nullptr);
    if (error == -ENOSPC) {
      batch *= 2;
      continue;
    }
    at_end = error == -ENOENT;
    if (error != 0 && !at_end) return fail(libbpf_error(what, error));
    for (std::uint32_t i = 0; i < count; ++i) on_element(keys[i], values[i]);
    from = &position;
  }
  return {};
}

}  // namespace pobpf
