// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <utility>

#include "util/error.h"

namespace pobpf {

/// Damage of the file, found by a parser; the reader adds where it is and what to do.
[[nodiscard]] inline tl::unexpected<Error> contradiction(std::string what) {
  return fail(ErrorKind::kFailed, std::move(what));
}

}  // namespace pobpf
