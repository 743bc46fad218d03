// SPDX-License-Identifier: GPL-2.0-only
#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "cli/format_option.h"
#include "sum/comparison.h"
#include "sum/group_field.h"
#include "sum/ranking.h"

namespace pobpf::cli {
namespace {

/// What a value consists of.
struct ValueSyntax {
  const char* option;
  const char* separators;  ///< empty: it is one name
  NameKind kind;
  bool has_groups = false;  ///< any: and none: may stand in front
};

constexpr ValueSyntax kNamed[] = {
    {"--gfp", ",", NameKind::kGfp, true},
    {"--flags", ",", NameKind::kPageFlags, true},
    {"--migratetype", ",", NameKind::kMigratetype},
    {"--block-migratetype", ",", NameKind::kMigratetype},
    {"--zone", ",", NameKind::kZone},
    {"--nid", ",", NameKind::kNode},
    {"--pid", ",", NameKind::kProcess},
    {"--tgid", ",", NameKind::kProcess},
    {"--comm", ",", NameKind::kComm},
    {"--symbol", ",", NameKind::kSymbol},
    {"--module", ",", NameKind::kModule},
    {"--memcg", "", NameKind::kMemcg},
    {"--chown", "", NameKind::kUser},
    // positional: the name of a pin
    {"NAME", "", NameKind::kPin},
};

/// Characters that no shell takes for anything else, wherever they stand in a word; "-" begins an
/// option.
bool is_plain(std::string_view word) {
  constexpr std::string_view kOthers = "_./:@%+,=-";
  return !word.empty() && std::all_of(word.begin(), word.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.ends_with(',') || line.ends_with(';')) line.pop_back();
  return line;
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* /*any*/) { return true; });
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

/// An option whose value may be left out, followed by `word`, which is one itself.
bool may_stand_alone(const CLI::Option& option, const std::string& word) {
  return option.get_items_expected_min() == 0 && word.starts_with('-');
}

/// "--not-gfp" takes what "--gfp" does.
std::string plain_name(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true);
  std::string name = "--" + (option.get_lnames().empty() ? "" : option.get_lnames().front());
  constexpr std::string_view kNot = "--not-";
  return name.starts_with(kNot) ? "--" + name.substr(kNot.size()) : name;
}

/// The command line up to the word that is typed.
class TypedLine {
 public:
  TypedLine(const CLI::App& app, const std::vector<std::string>& words) : command_(&app) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) read(words[i]);
  }

  [[nodiscard]] const CLI::App& command() const { return *command_; }
  /// The option whose value comes next; nullptr if none.
  [[nodiscard]] const CLI::Option* pending() const { return pending_; }
  [[nodiscard]] bool is_behind_dashes() const { return is_behind_dashes_; }
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

  [[nodiscard]] const CLI::Option* find(const std::string& name) const {
    return command_->get_option_no_throw(name);
  }

  /// The positional argument that comes next; nullptr if none does.
  [[nodiscard]] const CLI::Option* next_positional() const {
    std::size_t nr_before = positionals_.size();
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) continue;
      const auto room = static_cast<std::size_t>(option->get_items_expected_max());
      if (nr_before < room) return option;
      nr_before -= room;
    }
    return nullptr;
  }

 private:
  void read(const std::string& word) {
    const CLI::Option* awaiting = std::exchange(pending_, nullptr);
    if (awaiting != nullptr && !may_stand_alone(*awaiting, word)) {
      take_value(*awaiting, word);
    } else if (is_behind_dashes_ || word.size() < 2 || word[0] != '-') {
      read_plain(word);
    } else if (word == "--") {
      is_behind_dashes_ = true;
    } else if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const CLI::Option* option = find(word.substr(0, equals));
      if (option == nullptr || !takes_value(*option)) return;
      if (equals == std::string::npos)
        pending_ = option;
      else
        take_value(*option, word.substr(equals + 1));
    } else {
      read_short(word);
    }
  }

  /// -qo FILE, -oFILE
  void read_short(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const CLI::Option* option = find(std::string("-") + word[i]);
      if (option == nullptr || !takes_value(*option)) continue;
      if (i + 1 == word.size()) pending_ = option;
      return;
    }
  }

  void read_plain(const std::string& word) {
    if (!is_behind_dashes_) {
      for (const CLI::App* verb : commands_of(*command_)) {
        if (verb->get_name() != word) continue;
        command_ = verb;
        return;
      }
    }
    positionals_.push_back(word);
  }

  void take_value(const CLI::Option& option, const std::string& value) {
    if (plain_name(option) == "--dir") directory_ = value;
  }

  const CLI::App* command_;
  const CLI::Option* pending_ = nullptr;
  bool is_behind_dashes_ = false;
  std::vector<std::string> positionals_;
  std::string directory_;
};

class Completer {
 public:
  Completer(const TypedLine& line, std::string typed, NameSource& source)
      : line_(line), typed_(std::move(typed)), source_(source) {}

  Completion run() {
    const bool is_option = typed_.starts_with('-') && !line_.is_behind_dashes();
    if (line_.pending() != nullptr && !may_stand_alone(*line_.pending(), typed_)) {
      add_values(*line_.pending(), 0);
    } else if (is_option && typed_.find('=') != std::string::npos) {
      const std::size_t equals = typed_.find('=');
      const CLI::Option* option = line_.find(typed_.substr(0, equals));
      if (option != nullptr && takes_value(*option)) add_values(*option, equals + 1);
    } else if (is_option) {
      add_options();
    } else {
      if (line_.positionals().empty() && !line_.is_behind_dashes()) add_commands();
      if (const CLI::Option* positional = line_.next_positional()) add_values(*positional, 0);
    }
    return std::move(result_);
  }

