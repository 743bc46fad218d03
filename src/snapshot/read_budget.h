// SPDX-License-Identifier: GPL-2.0-only
// Bounds what a file may take by its size, so that a small one cannot become gigabytes. Every
// decoder draws from the one budget of its reader before it keeps anything.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "util/error.h"

namespace pobpf {

/// The size of a text as it is longest, in JSON.
[[nodiscard]] std::uint64_t shown_bytes(std::string_view text);

class ReadBudget {
 public:
  /// The budget grows with the file, or, for a pipe, with what was read of it so far.
  void set_file_bytes(std::uint64_t bytes) { file_bytes_ = bytes; }
  void set_bytes_read(std::uint64_t bytes) { bytes_read_ = bytes; }

  /// Memory that is kept until the file is closed: of items, and bytes beside them.
  [[nodiscard]] Status keep(std::uint64_t nr_items, std::uint64_t bytes_of_item,
                            std::uint64_t bytes = 0);
  /// Bytes of output: of records; of stacks, each once and once more for each row of sums.
  [[nodiscard]] Status show_records(std::uint64_t bytes);
  [[nodiscard]] Status show_rows(std::uint64_t bytes);

  /// Rows of sums that there is room for, and bytes of their names.
  [[nodiscard]] std::uint32_t groups_max() const;
  [[nodiscard]] std::size_t row_bytes_max() const;

 private:
  [[nodiscard]] std::uint64_t allowed(std::uint64_t floor, std::uint64_t factor) const {
    return floor + factor * bytes();
  }
  [[nodiscard]] std::uint64_t bytes() const { return std::max(file_bytes_, bytes_read_); }

  std::uint64_t file_bytes_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t rows_ = 0;
};

}  // namespace pobpf
