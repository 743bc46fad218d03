// SPDX-License-Identifier: GPL-2.0-only
// The few of the kernel's types that a BPF object asks for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernel/btf.h"
#include "util/error.h"
#include "util/fd.h"

struct bpf_object;
struct btf;

namespace pobpf {

/// Type information with the kernel's types of the names that `object` (the type information of a
/// BPF object) has, each with the members that are named anywhere in it. libbpf relocates CO-RE
/// accesses against it just as against all of the kernel's types, which it would read once more and
/// go through from end to end for each type. Ids are not the kernel's. `bpftool gen min_core_btf`
/// makes the same, from files.
[[nodiscard]] Result<std::vector<std::byte>> excerpt_btf(const KernelBtf& kernel,
                                                         const btf* object);

/// Where libbpf finds an excerpt: it wants the name of a file when it opens an object, and reads it
/// when it loads the object.
class ExcerptFile {
 public:
  static Result<ExcerptFile> make();
  /// For bpf_object_open_opts::btf_custom_path, as long as this lives.
  [[nodiscard]] const char* path() const { return path_.c_str(); }
  /// Writes what `object`, which was opened with path(), needs to be loaded.
  Status write(const KernelBtf& kernel, const bpf_object* object);

 private:
  explicit ExcerptFile(Fd file);
  Fd file_;
  std::string path_;
};

}  // namespace pobpf