 private:
  void add(std::string word, std::string description, bool is_unfinished = false) {
    // nothing that is typed as a name may turn into an option
    if (word.starts_with('-') && !typed_.starts_with('-')) return;
    if (word.starts_with(typed_) && is_plain(word))
      result_.candidates.push_back({std::move(word), std::move(description), is_unfinished});
  }

  void add_commands() {
    for (const CLI::App* command : commands_of(line_.command()))
      add(command->get_name(), first_line(command->get_description()));
  }

  void add_options() {
    for (const CLI::Option* option : line_.command().get_options()) {
      // what is for tests has no description
      if (option->get_positional() || option->get_description().empty()) continue;
      for (const std::string& name : option->get_lnames()) {
        const std::string opposite = plain_name(*option);
        add("--" + name, opposite == "--" + name ? first_line(option->get_description())
                                                 : "rules out what " + opposite + " passes");
      }
      if (typed_.size() < 2 || !typed_.starts_with("--"))
        for (const std::string& name : option->get_snames())
          add("-" + name, first_line(option->get_description()));
    }
  }

  /// Of the part of the word from `begin` on.
  void add_values(const CLI::Option& option, std::size_t begin) {
    const std::string name = plain_name(option);
    if (name == "--format") return add_formats(option, begin);
    if (name == "--mode") return add_words({"stack", "handle", "stack_handle"}, begin);
    if (name == "--by") return add_names(listed(group_field_names()), {begin, ","});
    if (name == "--sort") return add_orders(begin);
    for (const ValueSyntax& syntax : kNamed) {
      if (name != syntax.option) continue;
      const List list{begin, syntax.separators, syntax.has_groups};
      return add_names(source_.names(syntax.kind, question(list)), list);
    }
    const std::string placeholder =
        option.get_positional() ? option.get_name(true) : option.get_type_name();
    if (placeholder == "FILE") result_.wants_files = true;
    if (placeholder == "DIR") result_.wants_directories = true;
  }

  void add_words(const std::vector<std::string>& words, std::size_t begin) {
    for (const std::string& word : words) add(typed_.substr(0, begin) + word, {});
  }

  void add_formats(const CLI::Option& option, std::size_t begin) {
    for (const Formats formats :
         {Formats::kTextJson, Formats::kRows, Formats::kPages, Formats::kSnapshot})
      if (option.get_description() == format_description(formats))
        return add_words(format_names(formats), begin);
  }

  void add_orders(std::size_t begin) {
    add_words(line_.command().get_name() == "diff" ? compare_key_names() : sort_key_names(), begin);
  }

  static std::vector<Candidate> listed(const std::vector<std::string>& names) {
    std::vector<Candidate> candidates;
    candidates.reserve(names.size());
    for (const std::string& name : names) candidates.push_back({name, {}});
    return candidates;
  }

  struct List {
    std::size_t begin;  ///< where it begins in the word that is typed
    std::string_view separators;
    bool has_groups = false;
  };

  /// Where the name that is typed begins.
  [[nodiscard]] std::size_t name_begin(const List& list) const {
    std::size_t begin = list.begin;
    if (!list.separators.empty()) {
      const std::size_t last = typed_.find_last_of(list.separators);
      if (last != std::string::npos && last >= begin) begin = last + 1;
    }
    if (list.has_groups)
      for (const std::string_view group : kGroups)
        if (std::string_view(typed_).substr(begin).starts_with(group)) return begin + group.size();
    return begin;
  }

  [[nodiscard]] NameQuestion question(const List& list) const {
    NameQuestion question{typed_.substr(name_begin(list)), {}, line_.directory()};
    const auto reads_files = [](const CLI::Option* option) {
      return option->get_positional() && option->get_name(true) == "FILE";
    };
    const auto options = line_.command().get_options();
    if (std::any_of(options.begin(), options.end(), reads_files))
      question.files = line_.positionals();
    return question;
  }

  void add_names(const std::vector<Candidate>& names, const List& list) {
    const std::size_t begin = name_begin(list);
    const std::string before = typed_.substr(0, begin);
    const std::string_view given = std::string_view(before).substr(list.begin);
    for (const Candidate& name : names) {
      // what would end the name, or is there already, adds nothing
      if (name.word.find_first_of(list.separators) != std::string::npos) continue;
      if (!list.separators.empty() && is_listed(given, name.word, list)) continue;
      add(before + name.word, name.description, name.is_unfinished);
    }
    const bool is_in_group = begin > list.begin && typed_[begin - 1] == ':';
    if (list.has_groups && !is_in_group)
      for (const std::string_view group : kGroups)
        add(before + std::string(group), group_description(group), true);
  }

  static std::string group_description(std::string_view group) {
    if (group == "any:") return "at least one of the names behind it";
    return group == "none:" ? "none of the names behind it" : "all of the names behind it";
  }

  static bool is_listed(std::string_view given, std::string_view name, const List& list) {
    while (!given.empty()) {
      const std::size_t end = given.find_first_of(list.separators);
      std::string_view part = given.substr(0, end);
      if (list.has_groups)
        for (const std::string_view group : kGroups)
          if (part.starts_with(group)) part.remove_prefix(group.size());
      if (part == name) return true;
      if (end == std::string_view::npos) break;
      given.remove_prefix(end + 1);
    }
    return false;
  }

  static constexpr std::string_view kGroups[] = {"all:", "any:", "none:"};

  const TypedLine& line_;
  std::string typed_;
  NameSource& source_;
  Completion result_;
};

}  // namespace

Completion complete(const CLI::App& app, const std::vector<std::string>& words,
                    NameSource& source) {
  const TypedLine line(app, words);
  return Completer(line, words.empty() ? std::string() : words.back(), source).run();
}

}  // namespace pobpf::cli
