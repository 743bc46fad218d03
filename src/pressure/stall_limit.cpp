// SPDX-License-Identifier: GPL-2.0-only
#include "pressure/stall_limit.h"

#include <fmt/format.h>

#include "model/duration.h"

namespace pobpf {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

// kernel/sched/psi.c: WINDOW_MIN_US, WINDOW_MAX_US
constexpr microseconds kWindowMin{500'000};
constexpr microseconds kWindowMax{10'000'000};

constexpr const char* kHint = "write it like some:300ms/2s or full:1s/5s, or none";

tl::unexpected<Error> refuse(std::string what) {
  return fail(ErrorKind::kUsage, std::move(what), kHint);
}

Result<microseconds> parse_time(std::string_view text) {
  auto time = parse_duration(text);
  if (!time) return fail(std::move(time).error());
  return duration_cast<microseconds>(nanoseconds(*time));
}

}  // namespace

const char* stall_kind_name(StallKind kind) { return kind == StallKind::kSome ? "some" : "full"; }

std::string trigger_text(const StallLimit& limit) {
  return fmt::format("{} {} {}", stall_kind_name(limit.kind), limit.stall.count(),
                     limit.window.count());
}

Result<std::optional<StallLimit>> parse_stall_limit(std::string_view text) {
  if (text == "none") return std::optional<StallLimit>();
  const std::size_t colon = text.find(':');
  const std::size_t slash = text.find('/');
  if (colon == std::string_view::npos || slash == std::string_view::npos || slash < colon)
    return refuse(fmt::format("'{}' is not a limit of stalls", text));
  StallLimit limit;
  const std::string_view kind = text.substr(0, colon);
  if (kind == "full")
    limit.kind = StallKind::kFull;
  else if (kind != "some")
    return refuse(fmt::format("'{}' is not a kind of stalls", kind));
  auto stall = parse_time(text.substr(colon + 1, slash - colon - 1));
  if (!stall) return fail(std::move(stall).error());
  auto window = parse_time(text.substr(slash + 1));
  if (!window) return fail(std::move(window).error());
  if (*window < kWindowMin || *window > kWindowMax)
    return refuse("the kernel takes windows of 500ms to 10s");
  if (*stall <= microseconds(0) || *stall > *window)
    return refuse("stalls must be longer than nothing and no longer than the window");
  limit.stall = *stall;
  limit.window = *window;
  return std::optional(limit);
}

}  // namespace pobpf
