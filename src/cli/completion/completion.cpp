// SPDX-License-Identifier: GPL-2.0-only
#include "cli/completion/completion.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "cli/options/command_line.h"

namespace pobpf::cli {
namespace {

struct BitGroup {
  std::string_view prefix;
  const char* description;
};
constexpr BitGroup kBitGroups[] = {{"all:", "all of the names behind it"},
                                   {"any:", "at least one of the names behind it"},
                                   {"none:", "none of the names behind it"}};

/// Characters that no shell takes for anything else, wherever they stand in a word; "-" begins an
/// option.
bool is_plain(std::string_view word) {
  constexpr std::string_view kOthers = "_./:@%+,=-";
  return !word.empty() && std::all_of(word.begin(), word.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kOthers.find(c) != std::string_view::npos;
  });
}

/// The rest of a sentence of help has values and conditions.
std::string brief(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of(":;")));
}

std::string_view without_group(std::string_view name, const OptionRow& row) {
  if (row.list == ListSyntax::kBits)
    for (const BitGroup& group : kBitGroups)
      if (name.starts_with(group.prefix)) return name.substr(group.prefix.size());
  return name;
}

class Completer {
 public:
  Completer(const std::vector<std::string>& words, std::string typed, NameSource& source)
      : line_(read_command_line(words)),
        typed_(std::move(typed)),
        is_option_(typed_.starts_with('-') &&
                   std::find(words.begin(), words.end(), "--") == words.end()),
        source_(source) {}

  Completion run() {
    const OptionRow* const next = line_.next;
    if (next != nullptr && !next->is_positional() && (next->needs_value() || !is_option_)) {
      add_values(*next, 0);
    } else if (is_option_ && typed_.find('=') != std::string::npos) {
      add_values_behind_equals(typed_.find('='));
    } else if (is_option_) {
      add_options();
    } else {
      add_commands();
      if (next != nullptr) add_values(*next, 0);
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
    if (!line_.extras.empty()) return;
    for (const GivenOption& given : line_.options)
      if (given.row->is_positional()) return;
    for (const CommandRow* command : commands_below(*line_.command))
      add(std::string(last_word(*command)), brief(command->summary));
  }

  void add_options() {
    for (const OptionRow* row : options_of(*line_.command)) {
      if (row->is_positional() || row->is_hidden) continue;
      add(name_of(*row), brief(row->help));
      if (row->has_opposite())
        add(name_of(*row, true), "rules out what " + name_of(*row) + " passes");
      if (row->letter != '\0') add(std::string("-") + row->letter, brief(row->help));
    }
  }

  void add_values_behind_equals(std::size_t equals) {
    std::string_view name = std::string_view(typed_).substr(0, equals);
    if (!name.starts_with("--")) return;
    name.remove_prefix(2);
    for (const OptionRow* row : options_of(*line_.command))
      if (row->takes_value() && !row->is_positional() &&
          (name == row->name || (row->has_opposite() && name == key_of(*row, true))))
        add_values(*row, equals + 1);
  }

  /// Completes the part of the word from `begin` on.
  void add_values(const OptionRow& row, std::size_t begin) {
    result_.wants_files = row.names == NameKind::kFile;
    result_.wants_directories = row.names == NameKind::kDirectory;
    std::vector<Candidate> names;
    for (std::string& word : words_of(row)) names.push_back({std::move(word), {}});
    const std::size_t name_at = name_begin(row, begin);
    if (row.names > NameKind::kDirectory) names = source_.names(row.names, question(name_at));
    const std::string before = typed_.substr(0, name_at);
    for (const Candidate& name : names)
      if (is_one_more(row, std::string_view(before).substr(begin), name.word))
        add(before + name.word, name.description, name.is_unfinished);
    const bool is_in_group = name_at > begin && typed_[name_at - 1] == ':';
    if (row.list == ListSyntax::kBits && !is_in_group)
      for (const BitGroup& group : kBitGroups)
        add(before + std::string(group.prefix), group.description, true);
  }

  static bool is_list(const OptionRow& row) {
    return row.list != ListSyntax::kOneName && row.choices == nullptr;
  }

  /// Where the name that is typed begins.
  [[nodiscard]] std::size_t name_begin(const OptionRow& row, std::size_t begin) const {
    if (is_list(row)) {
      const std::size_t comma = typed_.rfind(',');
      if (comma != std::string::npos && comma >= begin) begin = comma + 1;
    }
    return typed_.size() - without_group(std::string_view(typed_).substr(begin), row).size();
  }

  [[nodiscard]] NameQuestion question(std::size_t name_at) const {
    NameQuestion question{typed_.substr(name_at), {}, {}};
    for (const GivenOption& given : line_.options)
      if (given.row->is_positional() && given.row->names == NameKind::kFile)
        question.files = given.values;
    if (const std::string* directory = line_.value("dir")) question.directory = *directory;
    return question;
  }

  /// A name that has a comma, or that is among those given already, adds nothing.
  static bool is_one_more(const OptionRow& row, std::string_view given, std::string_view name) {
    if (!is_list(row)) return true;
    if (name.find(',') != std::string_view::npos) return false;
    while (!given.empty()) {
      const std::size_t comma = given.find(',');
      if (without_group(given.substr(0, comma), row) == name) return false;
      if (comma == std::string_view::npos) break;
      given.remove_prefix(comma + 1);
    }
    return true;
  }

  CommandLine line_;
  std::string typed_;
  bool is_option_;
  NameSource& source_;
  Completion result_;
};

}  // namespace

Completion complete(const std::vector<std::string>& words, NameSource& source) {
  if (words.empty()) return Completer({}, {}, source).run();
  return Completer({words.begin(), words.end() - 1}, words.back(), source).run();
}

}  // namespace pobpf::cli
