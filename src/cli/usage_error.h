// SPDX-License-Identifier: GPL-2.0-only
// What all checks of options fail with.
#pragma once

#include <string>
#include <utility>

#include "pobpf/error.h"

namespace pobpf::cli {

[[nodiscard]] inline tl::unexpected<Error> usage_error(std::string what, std::string hint = {}) {
  return fail(ErrorKind::kUsage, std::move(what), std::move(hint));
}

}  // namespace pobpf::cli
