// SPDX-License-Identifier: GPL-2.0-only
// PFN ranges to the elements of a reader's window map.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/pfn_range.h"
#include "pobpf/stream.h"

namespace pobpf {

/// log2 of the pages of a window that nothing cuts off: windows do not cross a multiple of that, so
/// each lies in one pageblock, one subsection and one section.
[[nodiscard]] unsigned window_order(unsigned pageblock_order);

/// Windows that cover `ranges`.
[[nodiscard]] std::uint64_t count_windows(const std::vector<PfnRange>& ranges, unsigned order);

/// Windows that a map has room for, of all of them: 128 KiB at most, so that a reader takes the
/// same memory on each machine. All maps full but the last one, which lacks less than one for each.
[[nodiscard]] std::uint64_t windows_at_once(std::uint64_t count);

/// Windows that cover exactly `ranges` (joined), ascending. They are made when they are wanted: a
/// terabyte has a million of them.
class WindowSource {
 public:
  WindowSource(std::vector<PfnRange> ranges, unsigned pageblock_order, std::uint32_t slot);

  /// All of them, whatever was taken.
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] bool is_at_end() const { return range_ == ranges_.size(); }
  /// Takes as many as there is room for, or are left; POBPF_NO_WINDOW stands behind the last one.
  void fill(std::span<pobpf_window> windows);

 private:
  std::vector<PfnRange> ranges_;
  std::uint64_t window_pages_;
  std::uint64_t count_;
  std::uint32_t slot_;
  std::size_t range_ = 0;  // of the next window, which begins with pfn_
  std::uint64_t pfn_ = 0;
};

}  // namespace pobpf
