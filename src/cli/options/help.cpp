// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pobpf::cli {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kTextColumn = 24;

/// "  --nid LIST            pages on these"; a long label has its text in the next line.
std::string row_text(const std::string& label, std::string_view text) {
  std::string row = "  " + label;
  if (row.size() + 1 >= kTextColumn)
    row += '\n' + std::string(kTextColumn, ' ');
  else
    row.resize(kTextColumn, ' ');
  const std::string next_line = '\n' + std::string(kTextColumn, ' ');
  return row + wrapped(text, kColumns - kTextColumn, next_line) + '\n';
}

std::string label_of(const OptionRow& row) {
  if (row.is_positional()) return std::string(row.name) + (row.times == Times::kOnce ? "" : " ...");
  std::string label = row.letter == '\0' ? "" : fmt::format("-{},", row.letter);
  label += name_of(row);
  return row.takes_value() ? label + ' ' + row.value : label;
}

/// A line of its own for each opposite would double the list.
std::string opposites_text(const CommandRow& command) {
  std::string text;
  std::string line = " ";
  for (const OptionRow* row : options_of(command)) {
    if (!row->has_opposite()) continue;
    const std::string word = " " + name_of(*row, true);
    if (line.size() + word.size() > kColumns) text += std::exchange(line, " ") + "\n";
    line += word;
  }
  if (line == " ") return "";
  return "\nA page must pass all filters; a list may be given in parts. These rule out:\n" + text +
         line + "\n";
}

std::string examples_text(const CommandRow& command) {
  const auto examples = examples_of(command);
  std::string text = "\nExamples:\n";
  std::size_t width = 0;
  std::size_t right_max = 0;
  for (const HelpRow& row : examples)
    right_max = std::max(right_max, std::string_view(row.right).size());
  // a long one has its text right behind it, so that the others need not be moved out of the line
  for (const HelpRow& row : examples)
    if (const std::size_t left = std::string_view(row.left).size();
        left + 4 + right_max <= kColumns)
      width = std::max(width, left);
  for (const HelpRow& row : examples)
    text += *row.right == '\0' ? fmt::format("  {}\n", row.left)
                               : fmt::format("  {:<{}}  {}\n", row.left, width, row.right);
  return text;
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t columns, std::string_view next_line) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column != 0 && column + 1 + word.size() > columns) {
      out += next_line;
      column = 0;
    } else if (column != 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string usage_of(const CommandRow& command) {
  std::string text = "[OPTIONS]";
  if (!commands_below(command).empty()) text += " [COMMAND]";
  for (const OptionRow* row : options_of(command)) {
    if (!row->is_positional()) continue;
    const std::string name = std::string(row->name) + (row->times == Times::kOnce ? "" : "...");
    text += row->is_needed ? " " + name : " [" + name + "]";
  }
  return text;
}

std::string help_text(const CommandRow& command) {
  std::string text =
      fmt::format("{}\n\nUsage: {} {}\n", command.summary, full_name(command), usage_of(command));
  std::string positionals;
  std::string options;
  for (const OptionGroup& group : option_groups()) {
    std::string in_group;
    for (const OptionRow* row : options_of(command, group))
      if (!row->is_hidden)
        (row->is_positional() ? positionals : in_group) += row_text(label_of(*row), row->help);
    if (!in_group.empty()) options += fmt::format("\n{}:\n{}", group.title, in_group);
  }
  if (!positionals.empty()) text += "\nPositionals:\n" + positionals;
  text += options;
  if (const auto below = commands_below(command); !below.empty()) {
    text += parent_of(command) == nullptr ? "\nCommands:\n" : "\nViews:\n";
    for (const CommandRow* row : below)
      text += row_text(std::string(last_word(*row)), row->summary);
  }
  text += opposites_text(command) + examples_text(command) + "\nExit status:\n";
  for (const HelpRow& row : exit_statuses()) text += fmt::format("  {}  {}\n", row.left, row.right);
  return text;
}

}  // namespace pobpf::cli
