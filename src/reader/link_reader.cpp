// SPDX-License-Identifier: GPL-2.0-only
#include "reader/link_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <numeric>
#include <system_error>

#include "kernel/libbpf_log.h"

namespace pobpf {
namespace {

Status write_windows(int map, std::span<const pobpf_window> windows) {
  // in batches: the map of a terabyte has a million elements, and one call copies them all
  constexpr std::size_t kBatch = 16384;
  std::vector<__u32> keys;
  for (std::size_t at = 0; at < windows.size(); at += kBatch) {
    const auto batch = windows.subspan(at, std::min(kBatch, windows.size() - at));
    keys.resize(batch.size());
    std::iota(keys.begin(), keys.end(), static_cast<__u32>(at));
    auto count = static_cast<__u32>(batch.size());
    const int error = bpf_map_update_batch(map, keys.data(), batch.data(), &count, nullptr);
    if (error != 0) return fail(libbpf_error("writing the windows", error));
    if (count != batch.size())
      return fail(ErrorKind::kFailed, "the kernel took only part of the windows");
  }
  return {};
}

}  // namespace

Result<LinkReader> LinkReader::open(const bpf_program* program,
                                    std::span<const pobpf_window> windows, bool expects_records,
                                    bool with_read_times) {
  Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "pobpf_windows", sizeof(__u32), sizeof(pobpf_window),
                        static_cast<__u32>(windows.size()), nullptr));
  if (!map) return fail(libbpf_error("making the window map", errno));
  if (auto status = write_windows(map.get(), windows); !status)
    return fail(std::move(status).error());

  bpf_iter_link_info target{};
  target.map.map_fd = static_cast<__u32>(map.get());
  LIBBPF_OPTS(bpf_iter_attach_opts, options);
  options.link_info = &target;
  options.link_info_len = sizeof(target);
  const LibbpfCall attaching;
  bpf_link* link = bpf_program__attach_iter(program, &options);
  if (link == nullptr) return fail(attaching.error("attaching the page walker", errno));
  // the iterator keeps the link alive; nothing else has to
  Fd iterator(bpf_iter_create(bpf_link__fd(link)));
  const int error = errno;
  bpf_link__destroy(link);
  if (!iterator) return fail(libbpf_error("starting the page walker", error));
  return LinkReader(std::move(map), std::move(iterator), expects_records, with_read_times);
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
    if (length == 0) {
      if (auto status = stream_.feed({}); !status) return fail(std::move(status).error());
      if (auto status = stream_.finish(); !status) return fail(std::move(status).error());
      return true;
    }
    const auto bytes = std::span(buffer_).first(static_cast<std::size_t>(length));
    if (auto status = stream_.feed(bytes); !status) return fail(std::move(status).error());
    return false;
  }
}

}  // namespace pobpf
