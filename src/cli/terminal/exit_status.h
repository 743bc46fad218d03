// SPDX-License-Identifier: GPL-2.0-only
// The exit statuses; documented in the man page, so they never change.
#pragma once

#include "util/error.h"

namespace pobpf::cli {

enum class ExitStatus {
  kComplete = 0,
  kFailed = 1,
  kUsage = 2,
  kUnsupported = 3,  ///< this kernel or these privileges cannot
  kIncomplete = 4,   ///< finished, but something is missing
};

[[nodiscard]] constexpr ExitStatus exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return ExitStatus::kUsage;
    case ErrorKind::kUnsupported:
      return ExitStatus::kUnsupported;
    case ErrorKind::kFailed:
      break;
  }
  return ExitStatus::kFailed;
}

}  // namespace pobpf::cli
