// SPDX-License-Identifier: GPL-2.0-only
#include "cli/terminal/logging.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "format/json_writer.h"
#include "kernel/libbpf_log.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

std::string level_name(spdlog::level::level_enum level) {
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

/// Whether systemd has connected stderr with the journal (JOURNAL_STREAM of systemd.exec(5)), and
/// nobody has redirected it since.
bool is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat file = {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &file) == 0 &&
         fmt::format("{}:{}", file.st_dev, file.st_ino) == stream;
}

/// The journal takes it off a line again: sd-daemon(3).
std::string priority_prefix(spdlog::level::level_enum level) {
  if (level >= spdlog::level::critical) return fmt::format("<{}>", LOG_CRIT);
  if (level >= spdlog::level::err) return fmt::format("<{}>", LOG_ERR);
  if (level >= spdlog::level::warn) return fmt::format("<{}>", LOG_WARNING);
  if (level >= spdlog::level::info) return fmt::format("<{}>", LOG_INFO);
  return fmt::format("<{}>", LOG_DEBUG);
}

/// Messages echo arguments, file names and symbols: none of them reaches the terminal raw.
class LineFormatter final : public spdlog::formatter {
 public:
  LineFormatter(Format format, bool with_priority)
      : format_(format), with_priority_(with_priority) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    std::string out = with_priority_ ? priority_prefix(message.level) : "";
    if (format_ == Format::kJson) {
      append_json(out, [&](JsonWriter& json) {
        json.member("level", level_name(message.level));
        json.member("message", text);
      });
    } else {
      out += "pobpf: ";
      if (message.level != spdlog::level::err) out += level_name(message.level) + ": ";
      append_escaped(out, text);
      out += '\n';
    }
    line.append(out.data(), out.data() + out.size());
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_, with_priority_);
  }

 private:
  Format format_;
  bool with_priority_;
};

const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kFailed:
      break;
  }
  return "failed";
}

}  // namespace

void set_up_logging(Format format, bool is_quiet, int verbosity) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  sink->set_formatter(std::make_unique<LineFormatter>(format, is_journal()));
  auto logger = std::make_shared<spdlog::logger>("pobpf", std::move(sink));
  auto level = is_quiet ? spdlog::level::err : spdlog::level::warn;
  if (verbosity == 1) level = spdlog::level::debug;
  if (verbosity > 1) level = spdlog::level::trace;
  logger->set_level(level);
  spdlog::set_default_logger(std::move(logger));
  route_libbpf_log();
}

void show_news(const Options& options) {
  if (!options.is_quiet && options.verbosity == 0) spdlog::set_level(spdlog::level::info);
}

void report(const Error& error, ExitStatus status, Format format) {
  if (format != Format::kJson) {
    spdlog::error("{}{}{}", error.what, error.hint.empty() ? "" : ": ", error.hint);
    return;
  }
  std::string line = is_journal() ? priority_prefix(spdlog::level::err) : "";
  append_json(line, [&](JsonWriter& json) {
    json.member("level", "error");
    json.member("message", error.what);
    if (!error.hint.empty()) json.member("hint", error.hint);
    if (status != ExitStatus::kIncomplete) json.member("kind", kind_name(error.kind));
    if (error.os_errno != 0) json.member("errno", error.os_errno);
    json.member("exit_status", static_cast<int>(status));
  });
  fmt::print(stderr, "{}", line);
}

}  // namespace pobpf::cli
