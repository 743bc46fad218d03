// SPDX-License-Identifier: GPL-2.0-only
#include "manual/man_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "cli/options/help.h"

namespace pobpf::manual {
namespace {

using cli::CommandRow;
using cli::HelpRow;
using cli::OptionRow;

constexpr std::pair<char, std::string_view> kEscapes[] = {
    {'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'`', "\\(ga"},
    {'^', "\\(ha"}, {'~', "\\(ti"}, {'"', "\\(dq"}};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// "show what record has written": "Show what record has written."
std::string sentence(std::string text) {
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return roff(text.ends_with('.') ? text : text + ".");
}

/// "\fB\-o\fR, \fB\-\-output\fR \fIFILE\fR"
std::string tag(const OptionRow& row, bool is_not = false) {
  if (row.is_positional()) return fmt::format(R"(\fI{}\fR)", row.name);
  std::string text = row.letter == '\0' ? "" : fmt::format(R"(\fB\-{}\fR, )", row.letter);
  text += fmt::format(R"(\fB{}\fR)", roff(name_of(row, is_not)));
  return row.takes_value() ? text + fmt::format(R"( \fI{}\fR)", roff(row.value)) : text;
}

/// In short lines, as formatters ask for; escapes make them longer.
std::string prose(std::string_view text) { return roff(cli::wrapped(text, 64, "\n")); }

std::string heading(std::string_view title) { return fmt::format(".SH \"{}\"\n", roff(title)); }

std::string item(const std::string& tag, const std::string& text) {
  return ".TP\n" + tag + '\n' + (text.empty() ? "" : text + '\n');
}

/// A row may have no text.
template <typename Rows>
std::string items(const char* title, const Rows& rows) {
  std::string text = heading(title);
  for (const HelpRow& row : rows)
    text += item(fmt::format("\\fB{}\\fR", roff(row.left)), roff(row.right));
  return text;
}

std::string usage(const CommandRow& command) {
  std::string text =
      fmt::format("\\fB{}\\fR {}\n", roff(full_name(command)), roff(usage_of(command)));
  for (const CommandRow* below : commands_below(command))
    text += fmt::format(".br\n\\fB{}\\fR ...\n", roff(full_name(*below)));
  return text;
}

std::string options_text(const CommandRow& command) {
  std::string positionals;
  std::string text;
  for (const cli::OptionGroup& group : cli::option_groups()) {
    std::string in_group;
    bool has_opposites = false;
    for (const OptionRow* row : options_of(command, group)) {
      if (row->is_hidden) continue;
      std::string tags = tag(*row);
      if (row->has_opposite()) tags += "\n.TQ\n" + tag(*row, true);
      has_opposites = has_opposites || row->has_opposite();
      (row->is_positional() ? positionals : in_group) += item(tags, prose(row->help));
    }
    if (in_group.empty()) continue;
    text += fmt::format(".SS \"{}\"\n", roff(group.title));
    if (has_opposites)
      text +=
          "A page must pass all filters; a list may be given in parts.\n"
          "The \\-\\-not\\- forms rule out what the others pass.\n";
    text += in_group;
  }
  return positionals + text;
}

/// Commands of the program have pages of their own; views of a command stand in its page.
std::string commands_text(const CommandRow& command) {
  const bool is_program = parent_of(command) == nullptr;
  std::string text = is_program ? heading("COMMANDS") : "";
  for (const CommandRow* below : commands_below(command))
    text += is_program
                ? item(fmt::format(".BR {} (1)", roff(page_name(*below))), roff(below->summary))
                : heading(upper(full_name(*below))) + usage(*below) + ".PP\n" +
                      sentence(below->summary) + '\n' + options_text(*below);
  return text;
}

std::string see_also(const CommandRow& command) {
  const CommandRow& program = cli::command_table().front();
  std::vector<std::string> names;
  if (&command != &program) names.push_back(page_name(program));
  for (const CommandRow* other : commands_below(program))
    if (other != &command) names.push_back(page_name(*other));
  std::sort(names.begin(), names.end());
  std::string text = heading("SEE ALSO");
  for (const std::string& name : names)
    text += fmt::format(".BR {} (1){}\n", roff(name), name == names.back() ? "" : ",");
  return text + R"(.PP
The documents in
.I /usr/share/doc/pobpf/docs
say more of filters, formats, snapshots and costs.
)";
}

/// The lines in front of the prose.
std::string head(const CommandRow& command, const Edition& edition) {
  const std::string name = roff(page_name(command));
  const bool is_program = parent_of(command) == nullptr;
  return ".\\\" made of the options of pobpf and of man/; not to be edited\n" +
         fmt::format(".TH {} 1 {} \"pobpf {}\" \"User Commands\"\n", upper(name), edition.date,
                     edition.version) +
         heading("NAME") + name + " \\- " +
         (is_program ? "who owns this machine\\(aqs memory" : roff(command.summary)) + '\n' +
         heading("SYNOPSIS") + usage(command);
}

}  // namespace

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    // would make a request of the line; a quote would, too, but is escaped anyway
    if (c == '.' && (out.empty() || out.back() == '\n')) out += "\\&";
    const auto* const escape = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                            [&](const auto& row) { return row.first == c; });
    out += escape == std::end(kEscapes) ? std::string_view(&c, 1) : escape->second;
  }
  return out;
}

std::string page_name(const CommandRow& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string default_prose(const CommandRow& command) {
  return heading("DESCRIPTION") + sentence(command.summary) +
         "\n@OPTIONS@\n@EXIT STATUS@\n@EXAMPLES@\n";
}

Result<std::string> man_page(const CommandRow& command, const std::string& prose,
                             const Edition& edition) {
  std::string text = "\n" + prose;
  const std::pair<std::string, std::string> parts[] = {
      {"\n@OPTIONS@\n", heading("OPTIONS") + options_text(command) + commands_text(command)},
      {"\n@EXIT STATUS@\n", items("EXIT STATUS", cli::exit_statuses())},
      {"\n@EXAMPLES@\n", items("EXAMPLES", examples_of(command))}};
  for (const auto& [line, part] : parts) {
    const std::size_t at = text.find(line);
    if (at == std::string::npos || text.find(line, at + 1) != std::string::npos)
      return fail(ErrorKind::kFailed,
                  fmt::format("{}: a line{}has to be there once", page_name(command), line));
    text.replace(at + 1, line.size() - 1, part);
  }
  return head(command, edition) + text.substr(1) + see_also(command);
}

}  // namespace pobpf::manual
