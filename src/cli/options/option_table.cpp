// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "cli/options/option_values.h"
#include "model/name_list.h"

namespace pobpf::cli {

std::span<const OptionGroup> option_groups() {
  static const std::vector<OptionGroup> groups = [] {
    std::vector<OptionGroup> all;
    for (const auto part : {own_option_groups(), filter_groups(), shared_option_groups()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return groups;
}

const CommandRow* parent_of(const CommandRow& command) {
  const std::string_view name = command.name;
  if (name.empty()) return nullptr;
  const std::string_view above = name.substr(0, name.size() - last_word(command).size());
  const auto rows = command_table();
  return &*std::find_if(rows.begin(), rows.end(), [&](const CommandRow& row) {
    return above.empty() ? *row.name == '\0' : above == std::string(row.name) + ' ';
  });
}

std::vector<const CommandRow*> commands_below(const CommandRow& command) {
  std::vector<const CommandRow*> below;
  for (const CommandRow& row : command_table())
    if (parent_of(row) == &command) below.push_back(&row);
  return below;
}

std::vector<HelpRow> examples_of(const CommandRow& command) {
  std::vector<HelpRow> examples;
  for (const HelpRow& row : command.examples)
    if (row.left != nullptr) examples.push_back(row);
  return examples.empty() ? examples_of(*parent_of(command)) : examples;
}

std::string_view last_word(const CommandRow& command) {
  const std::string_view name = command.name;
  return name.substr(name.rfind(' ') + 1);
}

std::string full_name(const CommandRow& command) {
  return std::string("pobpf") + (*command.name == '\0' ? "" : " ") + command.name;
}

std::vector<const OptionRow*> options_of(const CommandRow& command, const OptionGroup& group) {
  std::vector<const OptionRow*> options;
  for (const OptionRow& row : group.rows)
    if ((row.commands & group.commands & command.bit) != 0) options.push_back(&row);
  return options;
}

std::vector<const OptionRow*> options_of(const CommandRow& command) {
  std::vector<const OptionRow*> options;
  for (const OptionGroup& group : option_groups())
    for (const OptionRow* row : options_of(command, group)) options.push_back(row);
  return options;
}

const OptionRow* find_option(const CommandRow& command, std::string_view name) {
  for (const OptionRow* row : options_of(command))
    if (name == row->name) return row;
  return nullptr;
}

bool is_filter(const OptionRow& row) {
  const auto is_it = [&](const OptionRow& filter) { return &filter == &row; };
  const auto groups = filter_groups();
  return std::any_of(groups.begin(), groups.end(), [&](const OptionGroup& group) {
    return std::any_of(group.rows.begin(), group.rows.end(), is_it);
  });
}

std::string key_of(const OptionRow& row, bool is_not) {
  return std::string(is_not ? "not-" : "") + row.name;
}

std::string name_of(const OptionRow& row, bool is_not) {
  return (row.is_positional() ? "" : "--") + key_of(row, is_not);
}

std::vector<std::string> words_of(const OptionRow& row) {
  if (row.words != nullptr) return row.words();
  if (row.choices == nullptr) return {};
  return split_list(row.choices, ",").value_or(std::vector<std::string>());
}

Result<std::uint32_t> number_between(const std::string& text, std::uint32_t min,
                                     std::uint32_t max) {
  const auto number = whole_number<std::uint32_t>(text);
  if (!number || *number < min || *number > max)
    return usage_error(fmt::format("'{}' is not a valid number", shown(text)),
                       fmt::format("give a whole number from {} to {}", min, max));
  return *number;
}

Result<std::size_t> choice_of(const Value& value) {
  auto words = words_of(value.row);
  const auto found = std::find(words.begin(), words.end(), value.text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  std::string kind = value.row.value;
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string last = words.back();
  words.pop_back();
  return usage_error(
      fmt::format("unknown {} '{}'", kind, value.text),
      fmt::format("{} takes {} or {}", name_of(value.row), fmt::join(words, ", "), last));
}

}  // namespace pobpf::cli
