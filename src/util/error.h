// SPDX-License-Identifier: GPL-2.0-only
// How functions below src/cli fail: a value or an Error, never an exit or an exception.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace pobpf {

/// Says what a caller does with an error; src/cli maps it to an exit status.
enum class ErrorKind {
  kFailed,       ///< it did not work (I/O, full disk, kernel refused): exit status 1
  kUsage,        ///< the request is wrong: exit status 2
  kUnsupported,  ///< this kernel or these privileges cannot: exit status 3
};

/// One failure. `what` is one sentence in plain words without a final stop; `hint` says what the
/// user can do and may be empty. `os_errno` is 0 where no system call failed.
struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string what;
  std::string hint;
  int os_errno = 0;

  /// Prepends what the caller was doing; the cause keeps its kind and number.
  [[nodiscard]] Error in(const std::string& context) && {
    what = context + ": " + what;
    return std::move(*this);
  }
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string what,
                                                std::string hint = {}, int os_errno = 0) {
  return tl::unexpected<Error>(Error{kind, std::move(what), std::move(hint), os_errno});
}

}  // namespace pobpf
