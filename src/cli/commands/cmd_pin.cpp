// SPDX-License-Identifier: GPL-2.0-only
// pobpf pin, pins and unpin: views as files that `cat` reads.
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "format/json_writer.h"
#include "format/text_table.h"
#include "reader/pin.h"
#include "reader/removed_cgroups.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

const char* mode_name(pobpf_mode mode) {
  switch (mode) {
    case POBPF_MODE_HANDLE:
      return "handle";
    case POBPF_MODE_STACK_HANDLE:
      return "stack_handle";
    case POBPF_MODE_STACK:
      break;
  }
  return "stack";
}

std::string user_name(uid_t uid) {
  const passwd* user = ::getpwuid(uid);  // NOLINT(concurrency-mt-unsafe)
  return user != nullptr ? user->pw_name : std::to_string(uid);
}

std::string group_name(gid_t gid) {
  const group* found = ::getgrgid(gid);  // NOLINT(concurrency-mt-unsafe)
  return found != nullptr ? found->gr_name : std::to_string(gid);
}

/// The columns of a row behind the mode bits.
std::array<std::string, 2> view_columns(const PinInfo& pin) {
  switch (pin.kind) {
    case PinKind::kForeign:
      return {"-", fmt::format("no pin of pobpf but a {}", pin.what)};
    case PinKind::kOtherVersion:
      return {"-", fmt::format("made by another version, pobpf {}", escaped(pin.version))};
    case PinKind::kOurs:
      break;
  }
  return {mode_name(pin.mode), pin.view_text.empty() ? "all pages" : escaped(pin.view_text)};
}

void write_members(IndentedJsonWriter& json, const PinInfo& pin) {
  constexpr std::array kKinds{"pin", "other_version", "foreign"};
  json.member("name", pin.name);
  json.member("kind", kKinds.at(static_cast<std::size_t>(pin.kind)));
  json.member("uid", pin.uid);
  json.member("gid", pin.gid);
  json.member("permissions", fmt::format("{:03o}", pin.permissions));
  if (pin.kind == PinKind::kForeign) json.member("what", pin.what);
  if (pin.kind != PinKind::kForeign) json.member("version", pin.version);
  if (pin.kind != PinKind::kOurs) return;
  json.member("mode", mode_name(pin.mode));
  json.member("nodes", pin.nodes ? std::optional(format_nodelist(*pin.nodes)) : std::nullopt);
  json.member("filters", pin.view_text);
  json.member("nr_pages", pin.nr_pages);
}

void append_pins(std::string& out, const std::vector<PinInfo>& pins, const std::string& directory) {
  append_json<JsonLayout::kIndented>(out, [&](IndentedJsonWriter& json) {
    json.member("directory", directory);
    json.array("pins", [&] {
      for (const PinInfo& pin : pins) json.object([&] { write_members(json, pin); });
    });
  });
}

/// A file that is given away helps nobody who cannot get to it: systemd mounts bpffs with mode 700.
void warn_of_closed_directories(const PinOptions& options) {
  if (!options.uid && !options.gid && !options.mode) return;
  for (std::filesystem::path path = options.directory; path.has_relative_path();
       path = path.parent_path()) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || (info.st_mode & S_IXOTH) != 0) continue;
    spdlog::warn("{} is closed to other users: chmod a+x {} opens the way to the pin",
                 path.string(), path.string());
  }
}

}  // namespace

void append_pin_table(std::string& out, const std::vector<PinInfo>& pins) {
  TextTable table({{"NAME"}, {"OWNER"}, {"PERM"}, {"MODE"}, {"VIEW"}});
  for (const PinInfo& pin : pins) {
    const auto [mode, view] = view_columns(pin);
    table.add_row({escaped(pin.name), fmt::format("{}:{}", user_name(pin.uid), group_name(pin.gid)),
                   fmt::format("{:03o}", pin.permissions), mode, view});
  }
  table.append(out);
}

Result<ExitStatus> run_pin(const Options& options) {
  auto nodes = parse_wanted_nodes(options.nodelist, POBPF_MAX_NODES);
  if (!nodes) return fail(std::move(nodes).error());
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  PinRequest request;
  request.directory = options.pin.directory;
  request.name = options.pin.names.front();
  request.view = ReaderView{options.filter, options.mode};
  request.view.filter.nodes = *nodes;
  if (auto status = find_removed_cgroups(request.view.filter, options.session); !status)
    return fail(std::move(status).error());
  request.view_text = options.view_text;
  request.version = POBPF_VERSION;
  request.replaces = options.pin.replaces;
  request.uid = options.pin.uid;
  request.gid = options.pin.gid;
  request.mode = options.pin.mode;
  request.session = options.session;
  request.frame_bytes_max = options.pin.frame_bytes_max;
  if (auto status = make_pin(request); !status) return fail(std::move(status).error());
  warn_of_closed_directories(options.pin);
  return ExitStatus::kComplete;
}

Result<ExitStatus> run_pins(const Options& options) {
  auto pins = list_pins(options.pin.directory);
  if (!pins) return fail(std::move(pins).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  if (options.format == Format::kJson)
    append_pins(output->buffer(), *pins, options.pin.directory);
  else if (!pins->empty())
    append_pin_table(output->buffer(), *pins);
  return commit(*output);
}

Result<ExitStatus> run_unpin(const Options& options) {
  if (options.pin.wants_all) {
    if (auto status = remove_all_pins(options.pin.directory); !status)
      return fail(std::move(status).error());
    return ExitStatus::kComplete;
  }
  for (const std::string& name : options.pin.names)
    if (auto status = remove_pin(options.pin.directory, name); !status)
      return fail(std::move(status).error());
  return ExitStatus::kComplete;
}

}  // namespace pobpf::cli
