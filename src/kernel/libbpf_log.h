// SPDX-License-Identifier: GPL-2.0-only
// libbpf's messages: into our log at debug level, and the last warning kept for the error of the
// call that gave it.
#pragma once

#include <string>

#include "util/error.h"

namespace pobpf {

/// Routes libbpf's messages; call once before the first libbpf call.
void route_libbpf_log();

/// An Error for a system call that failed with `error` (an errno, negative or not). EPERM is
/// kUnsupported.
[[nodiscard]] Error libbpf_error(std::string what, int error);

/// One of libbpf's functions that say more than an errno does, in a warning: those that open, load
/// and attach. Begins before the call and lasts until its error is made, on one thread.
class LibbpfCall {
 public:
  LibbpfCall();
  /// libbpf_error() with the last warning that libbpf has given since, if any.
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): there must have been a
  // beginning
  [[nodiscard]] Error error(std::string what, int error) const;
};

}  // namespace pobpf
