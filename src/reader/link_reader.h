// SPDX-License-Identifier: GPL-2.0-only
// One link with its own window map, and the file descriptor that reads it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "pobpf/abi.h"
#include "pobpf/error.h"
#include "pobpf/reader.h"
#include "reader/stream.h"
#include "util/fd.h"

struct bpf_link;
struct bpf_program;

namespace pobpf {

/// What an iterator delivers, read by read. Not thread-safe.
class LinkReader {
 public:
  /// Makes the window map, attaches `program` to it and starts reading at the first window.
  /// `windows` must not be empty.
  static Result<LinkReader> open(const bpf_program* program, std::span<const pobpf_window> windows,
                                 bool expects_records, bool with_read_times);

  /// One read(2) of at most `nr_bytes`; true at the end. Afterwards stream().pages() holds the
  /// records that it completed.
  Result<bool> read(std::size_t nr_bytes = POBPF_READ_BYTES);

  [[nodiscard]] const StreamParser& stream() const { return stream_; }
  [[nodiscard]] std::uint64_t longest_read_ns() const { return longest_read_ns_; }

 private:
  LinkReader(Fd window_map, Fd iterator, bool expects_records, bool with_read_times)
      : window_map_(std::move(window_map)),
        iterator_(std::move(iterator)),
        stream_(expects_records),
        with_read_times_(with_read_times) {}
  Fd window_map_;
  Fd iterator_;
  StreamParser stream_;
  std::vector<std::byte> buffer_;
  bool with_read_times_;
  std::uint64_t longest_read_ns_ = 0;
};

}  // namespace pobpf
