// SPDX-License-Identifier: GPL-2.0-only
// Names that a pin may have.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "util/error.h"

namespace pobpf {

/// kUsage, with the rule that it breaks, for a name that bpffs does not take, that is not a file of
/// its directory, or that is ours (temporary_pin_name()).
[[nodiscard]] Status check_pin_name(std::string_view name);

/// Under which a task makes a pin that takes more than one step. Of the task, so that two that make
/// pins at a time do not take each other's, and what a killed one leaves behind is known as such.
/// No user's pin has such a name.
[[nodiscard]] std::string temporary_pin_name(int task);

/// Whether temporary_pin_name() made it, of whatever version.
[[nodiscard]] bool is_temporary_pin_name(std::string_view name);

/// The argument of temporary_pin_name(); nothing for other names.
[[nodiscard]] std::optional<int> task_of_temporary_pin(std::string_view name);

}  // namespace pobpf
