// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/recording_header.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "kernel/local_clock.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

/// Content of a file of /proc without its line end; empty if it cannot be read.
std::string read_line(const char* path) {
  constexpr std::size_t kBytesMax = 65536;
  auto content = read_file(path, kBytesMax);
  if (!content) return {};
  while (content->ends_with('\n')) content->pop_back();
  return *std::move(content);
}

}  // namespace

std::uint64_t wall_clock_ns() {
  using std::chrono::nanoseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<nanoseconds>(now).count());
}

std::string host_name() {
  utsname kernel{};
  return ::uname(&kernel) == 0 ? kernel.nodename : "";
}

SnapshotHeader make_recording_header(const Session& session, std::string filters) {
  SnapshotHeader header;
  header.pobpf_version = POBPF_VERSION;
  utsname kernel{};
  if (::uname(&kernel) == 0) {
    header.kernel_release = kernel.release;
    header.kernel_version = kernel.version;
    header.machine = kernel.machine;
    header.hostname = kernel.nodename;
  }
  header.command_line = read_line("/proc/cmdline");
  header.boot_id = read_line("/proc/sys/kernel/random/boot_id");
  header.page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  header.wall_clock_ns = wall_clock_ns();
  if (const auto clock = read_local_clock()) header.local_clock_ns = clock->now_ns;
  header.filters = std::move(filters);
  header.nodes = session.node_spans();
  header.max_nodes = session.max_nodes();
  header.facts = session.facts();
  header.page_types = session.page_types();
  return header;
}

}  // namespace pobpf::cli
