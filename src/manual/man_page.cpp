// SPDX-License-Identifier: GPL-2.0-only
#include "manual/man_page.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string_view>

#include "cli/hidden_options.h"
#include "manual/roff.h"

namespace pobpf::manual {
namespace {

constexpr std::string_view kDescription = "DESCRIPTION";
constexpr std::string_view kOpposite = "--not-";
/// Those of the prose that stand behind what is generated.
constexpr std::array<std::string_view, 5> kLateSections{"ENVIRONMENT", "FILES", "NOTES", "CAVEATS",
                                                        "BUGS"};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

const CLI::App& program_of(const CLI::App& command) {
  return command.get_parent() == nullptr ? command : program_of(*command.get_parent());
}

/// "pobpf report top"
std::string full_name(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return full_name(*command.get_parent()) + " " + command.get_name();
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* /*any*/) { return true; });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command, const std::string& group) {
  return command.get_options([&](const CLI::Option* option) {
    return !option->get_positional() && option->get_group() == group;
  });
}

std::vector<const CLI::Option*> positionals_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

/// "--not-zone" of "--zone"; nullptr if there is none.
const CLI::Option* opposite_of(const CLI::App& command, const CLI::Option& option) {
  if (option.get_lnames().empty()) return nullptr;
  return command.get_option_no_throw(std::string(kOpposite) + option.get_lnames().front());
}

/// "\fB\-o\fR, \fB\-\-output\fR \fIFILE\fR"
std::string tag(const CLI::Option& option) {
  std::string text;
  const auto append = [&](std::string_view dashes, const std::string& name) {
    if (!text.empty()) text += ", ";
    text += fmt::format("\\fB{}{}\\fR", roff(dashes), roff(name));
  };
  for (const std::string& name : option.get_snames()) append("-", name);
  for (const std::string& name : option.get_lnames()) append("--", name);
  if (option.get_items_expected_max() > 0)
    text += fmt::format(" \\fI{}\\fR", roff(option.get_type_name()));
  return text;
}

/// Parts of the text below the options of --help.
struct Footer {
  struct Row {
    std::string left;
    std::string right;
  };
  std::vector<Row> examples;
  std::vector<Row> statuses;
};

/// "  left   right": two spaces and more stand between them.
Footer::Row parse_row(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(' ');
  const std::size_t gap = line.find("  ", begin);
  if (gap == std::string::npos) return {line.substr(begin), {}};
  return {line.substr(begin, gap - begin), line.substr(line.find_first_not_of(' ', gap))};
}

Footer parse_footer(const std::string& text) {
  Footer footer;
  std::vector<Footer::Row>* rows = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "Examples:")
      rows = &footer.examples;
    else if (line == "Exit status:")
      rows = &footer.statuses;
    else if (rows != nullptr && line.starts_with("  "))
      rows->push_back(parse_row(line));
    else
      rows = nullptr;
  }
  return footer;
}

class Page {
 public:
  Page(const CLI::App& command, const std::vector<Section>& prose, const Edition& edition)
      : command_(command), prose_(prose), edition_(edition) {}

  std::string text() {
    head();
    synopsis(command_);
    description();
    section("OPTIONS");
    options(command_);
    commands();
    for (const Section& extra : prose_)
      if (extra.title != kDescription && !is_late(extra)) append(extra);
    exit_status();
    for (const Section& extra : prose_)
      if (is_late(extra)) append(extra);
    examples();
    see_also();
    return std::move(out_);
  }

 private:
  void line(const std::string& text) { out_ += text + '\n'; }
  void section(std::string_view title) { line(fmt::format(".SH \"{}\"", roff(title))); }
  void append(const Section& extra) {
    section(extra.title);
    append_text(extra);
  }

  /// Without the empty lines behind it.
  void append_text(const Section& extra) {
    out_ += extra.text;
    out_.erase(out_.find_last_not_of('\n') + 2);
  }

  void description() {
    section(kDescription);
    const auto found = std::find_if(prose_.begin(), prose_.end(), [](const Section& extra) {
      return extra.title == kDescription;
    });
    if (found == prose_.end())
      line(sentence(command_.get_description()));
    else
      append_text(*found);
  }

  static bool is_late(const Section& extra) {
    return std::find(kLateSections.begin(), kLateSections.end(), extra.title) !=
           kLateSections.end();
  }

  /// "show what record has written": "Show what record has written."
  static std::string sentence(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    if (text.empty()) return text;
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    return roff(text.ends_with('.') ? text : text + ".");
  }

