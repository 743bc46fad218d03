// SPDX-License-Identifier: GPL-2.0-only
// What a file may take by its size, so that a small one cannot become gigabytes. Every decoder
// draws from the one budget of its reader before it keeps anything.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pobpf/error.h"

namespace pobpf {

class ReadBudget {
 public:
  /// How much of the file was read so far; what may be taken grows with it.
  void set_bytes_read(std::uint64_t bytes) { bytes_read_ = bytes; }

  /// Memory that is kept until the file is closed: of items, and bytes beside them.
  [[nodiscard]] Status keep(std::uint64_t nr_items, std::uint64_t bytes_of_item,
                            std::uint64_t bytes = 0);
  /// Bytes of output that all stacks become, or all records beyond what is usual.
  [[nodiscard]] Status show(std::uint64_t bytes);

  /// Rows of sums that there is room for, and bytes of their names.
  [[nodiscard]] std::uint32_t groups_max() const;
  [[nodiscard]] std::size_t row_bytes_max() const;

 private:
  [[nodiscard]] std::uint64_t allowed(std::uint64_t floor, std::uint64_t factor) const {
    return floor + factor * bytes_read_;
  }

  std::uint64_t bytes_read_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t shown_ = 0;
};

}  // namespace pobpf
