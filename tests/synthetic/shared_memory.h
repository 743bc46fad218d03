// SPDX-License-Identifier: GPL-2.0-only
// Kernel memory that this process writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "util/error.h"
#include "util/fd.h"

namespace pobpf::synthetic {

/// A piece of it: the same bytes at two addresses.
struct Block {
  std::byte* user = nullptr;
  std::uint64_t kernel = 0;
};

/// Grows by BPF array maps that are mapped into this process; zeroed. Not thread-safe. The kernel
/// maps such memory in pages of 4 KiB, where it has struct page and page_ext in large ones: the TLB
/// misses more often than on a real machine.
class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  SharedMemory(SharedMemory&&) = delete;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  /// kUnsupported where this process may not use BPF. Blocks of a page and more begin on a page.
  Result<Block> allocate(std::size_t nr_bytes);

  /// Children made by fork() will not have it mapped: what they use of memory is their own.
  Status hide_from_children();

 private:
  struct Map {
    Fd fd;
    Block whole;
    std::size_t nr_bytes = 0;
    std::size_t nr_used = 0;
  };
  static Result<Map> make_map(std::size_t nr_bytes);

  std::vector<Map> maps_;
};

}  // namespace pobpf::synthetic
