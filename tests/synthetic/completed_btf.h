// SPDX-License-Identifier: GPL-2.0-only
// The running kernel's type information, completed by the types of page_owner where it lacks them.
#pragma once

#include <string>

#include "util/error.h"

namespace pobpf::synthetic {

/// A file with BTF that libbpf relocates the walker against (bpf_object_open_opts.btf_custom_path).
///
/// Every type of the running kernel keeps its id, since the programs hand ids to bpf_rdonly_cast(),
/// for which the kernel looks them up in its own BTF. What the kernel lacks takes the place of a
/// struct that nothing here uses and that has plain 64-bit numbers where page_owner and page_ext
/// have their members: the verifier then allows the same loads, which are all that matters.
class CompletedBtf {
 public:
  static Result<CompletedBtf> make();
  CompletedBtf(const CompletedBtf&) = delete;
  CompletedBtf& operator=(const CompletedBtf&) = delete;
  CompletedBtf(CompletedBtf&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  CompletedBtf& operator=(CompletedBtf&&) = delete;
  /// Removes the file.
  ~CompletedBtf();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit CompletedBtf(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace pobpf::synthetic
