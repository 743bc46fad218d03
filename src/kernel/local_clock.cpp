// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/local_clock.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "util/fd.h"

namespace pobpf {
namespace {

constexpr std::uint64_t kUncertaintyWanted = 1'000'000;  // ns
constexpr int kTries = 10;

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

tl::unexpected<Error> cannot(const std::string& what, int error) {
  Error result{
      ErrorKind::kUnsupported,
      "the kernel's clock cannot be read: " + what + ": " + std::generic_category().message(error),
      {},
      error};
  if (error == EACCES || error == EPERM)
    result.hint = "give pobpf CAP_PERFMON, or set kernel.perf_event_paranoid to 2";
  else if (error == ENOSYS || error == ENOENT)
    result.hint = "use a kernel built with CONFIG_PERF_EVENTS=y";
  return fail(std::move(result));
}

/// Ring buffer of a perf event: a page that describes it, and a page of records.
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, 2 * page_bytes());
  }
  [[nodiscard]] bool map(int event) {
    memory_ = ::mmap(nullptr, 2 * page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);
    return memory_ != MAP_FAILED;
  }
  /// Time of the last record since the last call; no value: there is none.
  std::optional<std::uint64_t> take_time() {
    auto* const page = static_cast<perf_event_mmap_page*>(memory_);
    const std::uint64_t head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
    std::optional<std::uint64_t> time;
    // all that sample_id_all adds to a record is the time, so that is its last field
    if (head - page->data_tail >= sizeof(std::uint64_t)) time = number_before(head);
    std::atomic_ref(page->data_tail).store(head, std::memory_order_release);
    return time;
  }

 private:
  static std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
  /// Records are multiples of 8 bytes, so a number does not straddle the end of the ring.
  [[nodiscard]] std::uint64_t number_before(std::uint64_t position) const {
    const std::size_t at = (position - sizeof(std::uint64_t)) % page_bytes();
    return *reinterpret_cast<const volatile std::uint64_t*>(static_cast<const char*>(memory_) +
                                                            page_bytes() + at);
  }
  void* memory_ = MAP_FAILED;
};

}  // namespace

Result<LocalClock> read_local_clock() {
  // without use_clockid, perf's clock is local_clock(): kernel/events/core.c: perf_event_clock()
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.sample_type = PERF_SAMPLE_TIME;
  attributes.sample_id_all = 1;
  attributes.comm = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  const Fd event(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return cannot("opening a perf event", errno);
  Ring ring;
  if (!ring.map(event.get())) return cannot("mapping a perf event", errno);

  std::array<char, 16> name{};
  if (::prctl(PR_GET_NAME, name.data()) != 0) return cannot("asking for our name", errno);
  LocalClock best{0, UINT64_MAX};
  for (int i = 0; i < kTries && best.uncertainty_ns > kUncertaintyWanted; ++i) {
    const std::uint64_t before = monotonic_ns();
    // the name that the thread has already: all that comes of it is a record
    if (::prctl(PR_SET_NAME, name.data()) != 0) return cannot("provoking a record", errno);
    const std::uint64_t lasted = monotonic_ns() - before;
    const auto time = ring.take_time();
    if (time && lasted < best.uncertainty_ns) best = {*time, lasted};
  }
  if (best.uncertainty_ns == UINT64_MAX)
    return fail(ErrorKind::kUnsupported,
                "the kernel's clock cannot be read: perf delivers no record",
                "use a duration with --age instead of a time");
  return best;
}

Result<FollowedClock> FollowedClock::start() {
  auto clock = read_local_clock();
  if (!clock) return fail(std::move(clock).error());
  return FollowedClock(clock->now_ns, monotonic_ns());
}

std::uint64_t FollowedClock::now_ns() const {
  return start_ns_ + (monotonic_ns() - monotonic_start_ns_);
}

}  // namespace pobpf
