// SPDX-License-Identifier: GPL-2.0-only
// Writes a reader's parameters where the BPF programs look for them.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>

#include "model/compiled_filter.h"
#include "util/error.h"

namespace pobpf {

/// Whether inner maps of an earlier reader may be in a slot.
enum class SlotState { kNew, kUsedBefore };

/// Fills a slot of a loaded object's `readers` map and of its maps of maps, whose inner maps are as
/// large as this reader needs. They stay until the slot is filled again or the object goes: to take
/// one out makes the kernel wait for all programs that run, as putting one in does, 15 ms and more
/// (maybe_wait_bpf_programs()). kFailed if a map cannot be made or written.
Status install_reader_maps(const bpf_object* object, std::uint32_t slot, SlotState state,
                           const CompiledFilter& filter);

}  // namespace pobpf
