// SPDX-License-Identifier: GPL-2.0-only
#include "cli/settings.h"

#include <fmt/format.h>

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/command_line.h"
#include "model/name_list.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

constexpr std::size_t kBytesMax = 1U << 20;
/// They are about this command line, not about what it runs.
constexpr std::array<std::string_view, 3> kOnlyOnCommandLines = {"help", "version", "config"};

/// "[snapshot]"; "pobpf" for keys outside of all tables.
std::string table_name(const CLI::App& command) {
  std::string name = full_name(command);
  if (name.empty()) return "pobpf";
  std::replace(name.begin(), name.end(), ' ', '.');
  return "[" + name + "]";
}

std::vector<std::string> keys_of(const CLI::App& command) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames())
      if (std::find(kOnlyOnCommandLines.begin(), kOnlyOnCommandLines.end(), name) ==
          kOnlyOnCommandLines.end())
        keys.push_back(name);
  return keys;
}

CLI::App* subcommand_of(CLI::App& command, const std::string& name) {
  for (CLI::App* candidate : command.get_subcommands(nullptr))
    if (candidate->get_name() == name) return candidate;
  return nullptr;
}

/// Of a single value that is no boolean.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  return std::nullopt;
}

bool is_whole_name(std::string_view text, std::size_t end) {
  return end == text.size() || !(text[end] == '-' || (text[end] >= 'a' && text[end] <= 'z'));
}

/// "--keep" is in "--keep: ..." and not in "--keep-all".
bool names_option(std::string_view text, const std::string& key) {
  const std::string name = "--" + key;
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1))
    if (is_whole_name(text, at + name.size())) return true;
  return false;
}

}  // namespace

/// Goes through the tables of a file and the commands side by side.
class Settings::Collector {
 public:
  explicit Collector(Settings& settings) : settings_(settings) {}

  Status collect(const toml::table& table, CLI::App& command) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const unsigned line = key.source().begin.line;
      CLI::App* const subcommand = subcommand_of(command, name);
      auto status = subcommand != nullptr && node.is_table()
                        ? collect(*node.as_table(), *subcommand)
                        : add(command, name, node, line);
      if (!status) return status;
    }
    return {};
  }

 private:
  [[nodiscard]] Status refuse(unsigned line, const std::string& what, std::string hint) const {
    return fail(ErrorKind::kUsage, settings_.place(line) + ": " + what, std::move(hint));
  }

  [[nodiscard]] Status refuse_key(CLI::App& command, const std::string& name,
                                  const toml::node& node, unsigned line) const {
    const std::string shown_name = shown(name);
    if (node.is_table()) {
      std::vector<std::string> commands;
      for (const CLI::App* candidate : command.get_subcommands(nullptr))
        commands.push_back(candidate->get_name());
      const std::string nearest = nearest_name(name, commands);
      return refuse(
          line, fmt::format("there is no command '{}'", shown_name),
          nearest.empty() ? "pobpf --help lists them" : fmt::format("did you mean [{}]?", nearest));
    }
    const auto keys = keys_of(command);
    const std::string nearest = nearest_name(name, keys);
    if (subcommand_of(command, name) != nullptr)
      return refuse(line, fmt::format("'{}' is a command, not a setting", name),
                    "its settings stand in a table of its name, in brackets");
    return refuse(line, fmt::format("unknown setting '{}' of {}", shown_name, table_name(command)),
                  nearest.empty() ? fmt::format("it has {}", fmt::join(keys, ", "))
                                  : fmt::format("did you mean '{}'?", nearest));
  }

  Status add(CLI::App& command, const std::string& name, const toml::node& node, unsigned line) {
    const auto keys = keys_of(command);
    if (node.is_table() || std::find(keys.begin(), keys.end(), name) == keys.end())
      return refuse_key(command, name, node, line);
    Setting setting{&command, command.get_option("--" + name), name, {}, line};
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array)
        if (auto status = add_value(setting, element); !status) return status;
      if (takes_value(setting) && setting.values.size() > 1)
        setting.values = {fmt::format("{}", fmt::join(setting.values, ","))};
    } else if (auto status = add_value(setting, node); !status) {
      return status;
    }
    if (!setting.values.empty()) settings_.settings_.push_back(std::move(setting));
    return {};
  }

  [[nodiscard]] static bool takes_value(const Setting& setting) {
    return setting.option->get_items_expected_max() > 0;
  }

  [[nodiscard]] Status add_value(Setting& setting, const toml::node& node) const {
    const bool needs_value = setting.option->get_items_expected_min() > 0;
    if (const auto* boolean = node.as_boolean(); boolean != nullptr && !needs_value) {
      if (boolean->get())
        setting.values.push_back(setting.option->get_flag_value(setting.key, std::string()));
      return {};
    }
    auto text = text_of(node);
    if (text && takes_value(setting)) {
      setting.values.push_back(*std::move(text));
      return {};
    }
    return refuse(
        setting.line, fmt::format("'{}' is of the wrong kind", setting.key),
        takes_value(setting) ? "give a whole number, or a text in quotes" : "give true or false");
  }

  Settings& settings_;
};

Result<Settings> Settings::read(const std::string& path, CommandLine& line) {
  auto text = read_file(path, kBytesMax);
  if (!text) return fail(std::move(text).error());
  Settings settings;
  settings.path_ = path;
  try {
    const toml::table table = toml::parse(*text, path);
    if (!table.empty()) line.add_rest();
    if (auto status = Collector(settings).collect(table, line.app()); !status)
      return fail(std::move(status).error());
  } catch (const toml::parse_error& error) {
    return fail(
        ErrorKind::kUsage,
        fmt::format("{}: {}", settings.place(error.source().begin.line), error.description()),
        "settings are TOML: key = \"value\"");
  }
  return settings;
}

Status Settings::apply(const CLI::App* command) {
  for (Setting& setting : settings_) {
    const bool is_chosen =
        command != nullptr ? setting.command == command : setting.command->get_parent() == nullptr;
    if (!is_chosen) continue;
    bool is_given = setting.option->count() != 0;
    for (const CLI::App* above = setting.command->get_parent(); above != nullptr;
         above = above->get_parent()) {
      const CLI::Option* same = above->get_option_no_throw("--" + setting.key);
      is_given = is_given || (same != nullptr && same->count() != 0);
    }
    if (is_given) continue;
    try {
      for (const std::string& value : setting.values) setting.option->add_result(value);
      setting.option->run_callback();
    } catch (const CLI::ParseError& error) {
      return fail(ErrorKind::kUsage, fmt::format("{}: {}", place(setting.line), error.what()));
    }
    setting.is_applied = true;
  }
  return {};
}

Error Settings::blame(Error error) const {
  bool is_any = false;
  for (const Setting& setting : settings_) {
    if (!setting.is_applied) continue;
    is_any = true;
    if (names_option(error.what, setting.key) || names_option(error.hint, setting.key)) {
      error.what.insert(0, place(setting.line) + ": ");
      return error;
    }
  }
  if (is_any)
    error.hint += fmt::format("{}settings of {} apply", error.hint.empty() ? "" : "; ", path_);
  return error;
}

std::vector<std::string> Settings::applied() const {
  std::vector<std::string> lines;
  for (const Setting& setting : settings_)
    if (setting.is_applied)
      lines.push_back(fmt::format("{}: --{} {}", place(setting.line), setting.key,
                                  fmt::join(setting.values, " ")));
  return lines;
}

std::string Settings::place(unsigned line) const { return fmt::format("{}:{}", path_, line); }

}  // namespace pobpf::cli
