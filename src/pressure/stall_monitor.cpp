// SPDX-License-Identifier: GPL-2.0-only
#include "pressure/stall_monitor.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <system_error>

#include "util/file.h"
#include "util/report_hint.h"

namespace pobpf {
namespace {

using std::chrono::microseconds;

constexpr std::size_t kPressureBytesMax = 4096;

/// "total=N" of the line that begins with `kind`.
std::optional<microseconds> total_of(std::string_view text, StallKind kind) {
  constexpr std::string_view kTotal = "total=";
  const std::string head = std::string(stall_kind_name(kind)) + " ";
  std::size_t at = text.starts_with(head) ? 0 : text.find("\n" + head);
  if (at == std::string_view::npos) return std::nullopt;
  at = text.find(kTotal, at);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  const char* const begin = text.data() + at + kTotal.size();
  if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc())
    return std::nullopt;
  return microseconds(value);
}

}  // namespace

Result<StallTotals> parse_pressure(std::string_view text) {
  const auto some = total_of(text, StallKind::kSome);
  const auto full = total_of(text, StallKind::kFull);
  if (!some || !full)
    return fail(ErrorKind::kFailed, "the kernel's pressure file has an unknown format",
                kReportKernel);
  return StallTotals{*some, *full};
}

Result<StallMonitor> StallMonitor::open(const std::filesystem::path& path,
                                        const StallLimit& limit) {
  // EOPNOTSUPP: built in, and off
  if (auto text = read_file(path, kPressureBytesMax); !text)
    return fail(ErrorKind::kUnsupported,
                fmt::format("this kernel tells no memory pressure: {}", text.error().what),
                "boot a kernel built with CONFIG_PSI=y, with psi=1 on its command line, or use "
                "--stall none");
  Fd trigger(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (trigger) {
    const std::string text = trigger_text(limit);
    // with its final NUL: the kernel takes the last byte for one
    if (::write(trigger.get(), text.c_str(), text.size() + 1) < 0) trigger.reset();
  }
  return StallMonitor(path, limit, std::move(trigger));
}

Result<bool> StallMonitor::check(Clock::time_point now) {
  auto text = read_file(path_, kPressureBytesMax);
  if (!text) return fail(std::move(text).error());
  auto totals = parse_pressure(*text);
  if (!totals) return fail(std::move(totals).error());
  samples_.push_back({now, limit_.kind == StallKind::kSome ? totals->some : totals->full});
  while (samples_.size() > 2 && now - samples_[1].when >= limit_.window) samples_.pop_front();
  // one from long before the window would count stalls that are over
  if (now - samples_.front().when > 2 * limit_.window) samples_.pop_front();
  return samples_.back().stalled - samples_.front().stalled >= limit_.stall;
}

}  // namespace pobpf
