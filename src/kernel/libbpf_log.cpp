// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

namespace pobpf {
namespace {

thread_local std::string last_warning;

__attribute__((format(printf, 2, 0))) int on_libbpf_message(libbpf_print_level level,
                                                            const char* format, va_list arguments) {
  // debug messages include whole verifier logs: format them only if somebody reads them
  if (level == LIBBPF_DEBUG && !spdlog::should_log(spdlog::level::trace)) return 0;
  // of any length: a verifier log says what is wrong in its last lines
  char* text = nullptr;
  // clang-tidy 14 takes a va_list that is a parameter for uninitialised
  const int length = ::vasprintf(&text, format, arguments);  // NOLINT(clang-analyzer-valist*)
  if (length < 0) return 0;
  const std::unique_ptr<char, decltype(&std::free)> owner(text, std::free);
  std::string message(text, static_cast<std::size_t>(length));
  while (!message.empty() && message.back() == '\n') message.pop_back();
  // the verifier's log itself is several lines; what is wanted for the user is the sentence
  if (level == LIBBPF_WARN && message.find('\n') == std::string::npos) last_warning = message;
  spdlog::log(level == LIBBPF_DEBUG ? spdlog::level::trace : spdlog::level::debug, "{}", message);
  return 0;
}

}  // namespace

void route_libbpf_log() { libbpf_set_print(on_libbpf_message); }

LibbpfCall::LibbpfCall() { last_warning.clear(); }

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): there must have been a beginning
Error LibbpfCall::error(std::string what, int error) const {
  Error result = libbpf_error(std::move(what), error);
  if (!last_warning.empty()) result.what += " (" + last_warning + ")";
  return result;
}

Error libbpf_error(std::string what, int error) {
  const int number = error < 0 ? -error : error;
  Error result;
  // EACCES is the verifier's answer, not a missing privilege
  result.kind = number == EPERM ? ErrorKind::kUnsupported : ErrorKind::kFailed;
  result.os_errno = number;
  result.what = std::move(what) + ": " + std::generic_category().message(number);
  result.hint = result.kind == ErrorKind::kUnsupported
                    ? "run `pobpf check` to see what is missing"
                    : "run again with --verbose for libbpf's messages";
  return result;
}

}  // namespace pobpf
