// SPDX-License-Identifier: GPL-2.0-only
// One link with its own window map, and the file descriptors that read it one after the other.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "pobpf/stream.h"
#include "reader/session.h"
#include "reader/stream.h"
#include "reader/windows.h"
#include "util/error.h"
#include "util/fd.h"

struct bpf_program;

namespace pobpf {

/// munmap()
struct WindowUnmap {
  std::size_t nr_bytes = 0;
  void operator()(pobpf_window* windows) const;
};

/// An array that an iterator goes through and this process writes, where it lies.
class WindowMap {
 public:
  static Result<WindowMap> make(std::size_t nr_windows);
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::span<pobpf_window> windows() const { return {windows_.get(), nr_windows_}; }

 private:
  WindowMap() = default;
  Fd fd_;
  std::unique_ptr<pobpf_window, WindowUnmap> windows_;
  std::size_t nr_windows_ = 0;
};

/// Reads what an iterator delivers. The map has room for some of the windows only, so that
/// it is the same for each machine: when they are read, it is filled with the next ones and another
/// iterator of the link begins with them. Not thread-safe.
class LinkReader {
 public:
  /// Makes the window map, attaches `program` to it and starts reading at the first window. There
  /// must be one.
  static Result<LinkReader> open(const bpf_program* program, WindowSource windows,
                                 bool expects_records, bool with_read_times);

  /// One read(2) of at most `nr_bytes`; true at the end. Afterwards stream().pages() holds the
  /// records that it completed.
  Result<bool> read(std::size_t nr_bytes = POBPF_READ_BYTES);

  [[nodiscard]] const StreamParser& stream() const { return stream_; }
  [[nodiscard]] std::uint64_t longest_read_ns() const { return longest_read_ns_; }

 private:
  LinkReader(WindowSource source, WindowMap map, Fd link, bool expects_records,
             bool with_read_times)
      : source_(std::move(source)),
        map_(std::move(map)),
        link_(std::move(link)),
        stream_(expects_records),
        with_read_times_(with_read_times) {}
  /// Takes descriptors only, no privileges.
  Status begin_next_windows();

  WindowSource source_;
  WindowMap map_;
  Fd link_;
  Fd iterator_;
  StreamParser stream_;
  std::vector<std::byte> buffer_;
  bool with_read_times_;
  std::uint64_t longest_read_ns_ = 0;
};

}  // namespace pobpf
