// SPDX-License-Identifier: GPL-2.0-only
#include "reader/sum_walk.h"

#include <fmt/format.h>
#include <numa.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "reader/chunks.h"
#include "reader/link_reader.h"

namespace pobpf {
namespace {

/// The threads of one walk share this.
class SumWalk {
 public:
  SumWalk(const bpf_program* program, const WindowRanges& windows, std::vector<Chunk> chunks,
          bool with_read_times)
      : program_(program),
        windows_(windows),
        queue_(std::move(chunks)),
        nr_windows_(count_windows(windows.ranges, window_order(windows.pageblock_order))),
        with_read_times_(with_read_times) {}

  /// Takes chunks until none is left; `on_progress` is empty for all threads but the first.
  void work(unsigned nid, const ProgressCallback& on_progress) {
    while (const auto chunk = queue_.take(nid)) {
      auto account = read(*chunk, on_progress);
      const std::lock_guard lock(mutex_);
      if (!account) {
        // the first error is the one that says why
        if (!error_) error_ = std::move(account).error();
        is_stopped_ = true;
        return;
      }
      account_.add(*account);
    }
  }

  Result<Account> finish() {
    if (error_) return fail(std::move(*error_));
    if (account_.windows != nr_windows_)
      return fail(ErrorKind::kFailed,
                  fmt::format("only {} of {} windows were read", account_.windows, nr_windows_),
                  "run pobpf again");
    return account_;
  }

 private:
  Result<Account> read(const Chunk& chunk, const ProgressCallback& on_progress) {
    auto link = LinkReader::open(
        program_, WindowSource(chunk.ranges, windows_.pageblock_order, windows_.slot), false,
        with_read_times_);
    if (!link) return fail(std::move(link).error());
    std::uint64_t before = 0;
    for (bool at_end = false; !at_end;) {
      if (is_stopped_) return fail(ErrorKind::kFailed, "interrupted");
      auto ended = link->read();
      if (!ended) return fail(std::move(ended).error());
      at_end = *ended;
      const std::uint64_t now = link->stream().account().windows;
      windows_done_ += now - before;
      before = now;
      if (on_progress && !on_progress({windows_done_, nr_windows_}))
        return fail(ErrorKind::kFailed, "interrupted");
    }
    Account account = link->stream().account();
    account.longest_read_ns = link->longest_read_ns();
    return account;
  }

  const bpf_program* program_;
  const WindowRanges& windows_;
  ChunkQueue queue_;
  std::uint64_t nr_windows_;
  bool with_read_times_;
  std::atomic<std::uint64_t> windows_done_ = 0;
  std::atomic<bool> is_stopped_ = false;
  std::mutex mutex_;  // of the two below
  Account account_;
  std::optional<Error> error_;
};

/// Memory of another node is dearer to read. Where that is not allowed (cpusets), threads run
/// anywhere.
void run_on_node(unsigned nid) {
  if (numa_available() >= 0) static_cast<void>(numa_run_on_node(static_cast<int>(nid)));
}

}  // namespace

Result<Account> walk_sums(const bpf_program* program, const WindowRanges& windows,
                          const std::vector<NodeSpan>& nodes, unsigned nr_threads,
                          bool with_read_times, const ProgressCallback& on_progress) {
  auto chunks =
      make_chunks(windows.ranges, window_order(windows.pageblock_order), nodes, nr_threads);
  nr_threads = std::min(nr_threads, static_cast<unsigned>(chunks.size()));
  SumWalk walk(program, windows, std::move(chunks), with_read_times);
  const auto nid_of_thread = [&](unsigned thread) {
    return nodes.empty() ? 0 : nodes[thread % nodes.size()].nid;
  };
  std::vector<std::thread> others;
  try {
    for (unsigned thread = 1; thread < nr_threads; ++thread) {
      others.emplace_back([&walk, &nodes, nid = nid_of_thread(thread)] {
        if (nodes.size() > 1) run_on_node(nid);
        walk.work(nid, {});
      });
    }
  } catch (const std::system_error&) {
    // a limit of processes: those that there are do all of the work
  }
  // this thread stays where its owner put it
  walk.work(nid_of_thread(0), on_progress);
  for (std::thread& other : others) other.join();
  return walk.finish();
}

}  // namespace pobpf
