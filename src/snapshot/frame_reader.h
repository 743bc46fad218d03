// SPDX-License-Identifier: GPL-2.0-only
// The frames of a file, one after the other, of which any byte may be wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "util/error.h"
#include "util/fd.h"

struct ZSTD_DCtx_s;

namespace pobpf {

/// The first bytes of a zstd frame.
constexpr std::string_view kFrameMagic("\x28\xb5\x2f\xfd", 4);

/// Reads forward only, so a pipe will do. Holds one frame at a time.
class FrameReader {
 public:
  explicit FrameReader(Fd fd);

  /// The content of the next frame, valid until the next call; sets `at_end` instead where the file
  /// ends. An error with os_errno: the file cannot be read. One without: the frame is damaged, and
  /// resynchronize() may go on behind it.
  [[nodiscard]] Result<std::string_view> next(bool& at_end);
  /// Looks for the next place that could be a frame, one byte behind the damaged one at the
  /// earliest. False: there is none up to the end of the file.
  [[nodiscard]] Result<bool> resynchronize();
  /// Bytes of the file in front of the next frame, or of the damaged one.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  struct ContextDeleter {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  [[nodiscard]] std::string_view available() const {
    return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  [[nodiscard]] Status fill(std::size_t nr_bytes);
  [[nodiscard]] Result<std::size_t> frame_bytes();
  void skip(std::size_t nr_bytes);

  Fd fd_;
  std::unique_ptr<ZSTD_DCtx_s, ContextDeleter> context_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what was read and not used
  std::size_t end_ = 0;
  bool is_file_end_ = false;
  std::uint64_t position_ = 0;
  std::string content_;
};

}  // namespace pobpf
