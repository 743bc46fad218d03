// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "model/name_list.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

constexpr std::size_t kBytesMax = 1U << 20;

std::string place(const std::string& path, unsigned line) {
  return fmt::format("{}:{}", path, line);
}

/// "[report.top]"; "pobpf" for keys outside of all tables.
std::string table_name(const CommandRow& command) {
  std::string name = command.name;
  if (name.empty()) return "pobpf";
  std::replace(name.begin(), name.end(), ' ', '.');
  return "[" + name + "]";
}

std::vector<GivenOption> options_with_keys(const CommandRow& command) {
  std::vector<GivenOption> options;
  for (const OptionRow* row : options_of(command)) {
    if (row->only_on_command_lines || row->is_positional()) continue;
    options.push_back({row, false, {}});
    if (row->has_opposite()) options.push_back({row, true, {}});
  }
  return options;
}

/// The text of a single value that is not a boolean.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  return std::nullopt;
}

/// "--keep" is in "--keep: ..." and not in "--keep-all".
bool names_option(std::string_view text, const std::string& name) {
  const auto goes_on = [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); };
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1))
    if (at + name.size() == text.size() || !goes_on(text[at + name.size()])) return true;
  return false;
}

/// Goes through the tables of a file and the commands side by side.
class Collector {
 public:
  Collector(const std::string& path, std::vector<Setting>& settings)
      : path_(path), settings_(settings) {}

  Status collect(const toml::table& table, const CommandRow& command) {
    const auto below = commands_below(command);
    for (const auto& [key, node] : table) {
      line_ = key.source().begin.line;
      const auto named = std::find_if(
          below.begin(), below.end(),
          [&, name = key.str()](const CommandRow* row) { return last_word(*row) == name; });
      auto status = named != below.end() && node.is_table()
                        ? collect(*node.as_table(), **named)
                        : add(command, std::string(key.str()), node, named != below.end());
      if (!status) return status;
    }
    return {};
  }

 private:
  [[nodiscard]] Status refuse(const std::string& what, std::string hint) const {
    return usage_error(place(path_, line_) + ": " + what, std::move(hint));
  }

  [[nodiscard]] Status refuse_table(const CommandRow& command, const std::string& name) const {
    std::vector<std::string> commands;
    for (const CommandRow* row : commands_below(command)) commands.emplace_back(last_word(*row));
    const std::string nearest = nearest_name(name, commands);
    return refuse(
        fmt::format("there is no command '{}'", shown(name)),
        nearest.empty() ? "pobpf --help lists them" : fmt::format("did you mean [{}]?", nearest));
  }

  Status add(const CommandRow& command, const std::string& name, const toml::node& node,
             bool is_command) {
    if (node.is_table()) return refuse_table(command, name);
    if (is_command)
      return refuse(fmt::format("'{}' is a command, not a setting", name),
                    "its settings stand in a table of its name, in brackets");
    std::vector<std::string> keys;
    for (GivenOption& option : options_with_keys(command)) {
      keys.push_back(key_of(*option.row, option.is_not));
      if (keys.back() == name) return add_values(command, std::move(option), node);
    }
    const std::string nearest = nearest_name(name, keys);
    return refuse(fmt::format("unknown setting '{}' of {}", shown(name), table_name(command)),
                  nearest.empty() ? fmt::format("it has {}", fmt::join(keys, ", "))
                                  : fmt::format("did you mean '{}'?", nearest));
  }

  Status add_values(const CommandRow& command, GivenOption option, const toml::node& node) {
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array)
        if (auto status = add_value(option, element); !status) return status;
      if (option.row->takes_value() && option.values.size() > 1)
        option.values = {fmt::format("{}", fmt::join(option.values, ","))};
    } else if (auto status = add_value(option, node); !status) {
      return status;
    }
    if (!option.values.empty()) settings_.push_back({&command, std::move(option), line_});
    return {};
  }

  [[nodiscard]] Status add_value(GivenOption& option, const toml::node& node) const {
    const OptionRow& row = *option.row;
    if (const auto* boolean = node.as_boolean(); boolean != nullptr && !row.needs_value()) {
      if (boolean->get()) option.values.emplace_back();
      return {};
    }
    auto text = text_of(node);
    if (!text || !row.takes_value())
      return refuse(
          fmt::format("'{}' is of the wrong kind", key_of(row, option.is_not)),
          row.takes_value() ? "give a whole number, or a text in quotes" : "give true or false");
    option.values.push_back(*std::move(text));
    return {};
  }

  const std::string& path_;
  std::vector<Setting>& settings_;
  unsigned line_ = 0;  ///< where the key stands
};

}  // namespace

Result<Settings> Settings::read(const std::string& path) {
  auto text = read_file(path, kBytesMax);
  if (!text) return fail(std::move(text).error());
  Settings settings;
  settings.path_ = path;
  try {
    auto status = Collector(path, settings.settings_)
                      .collect(toml::parse(*text, path), command_table().front());
    if (!status) return fail(std::move(status).error());
  } catch (const toml::parse_error& error) {
    return usage_error(
        fmt::format("{}: {}", place(path, error.source().begin.line), error.description()),
        "settings are TOML: key = \"value\"");
  }
  return settings;
}

void Settings::apply(CommandLine& line) {
  for (Setting& setting : settings_) {
    if (setting.command != line.command) continue;
    if (line.find(*setting.given.row, setting.given.is_not) != nullptr) continue;
    line.options.push_back(setting.given);
    setting.is_applied = true;
  }
}

Error Settings::blame(Error error) const {
  bool is_any = false;
  for (const Setting& setting : settings_) {
    if (!setting.is_applied) continue;
    is_any = true;
    const std::string name = name_of(*setting.given.row, setting.given.is_not);
    if (names_option(error.what, name) || names_option(error.hint, name)) {
      error.what.insert(0, place(path_, setting.line) + ": ");
      return error;
    }
  }
  if (is_any)
    error.hint += fmt::format("{}settings of {} apply", error.hint.empty() ? "" : "; ", path_);
  return error;
}

std::vector<std::string> Settings::applied() const {
  std::vector<std::string> lines;
  for (const Setting& setting : settings_) {
    if (!setting.is_applied) continue;
    lines.push_back(fmt::format("{}: {}", place(path_, setting.line),
                                name_of(*setting.given.row, setting.given.is_not)));
    if (setting.given.row->takes_value()) lines.back() += " " + setting.given.values.front();
  }
  return lines;
}

}  // namespace pobpf::cli
