// SPDX-License-Identifier: GPL-2.0-only
// Type information as libbpf has it.
#pragma once

#include <bpf/btf.h>

#include <memory>
#include <string>

namespace pobpf::test {

struct BtfDeleter {
  void operator()(btf* object) const { btf__free(object); }
};

using Btf = std::unique_ptr<btf, BtfDeleter>;

/// As the kernel shows them.
inline std::string bytes_of(const btf* object) {
  __u32 size = 0;
  const void* const data = btf__raw_data(object, &size);
  return {static_cast<const char*>(data), size};
}

}  // namespace pobpf::test
