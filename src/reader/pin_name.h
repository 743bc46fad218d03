// SPDX-License-Identifier: GPL-2.0-only
// What a pin may be called.
#pragma once

#include <string>
#include <string_view>

#include "pobpf/error.h"

namespace pobpf {

/// kUsage, with the rule that it breaks, for a name that bpffs does not take, that is no file of
/// its directory, or that is ours (temporary_pin_name()).
[[nodiscard]] Status check_pin_name(std::string_view name);

/// Under which a pin is made that is to replace another. No user's pin has such a name.
[[nodiscard]] std::string temporary_pin_name(std::string_view name);

/// Whether temporary_pin_name() made it.
[[nodiscard]] bool is_temporary_pin_name(std::string_view name);

}  // namespace pobpf
