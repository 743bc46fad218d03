// SPDX-License-Identifier: GPL-2.0-only
// The version in a kernel's release. Distributions backport: it decides only what a kernel that
// cannot be asked was like.
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace pobpf {

struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;

  // clang-tidy 14 sees the 0 that the compiler compares with
  auto operator<=>(const KernelVersion&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// "6.12.1-amd64" (uname -r) is {6, 12}; no value if it does not begin with two numbers.
[[nodiscard]] std::optional<KernelVersion> parse_release(std::string_view release);

}  // namespace pobpf
