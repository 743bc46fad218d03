// SPDX-License-Identifier: GPL-2.0-only
// Lists a directory of pins.
#pragma once

#include <string>
#include <vector>

#include "reader/pin.h"
#include "reader/pin_directory.h"
#include "util/error.h"

namespace pobpf {

/// kUsage, with os_errno, if there is none of that name or no directory.
[[nodiscard]] Result<PinInfo> read_pin(const PinDirectory& directory, const std::string& name);

/// By name. The directory must be there.
[[nodiscard]] Result<std::vector<PinInfo>> read_pins(const PinDirectory& directory);

}  // namespace pobpf
