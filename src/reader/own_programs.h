// SPDX-License-Identifier: GPL-2.0-only
// Telling our own BPF programs from the rest of the kernel's code.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "util/error.h"

struct bpf_object;

namespace pobpf {

/// A frame of a stack can lie in memory that was freed since (a module's init code), and the kernel
/// may have put our own programs there: it would then name a program that was loaded long after the
/// allocation. The kernel without us prints such an address as a number.
class OwnPrograms {
 public:
  OwnPrograms() = default;
  /// Programs of a loaded object, subprograms included.
  static Result<OwnPrograms> of(const bpf_object* object);
  /// For tests: tags as the kernel prints them, 16 hexadecimal digits.
  explicit OwnPrograms(std::set<std::string> tags) : tags_(std::move(tags)) {}

  /// True for "bpf_prog_<tag>_<name>+0x.../0x..." (kernel/bpf/core.c: bpf_get_prog_name()) with a
  /// tag of ours. A second pobpf has the same tags.
  [[nodiscard]] bool contains(std::string_view symbol) const;

 private:
  std::set<std::string> tags_;
};

}  // namespace pobpf
