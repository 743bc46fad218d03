// SPDX-License-Identifier: GPL-2.0-only
// Where a text comes from: plain or compressed, a file, a pipe or memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "util/error.h"

namespace pobpf {

class TextSource {
 public:
  TextSource() = default;
  TextSource(const TextSource&) = delete;
  TextSource& operator=(const TextSource&) = delete;
  TextSource(TextSource&&) = delete;
  TextSource& operator=(TextSource&&) = delete;
  virtual ~TextSource() = default;
  /// Bytes put into `room`, at least one; 0 at the end of the text.
  virtual Result<std::size_t> read(std::span<char> room) = 0;
};

/// `path` may be "-", the standard input. What begins like gzip, xz or zstd is decompressed as it
/// is read, in bounded memory.
[[nodiscard]] Result<std::unique_ptr<TextSource>> open_text(const std::filesystem::path& path);

/// The same for bytes in memory, which must outlive it.
[[nodiscard]] Result<std::unique_ptr<TextSource>> open_text_bytes(std::string_view bytes);

}  // namespace pobpf
