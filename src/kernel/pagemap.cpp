// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/pagemap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

#include "util/fd.h"

namespace pobpf {
namespace {

// Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;
constexpr std::uint64_t kPfnMask = (1ULL << 55) - 1;

tl::unexpected<Error> no_access(const std::filesystem::path& directory, std::uint64_t pid,
                                int error) {
  std::error_code ignored;
  if (!std::filesystem::exists(directory, ignored))
    return fail(ErrorKind::kUsage, fmt::format("there is no process {}", pid),
                "its number is that of the first column of ps");
  if (error == ESRCH)
    return fail(ErrorKind::kUsage, fmt::format("process {} has no memory of its own", pid),
                "it is a kernel thread, or has ended");
  if (error == EACCES || error == EPERM)
    return fail(ErrorKind::kUnsupported,
                fmt::format("this process may not look into process {}", pid),
                "run pobpf as root: it takes CAP_SYS_PTRACE and CAP_SYS_ADMIN", error);
  return fail(ErrorKind::kFailed,
              fmt::format("reading the page map of process {}: {}", pid,
                          std::generic_category().message(error)),
              {}, error);
}

/// Whether /proc/PID/maps has the address.
bool is_mapped(const std::filesystem::path& directory, std::uint64_t address) {
  std::ifstream maps(directory / "maps");
  for (std::string line; std::getline(maps, line);) {
    char* end = nullptr;
    const std::uint64_t begin = std::strtoull(line.c_str(), &end, 16);
    if (*end != '-') continue;
    if (begin <= address && address < std::strtoull(end + 1, nullptr, 16)) return true;
  }
  return false;
}

}  // namespace

Result<std::uint64_t> pfn_of_address(const std::filesystem::path& proc, std::uint64_t pid,
                                     std::uint64_t address) {
  const auto directory = proc / std::to_string(pid);
  const Fd pagemap(::open((directory / "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap) return no_access(directory, pid, errno);
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t offset = address / page_bytes * sizeof(std::uint64_t);
  std::uint64_t entry = 0;
  const ssize_t got = ::pread(pagemap.get(), &entry, sizeof(entry), static_cast<off_t>(offset));
  if (got < 0) return no_access(directory, pid, errno);
  const auto nothing_mapped = [&] {
    return fail(ErrorKind::kUsage,
                fmt::format("process {} has nothing mapped at {:#x}", pid, address),
                "/proc/PID/maps lists what it has");
  };
  // beyond the end of user space, and of kernel threads and zombies
  if (got != sizeof(entry)) return nothing_mapped();
  if ((entry & kSwapped) != 0)
    return fail(ErrorKind::kUsage,
                fmt::format("the page at {:#x} of process {} is swapped out", address, pid),
                "it has no page in memory; try again once the process has used it");
  if ((entry & kPresent) == 0) {
    if (!is_mapped(directory, address)) return nothing_mapped();
    return fail(ErrorKind::kUsage,
                fmt::format("no page is present at {:#x} of process {}", address, pid),
                "it is mapped there, but was not used yet, or was dropped");
  }
  // fs/proc/task_mmu.c: pagemap_read() shows PFN 0, which is never mapped, without the capability
  if ((entry & kPfnMask) == 0)
    return fail(ErrorKind::kUnsupported, "the kernel hides the PFNs of /proc/PID/pagemap",
                "run pobpf with CAP_SYS_ADMIN");
  return entry & kPfnMask;
}

}  // namespace pobpf
