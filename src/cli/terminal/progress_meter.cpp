// SPDX-License-Identifier: GPL-2.0-only
#include "cli/terminal/progress_meter.h"
#include "cli/terminal/interrupt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace pobpf::cli {
namespace {

constexpr std::chrono::milliseconds kQuietTime{1000};
constexpr std::chrono::milliseconds kInterval{200};
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

ProgressMeter::ProgressMeter(const Options& options, bool output_interleaves)
    : is_wanted_(::isatty(STDERR_FILENO) == 1 && !options.is_quiet && options.verbosity == 0 &&
                 !output_interleaves),
      next_(Clock::now() + kQuietTime) {}

ProgressMeter::~ProgressMeter() {
  if (is_shown_) static_cast<void>(std::fputs(kClearLine, stderr));
}

void ProgressMeter::update(const Progress& progress, std::optional<std::uint64_t> pages) {
  if (!is_wanted_ || progress.windows_total == 0) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  is_shown_ = true;
  std::string line = fmt::format("{}{} % of the memory read", kClearLine,
                                 progress.windows_done * 100 / progress.windows_total);
  if (pages) line += fmt::format(", {} records", *pages);
  // stderr is unbuffered: one write a line
  static_cast<void>(std::fputs(line.c_str(), stderr));
}

ProgressCallback ProgressMeter::callback() {
  return [this](const Progress& progress) {
    update(progress, std::nullopt);
    return !is_interrupted();
  };
}

}  // namespace pobpf::cli