  void head() {
    line(R"(.\" made of the options of pobpf and of man/; not to be edited)");
    line(fmt::format(R"(.TH {} 1 {} "pobpf {}" "User Commands")", roff(upper(page_name(command_))),
                     edition_.date, edition_.version));
    section("NAME");
    const bool is_program = command_.get_parent() == nullptr;
    line(fmt::format(
        R"({} \- {})", roff(page_name(command_)),
        is_program ? R"(who owns this machine\(aqs memory)" : roff(command_.get_description())));
  }

  void usage(const CLI::App& command) {
    std::string text = fmt::format(R"(\fB{}\fR [\fIOPTIONS\fR])", roff(full_name(command)));
    for (const CLI::Option* option : positionals_of(command))
      text += fmt::format(" [\\fI{}\\fR{}]", roff(option->get_name(true)),
                          option->get_items_expected_max() > 1 ? "..." : "");
    line(text);
    for (const CLI::App* below : commands_of(command)) {
      line(".br");
      line(fmt::format("\\fB{}\\fR ...", roff(full_name(*below))));
    }
  }

  void synopsis(const CLI::App& command) {
    section("SYNOPSIS");
    usage(command);
  }

  void options(const CLI::App& command) {
    for (const CLI::Option* option : positionals_of(command)) {
      line(".TP");
      line(fmt::format("\\fI{}\\fR", roff(option->get_name(true))));
      line(roff(option->get_description()));
    }
    for (const std::string& group : command.get_groups()) {
      const auto in_group = options_of(command, group);
      if (group == cli::kHiddenGroup || in_group.empty()) continue;
      line(fmt::format(".SS \"{}\"", roff(group)));
      if (std::any_of(in_group.begin(), in_group.end(), [&](const CLI::Option* option) {
            return opposite_of(command, *option) != nullptr;
          }))
        line(
            "A page must pass all filters; a list may be given in parts.\n"
            "The \\-\\-not\\- forms rule out what the others pass.");
      for (const CLI::Option* option : in_group) append(command, *option);
    }
  }

  void append(const CLI::App& command, const CLI::Option& option) {
    line(".TP");
    line(tag(option));
    if (const CLI::Option* opposite = opposite_of(command, option)) {
      line(".TQ");
      line(tag(*opposite));
    }
    line(roff(option.get_description()));
  }

  /// Those of the program have pages of their own; views of a command stand in its page.
  void commands() {
    const auto below = commands_of(command_);
    if (below.empty()) return;
    if (command_.get_parent() == nullptr) {
      section("COMMANDS");
      for (const CLI::App* command : below) {
        line(".TP");
        line(fmt::format(".BR {} (1)", roff(page_name(*command))));
        line(roff(command->get_description()));
      }
      return;
    }
    for (const CLI::App* view : below) {
      section(upper(full_name(*view)));
      usage(*view);
      line(".PP");
      line(sentence(view->get_description()));
      options(*view);
    }
  }

  void exit_status() {
    const Footer footer = parse_footer(command_.get_footer());
    if (footer.statuses.empty()) return;
    section("EXIT STATUS");
    rows(footer.statuses);
  }

  void examples() {
    const Footer footer = parse_footer(command_.get_footer());
    if (footer.examples.empty()) return;
    section("EXAMPLES");
    rows(footer.examples);
  }

  void rows(const std::vector<Footer::Row>& rows) {
    for (const Footer::Row& row : rows) {
      // without a text of its own it is one more way to what the next one says
      line(".TP");
      line(fmt::format("\\fB{}\\fR", roff(row.left)));
      if (!row.right.empty()) line(roff(row.right));
    }
  }

  void see_also() {
    section("SEE ALSO");
    std::vector<std::string> names;
    const CLI::App& program = program_of(command_);
    if (&program != &command_) names.push_back(page_name(program));
    for (const CLI::App* command : commands_of(program))
      if (command != &command_) names.push_back(page_name(*command));
    std::sort(names.begin(), names.end());
    for (std::size_t i = 0; i < names.size(); ++i)
      line(fmt::format(".BR {} (1){}", roff(names[i]), i + 1 < names.size() ? "," : ""));
    line(".PP");
    line(R"(The documents in
.I /usr/share/doc/pobpf/docs
say more of filters, formats, snapshots and costs.)");
  }

  const CLI::App& command_;
  const std::vector<Section>& prose_;
  const Edition& edition_;
  std::string out_;
};

}  // namespace

std::string page_name(const CLI::App& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string man_page(const CLI::App& command, const std::vector<Section>& prose,
                     const Edition& edition) {
  return Page(command, prose, edition).text();
}

}  // namespace pobpf::manual
