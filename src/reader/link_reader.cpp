// SPDX-License-Identifier: GPL-2.0-only
#include "reader/link_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "kernel/libbpf_log.h"

namespace pobpf {
void WindowUnmap::operator()(pobpf_window* windows) const { ::munmap(windows, nr_bytes); }

Result<WindowMap> WindowMap::make(std::size_t nr_windows) {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = BPF_F_MMAPABLE;
  WindowMap map;
  map.fd_.reset(bpf_map_create(BPF_MAP_TYPE_ARRAY, "pobpf_windows", sizeof(__u32),
                               sizeof(pobpf_window), static_cast<__u32>(nr_windows), &options));
  if (!map.fd_) return fail(libbpf_error("making the window map", errno));
  const std::size_t nr_bytes = nr_windows * sizeof(pobpf_window);
  void* const memory =
      ::mmap(nullptr, nr_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd_.get(), 0);
  if (memory == MAP_FAILED) return fail(libbpf_error("mapping the window map", errno));
  map.windows_ = {static_cast<pobpf_window*>(memory), WindowUnmap{nr_bytes}};
  map.nr_windows_ = nr_windows;
  return map;
}

Result<LinkReader> LinkReader::open(const bpf_program* program, WindowSource windows,
                                    bool expects_records, bool with_read_times) {
  auto map = WindowMap::make(windows_at_once(windows.count()));
  if (!map) return fail(std::move(map).error());
  bpf_iter_link_info target{};
  target.map.map_fd = static_cast<__u32>(map->fd());
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.iter_info = &target;
  options.iter_info_len = sizeof(target);
  Fd link(bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, &options));
  if (!link) return fail(libbpf_error("attaching the page walker", errno));
  LinkReader reader(std::move(windows), *std::move(map), std::move(link), expects_records,
                    with_read_times);
  if (auto status = reader.begin_next_windows(); !status) return fail(std::move(status).error());
  return reader;
}

Status LinkReader::begin_next_windows() {
  source_.fill(map_.windows());
  // its buffer and its descriptor are those that the next one takes
  iterator_.reset();
  iterator_.reset(bpf_iter_create(link_.get()));
  return iterator_ ? Status() : fail(libbpf_error("starting the page walker", errno));
}

Result<bool> LinkReader::read(std::size_t nr_bytes) {
  buffer_.resize(nr_bytes);
  while (true) {
    using Clock = std::chrono::steady_clock;
    const auto started = with_read_times_ ? Clock::now() : Clock::time_point();
    const ssize_t length = ::read(iterator_.get(), buffer_.data(), buffer_.size());
    if (with_read_times_) {
      const std::chrono::nanoseconds spent = Clock::now() - started;
      longest_read_ns_ = std::max(longest_read_ns_, static_cast<std::uint64_t>(spent.count()));
    }
    if (length < 0) {
      // EAGAIN: a million windows without output, which accounts make impossible; harmless anyway
      if (errno == EINTR || errno == EAGAIN) continue;
      return fail(ErrorKind::kFailed,
                  "reading the page walker: " + std::generic_category().message(errno),
                  "run again with --verbose for libbpf's messages", errno);
    }
    if (length == 0 && source_.is_at_end()) {
      if (auto status = stream_.feed({}); !status) return fail(std::move(status).error());
      if (auto status = stream_.finish(); !status) return fail(std::move(status).error());
      return true;
    }
    if (length == 0) {
      if (auto status = begin_next_windows(); !status) return fail(std::move(status).error());
      continue;
    }
    const auto bytes = std::span(buffer_).first(static_cast<std::size_t>(length));
    if (auto status = stream_.feed(bytes); !status) return fail(std::move(status).error());
    return false;
  }
}

}  // namespace pobpf
