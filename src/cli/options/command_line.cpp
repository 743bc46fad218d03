// SPDX-License-Identifier: GPL-2.0-only
// The only file that knows CLI11, which decides what is an option, a value and a command.
#include "cli/options/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace pobpf::cli {
namespace {

// Nobody can type the following words, as arguments have no NUL.

/// This word stands behind the last one, and so shows which option would take one more.
constexpr std::string_view kNextWord("\0", 1);
/// This one is appended to "--nid=", because CLI11 ignores an empty value.
constexpr std::string_view kEmptyValue("\0=", 2);

void take_back_mark(std::string& text) {
  if (text.ends_with(kEmptyValue)) text.resize(text.size() - kEmptyValue.size());
}

class Reader {
 public:
  Reader() : app_("", "pobpf") {
    app_.set_help_flag();
    app_.allow_extras();
    add(app_, command_table().front());
  }

  CommandLine read(std::vector<std::string> words) {
    words.emplace_back(kNextWord);
    std::reverse(words.begin(), words.end());
    app_.parse(words);
    CommandLine line{command_, {}, {}, app_.remaining(true)};
    std::erase(line.extras, "--");
    std::erase(line.extras, kNextWord);
    for (std::string& extra : line.extras) take_back_mark(extra);
    for (const Binding& binding : bindings_) {
      if (binding.option->count() == 0) continue;
      GivenOption given{binding.row, binding.is_not, binding.option->results()};
      if (given.values.back() == kNextWord) {
        line.next = binding.row;
        line.next_is_not = binding.is_not;
        // an option that is followed by nothing is given, an argument that is not there is not
        given.values.pop_back();
        if (!binding.row->is_positional()) given.values.emplace_back();
      }
      for (std::string& value : given.values)
        if (binding.row->takes_value())
          take_back_mark(value);
        else if (value == kIsGiven)
          value.clear();
      if (given.values.empty()) continue;
      (binding.command == command_ ? line.options : line.in_front).push_back(std::move(given));
    }
    return line;
  }

 private:
  /// CLI11 takes this for the value of an option that is given without one.
  static constexpr const char* kIsGiven = "true";

  struct Binding {
    const CLI::Option* option;
    const CommandRow* command;
    const OptionRow* row;
    bool is_not;
  };

  /// Commands below it get their options when they are met: all of them are a thousand, which would
  /// be a tenth of what pobpf takes to start.
  void add(CLI::App& app, const CommandRow& command) {
    command_ = &command;
    for (const OptionRow* row : options_of(command)) {
      add(app, command, *row, false);
      if (row->has_opposite()) add(app, command, *row, true);
    }
    for (const CommandRow* below : commands_below(command)) {
      CLI::App* const sub = app.add_subcommand(std::string(last_word(*below)));
      sub->preparse_callback([this, sub, below](std::size_t) { add(*sub, *below); });
    }
    app.require_subcommand(0, 1);
  }

  void add(CLI::App& app, const CommandRow& command, const OptionRow& row, bool is_not) {
    std::string names = name_of(row, is_not);
    if (row.letter != '\0') names = std::string("-") + row.letter + ',' + names;
    CLI::Option* const option = row.takes_value() ? app.add_option(names) : app.add_flag(names);
    constexpr int kMany = 1 << 20;
    if (row.is_positional())
      option->expected(row.times == Times::kOnce ? 1 : kMany);
    else if (row.takes_value())
      option->expected(row.needs_value() ? 1 : 0, 1);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    bindings_.push_back({option, &command, &row, is_not});
  }

  CLI::App app_;
  const CommandRow* command_ = nullptr;
  std::vector<Binding> bindings_;
};

/// CLI11 takes "-q=1" for -q and an option "-=1", which nobody typed.
void give_back_value(const std::string& word, CommandLine& line) {
  const std::size_t equals = word.find('=');
  const auto rest = std::find(line.extras.begin(), line.extras.end(), "-" + word.substr(equals));
  if (rest == line.extras.end() || equals < 2) return;
  line.extras.erase(rest);
  for (auto* options : {&line.options, &line.in_front})
    for (GivenOption& given : *options)
      if (given.row->letter == word[equals - 1]) given.values.push_back(word.substr(equals));
}

}  // namespace

GivenOption* CommandLine::find(const OptionRow& row, bool is_not) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const GivenOption& given) {
    return given.row == &row && given.is_not == is_not;
  });
  return found == options.end() ? nullptr : &*found;
}

const GivenOption* CommandLine::find(std::string_view name) const {
  const auto found = std::find_if(options.begin(), options.end(), [&](const GivenOption& given) {
    return given.row->name == name && !given.is_not;
  });
  return found == options.end() ? nullptr : &*found;
}

const std::string* CommandLine::value(std::string_view name) const {
  const GivenOption* given = find(name);
  return given == nullptr ? nullptr : &given->values.front();
}

CommandLine read_command_line(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = arguments;
  const auto end = std::find(words.begin(), words.end(), "--");
  for (auto word = words.begin(); word != end; ++word)
    if (word->starts_with("--") && word->find('=') == word->size() - 1) *word += kEmptyValue;
  CommandLine line = Reader().read(std::move(words));
  for (const std::string& word : arguments)
    if (word.starts_with('-') && word.find('=') != std::string::npos) give_back_value(word, line);
  return line;
}

}  // namespace pobpf::cli
