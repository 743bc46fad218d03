// SPDX-License-Identifier: GPL-2.0-only
#include "cli/pin_options.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>

#include "cli/filter_options.h"
#include "cli/hidden_options.h"
#include "cli/option_value.h"
#include "cli/usage_error.h"
#include "reader/pin_name.h"

namespace pobpf::cli {
namespace {

void add_names(CLI::App& app, RawPinOptions& raw, const char* placeholder,
               const char* description) {
  app.add_option("NAME", raw.names, description)
      ->type_name(placeholder)
      ->expected(1, std::numeric_limits<int>::max());
}

void add_directory(CLI::App& app, RawPinOptions& raw) {
  add_value(app, "--dir", raw.directory, "DIR", "Pins",
            "directory in a BPF file system;\ndefault /sys/fs/bpf/pobpf");
}

std::optional<std::uint32_t> number(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The last one means "no change" to chown(2).
bool is_id(std::uint32_t value) { return value != std::numeric_limits<std::uint32_t>::max(); }

Status parse_user(const std::string& text, PinOptions& options) {
  if (const passwd* user = ::getpwnam(text.c_str())) {  // NOLINT(concurrency-mt-unsafe)
    options.uid = user->pw_uid;
    return {};
  }
  const auto id = number(text, 10);
  if (!id || !is_id(*id))
    return usage_error(fmt::format("--chown: there is no user '{}'", text),
                       "give a name or a number, then : and a group if you like");
  options.uid = *id;
  return {};
}

Status parse_group(const std::string& text, PinOptions& options) {
  if (const group* found = ::getgrnam(text.c_str())) {  // NOLINT(concurrency-mt-unsafe)
    options.gid = found->gr_gid;
    return {};
  }
  const auto id = number(text, 10);
  if (!id || !is_id(*id))
    return usage_error(fmt::format("--chown: there is no group '{}'", text),
                       "give a name or a number");
  options.gid = *id;
  return {};
}

/// USER, USER:GROUP or :GROUP.
Status parse_owner(const std::string& text, PinOptions& options) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  if (text.empty() || text == ":")
    return usage_error("--chown needs a user or a group", "as in --chown nobody:adm");
  if (!user.empty())
    if (auto status = parse_user(user, options); !status) return status;
  if (colon == std::string::npos || colon + 1 == text.size()) return {};
  return parse_group(text.substr(colon + 1), options);
}

Status parse_mode(const std::string& text, PinOptions& options) {
  constexpr std::uint32_t kModeMax = 0777;
  const auto mode = number(text, 8);
  if (!mode || *mode > kModeMax)
    return usage_error(fmt::format("--chmod: '{}' is no mode", text),
                       "give an octal number such as 440");
  options.mode = *mode;
  return {};
}

Status check_names(const PinOptions& options, const std::string& command, const std::string& hint) {
  if (command == "pins") return {};
  if (options.wants_all && !options.names.empty()) return usage_error("--all takes no NAME", hint);
  if (options.names.empty() && !options.wants_all)
    return usage_error(command == "pin" ? "pin needs a NAME" : "unpin needs a NAME or --all", hint);
  if (command == "unpin") {
    // a temporary name is one that unpin has to take
    for (const std::string& name : options.names)
      if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
        return usage_error(fmt::format("'{}' is no name of a pin", name), "pobpf pins lists them");
    return {};
  }
  if (options.names.size() > 1)
    return usage_error(fmt::format("unexpected argument '{}'", options.names[1]), hint);
  return check_pin_name(options.names.front());
}

}  // namespace

void add_pin_options(CLI::App& pin, RawPinOptions& raw) {
  add_names(pin, raw, " ", "name of the file to make");
  add_directory(pin, raw);
  add_value(pin, "--chown", raw.owner, "USER:GROUP", "Pins",
            "who may read it, together with --chmod;\nUSER alone and :GROUP alone are fine");
  add_value(pin, "--chmod", raw.mode, "MODE", "Pins", "octal; default 600, root's alone");
  pin.add_flag("--replace", raw.replaces, "take the place of a pin of that name")
      ->disable_flag_override()
      ->group("Pins");
  // makes records seem long, for tests
  add_value(pin, "--frame-bytes", raw.frame_bytes_max, "N", kHiddenGroup, "");
}

void add_pins_options(CLI::App& pins, RawPinOptions& raw) { add_directory(pins, raw); }

void add_unpin_options(CLI::App& unpin, RawPinOptions& raw) {
  add_names(unpin, raw, "...", "names of pins");
  add_directory(unpin, raw);
  unpin.add_flag("--all", raw.wants_all, "all pins of pobpf in the directory")
      ->disable_flag_override()
      ->group("Pins");
}

Result<PinOptions> check_pin_options(const RawPinOptions& raw, const std::string& command) {
  const std::string hint = fmt::format("see pobpf {} --help", command);
  const std::pair<const char*, const std::vector<std::string>&> single[] = {
      {"--dir", raw.directory}, {"--chown", raw.owner}, {"--chmod", raw.mode}};
  for (const auto& [name, values] : single)
    if (values.size() > 1)
      return usage_error(fmt::format("{} is given more than once", name), hint);

  PinOptions options;
  options.names = raw.names;
  options.replaces = raw.replaces;
  options.wants_all = raw.wants_all;
  if (!raw.directory.empty()) {
    options.directory = raw.directory.front();
    if (options.directory.empty()) return usage_error("--dir needs the name of a directory", hint);
    // its parent is looked at
    while (options.directory.size() > 1 && options.directory.ends_with('/'))
      options.directory.pop_back();
  }
  if (auto status = check_names(options, command, hint); !status)
    return fail(std::move(status).error());
  if (!raw.owner.empty())
    if (auto status = parse_owner(raw.owner.front(), options); !status)
      return fail(std::move(status).error());
  if (!raw.mode.empty())
    if (auto status = parse_mode(raw.mode.front(), options); !status)
      return fail(std::move(status).error());
  if (!raw.frame_bytes_max.empty()) {
    options.frame_bytes_max = number(raw.frame_bytes_max.front(), 10);
    if (!options.frame_bytes_max) return usage_error("--frame-bytes needs a number", hint);
  }
  return options;
}

std::string given_filters(const CLI::App& app) {
  std::string text;
  const auto append = [&](const std::string& word) {
    if (!text.empty()) text += ' ';
    const bool is_plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\*?[]") == std::string::npos;
    if (is_plain) {
      text += word;
      return;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  };
  for (const CLI::Option* option : app.get_options()) {
    if (!is_filter_option(option->get_name()) || option->count() == 0) continue;
    if (option->get_items_expected_max() == 0) {
      append(option->get_name());
      continue;
    }
    for (const std::string& value : option->results()) {
      append(option->get_name());
      append(value);
    }
  }
  return text;
}

}  // namespace pobpf::cli
