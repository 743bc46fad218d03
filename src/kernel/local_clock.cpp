// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/local_clock.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "util/fd.h"

namespace pobpf {
namespace {

tl::unexpected<Error> no_clock(int error) {
  return fail(ErrorKind::kFailed,
              "the kernel's clock cannot be read: " + std::generic_category().message(error), {},
              error);
}

class Mapping {
 public:
  Mapping(int fd, std::size_t size)
      : start_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)), size_(size) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  Mapping(Mapping&&) = delete;
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (is_valid()) ::munmap(start_, size_);
  }
  [[nodiscard]] bool is_valid() const { return start_ != MAP_FAILED; }
  [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(start_); }

 private:
  void* start_;
  std::size_t size_;
};

}  // namespace

Result<std::uint64_t> local_clock_ns() {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.sample_type = PERF_SAMPLE_TIME;
  attributes.sample_id_all = 1;
  attributes.comm = 1;
  attributes.exclude_kernel = 1;
  const Fd event(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return no_clock(errno);
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const Mapping mapping(event.get(), 2 * page_bytes);
  if (!mapping.is_valid()) return no_clock(errno);

  // a task that takes a name, even its own, is an event
  std::array<char, 16> name{};
  if (::prctl(PR_GET_NAME, name.data()) != 0 || ::prctl(PR_SET_NAME, name.data()) != 0)
    return no_clock(errno);

  auto& control = *reinterpret_cast<perf_event_mmap_page*>(mapping.bytes());
  const std::uint64_t head = std::atomic_ref(control.data_head).load(std::memory_order_acquire);
  const std::byte* data = mapping.bytes() + page_bytes;
  std::uint64_t time = 0;
  for (std::uint64_t at = 0; at + sizeof(perf_event_header) <= head;) {
    perf_event_header header{};
    std::memcpy(&header, data + at, sizeof(header));
    if (header.size < sizeof(header) || at + header.size > head || head > page_bytes) break;
    // sample_id, here the time alone, ends each record
    if (header.type == PERF_RECORD_COMM)
      std::memcpy(&time, data + at + header.size - sizeof(time), sizeof(time));
    at += header.size;
  }
  if (time == 0) return no_clock(ENODATA);
  return time;
}

}  // namespace pobpf
