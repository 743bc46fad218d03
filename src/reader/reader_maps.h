// SPDX-License-Identifier: GPL-2.0-only
// Writes a reader's parameters where the BPF programs look for them.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <vector>

#include "model/compiled_filter.h"
#include "pobpf/error.h"

namespace pobpf {

/// A slot of a loaded object's `readers` map and of its maps of maps. The inner maps are as large as
/// this reader needs, and go away with it: take_back() before the slot is given to another.
class ReaderMaps {
 public:
  /// kFailed if a map cannot be made or written; nothing is left behind then.
  static Status install(const bpf_object* object, std::uint32_t slot, const CompiledFilter& filter);

  /// Takes the inner maps out of the object; a reader that is still open no longer finds them.
  static void take_back(const bpf_object* object, std::uint32_t slot);
};

}  // namespace pobpf
