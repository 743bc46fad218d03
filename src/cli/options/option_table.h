// SPDX-License-Identifier: GPL-2.0-only
// All commands and all their options as plain data. Parsing, help, completion, man pages and
// settings are made of it: docs/options.md says how.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options/options.h"
#include "util/error.h"

namespace pobpf::cli {

/// A bit for each command, so that a row can belong to several.
using Commands = std::uint32_t;
namespace of {
inline constexpr Commands kPages = 1U << 0;
inline constexpr Commands kStacks = 1U << 1;
inline constexpr Commands kTop = 1U << 2;
inline constexpr Commands kPage = 1U << 3;
inline constexpr Commands kCheck = 1U << 4;
inline constexpr Commands kRecord = 1U << 5;
inline constexpr Commands kReport = 1U << 6;
inline constexpr Commands kReportStacks = 1U << 7;
inline constexpr Commands kReportTop = 1U << 8;
inline constexpr Commands kReportPage = 1U << 9;
inline constexpr Commands kDiff = 1U << 10;
inline constexpr Commands kSnapshot = 1U << 11;
inline constexpr Commands kWatchPressure = 1U << 12;
inline constexpr Commands kList = 1U << 13;
inline constexpr Commands kImport = 1U << 14;
inline constexpr Commands kPin = 1U << 15;
inline constexpr Commands kPins = 1U << 16;
inline constexpr Commands kUnpin = 1U << 17;
inline constexpr Commands kBlockers = 1U << 18;
inline constexpr Commands kReportBlockers = 1U << 19;

inline constexpr Commands kReports = kReport | kReportStacks | kReportTop;
inline constexpr Commands kBothBlockers = kBlockers | kReportBlockers;
inline constexpr Commands kArchives = kSnapshot | kWatchPressure;
inline constexpr Commands kAll = ~0U;
}  // namespace of

/// A line of help that stands for itself: an example, or an exit status.
struct HelpRow {
  const char* left = nullptr;
  const char* right = "";
};

struct CommandRow {
  Commands bit;
  Command command;
  const char* name;     ///< "top"; "report top" for a view of a command; "" for the program itself
  const char* summary;  ///< in the list of commands
  HelpRow examples[10] = {};  ///< up to the first empty one; views have those of their command
  ReportView view = ReportView::kPages;
};

/// How often an option may be given.
enum class Times {
  kOnce,
  kSeveral,    ///< its values add up
  kEitherWay,  ///< the same, and there is --not-NAME, which help lists apart
  kJoined,     ///< as kSeveral, but it is taken once, with commas between its values
};

/// The kinds of names that completion offers for a value.
enum class NameKind {
  kNone,
  kFile,
  kDirectory,
  // names that only the machine, or a snapshot, knows
  kGfp,
  kPageFlags,
  kMigratetype,
  kZone,
  kNode,
  kProcess,
  kComm,
  kSymbol,
  kModule,
  kMemcg,
  kPin,
  kUser,
};

/// How several names make one value.
enum class ListSyntax {
  kCommas,
  kBits,     ///< commas, and "all:", "any:" or "none:" in front of a name and those behind it
  kOneName,  ///< they do not
};

struct OptionRow;

/// One value of an option, as it was given.
struct Value {
  const OptionRow& row;
  std::string text;     ///< empty if the option takes no value
  bool is_not = false;  ///< it belongs to the opposite, --not-NAME
};

/// One option, or one positional argument, of one or more commands.
struct OptionRow {              // NOLINT(clang-analyzer-optin.performance.Padding)
  const char* name;             ///< "output"; in capitals, as "FILE", for a positional argument
  char letter = '\0';           ///< 'o' for -o
  const char* value = nullptr;  ///< help calls its value so: "FILE"; "[N]" may be left out
  Commands commands = of::kAll;
  Times times = Times::kOnce;
  bool is_needed = false;              ///< a positional argument that may not be left out
  bool is_hidden = false;              ///< for tests: not in help, man pages and completion
  bool only_on_command_lines = false;  ///< no setting
  /// Where a value goes, in one of three ways; in none, if it only matters that it is given.
  bool* (*flag)(Options& options) = nullptr;         ///< which is set
  std::string* (*text)(Options& options) = nullptr;  ///< which gets the value as it is
  /// Checks a value and puts it where it belongs. Looks at nothing else: what several options mean
  /// together is decided in option_checks.cpp. The caller puts the option's name in front of its
  /// errors, except for those of an option with `choices`.
  Status (*take)(const Value& value, Options& options) = nullptr;
  const char* choices = nullptr;                  ///< "text,json": the only values there are
  std::vector<std::string> (*words)() = nullptr;  ///< names that are known without the machine
  NameKind names = NameKind::kNone;               ///< and those that are not
  ListSyntax list = ListSyntax::kCommas;
  const char* help = "";  ///< completion shows it up to the first colon or semicolon

  [[nodiscard]] bool has_opposite() const { return times == Times::kEitherWay; }
  [[nodiscard]] bool is_positional() const { return name[0] >= 'A' && name[0] <= 'Z'; }
  [[nodiscard]] bool takes_value() const { return value != nullptr || is_positional(); }
  [[nodiscard]] bool needs_value() const { return value != nullptr && value[0] != '['; }
};

/// Options that help lists under one heading.
struct OptionGroup {
  const char* title;
  Commands commands;  ///< those that have rows of it
  std::span<const OptionRow> rows;
};

/// In the order of help; the first is the program itself.
[[nodiscard]] std::span<const CommandRow> command_table();
[[nodiscard]] std::span<const OptionGroup> option_groups();
[[nodiscard]] std::span<const HelpRow> exit_statuses();

// The parts of option_groups(), each in a file of its own.
[[nodiscard]] std::span<const OptionGroup> own_option_groups();
[[nodiscard]] std::span<const OptionGroup> filter_groups();
[[nodiscard]] std::span<const OptionGroup> shared_option_groups();

/// nullptr for the program itself.
[[nodiscard]] const CommandRow* parent_of(const CommandRow& command);
[[nodiscard]] std::vector<const CommandRow*> commands_below(const CommandRow& command);
/// Its own, or those of the command that it is a view of.
[[nodiscard]] std::vector<HelpRow> examples_of(const CommandRow& command);
/// "top" of "report top".
[[nodiscard]] std::string_view last_word(const CommandRow& command);
/// "pobpf report top".
[[nodiscard]] std::string full_name(const CommandRow& command);

[[nodiscard]] std::vector<const OptionRow*> options_of(const CommandRow& command);
[[nodiscard]] std::vector<const OptionRow*> options_of(const CommandRow& command,
                                                       const OptionGroup& group);
/// By "output"; nullptr if the command has no such option.
[[nodiscard]] const OptionRow* find_option(const CommandRow& command, std::string_view name);
[[nodiscard]] bool is_filter(const OptionRow& row);

/// "not-pid": the key of settings.
[[nodiscard]] std::string key_of(const OptionRow& row, bool is_not = false);
/// "--not-pid", or "FILE": as messages name it.
[[nodiscard]] std::string name_of(const OptionRow& row, bool is_not = false);
/// All words that are known without the machine.
[[nodiscard]] std::vector<std::string> words_of(const OptionRow& row);

[[nodiscard]] inline tl::unexpected<Error> usage_error(std::string what, std::string hint = {}) {
  return fail(ErrorKind::kUsage, std::move(what), std::move(hint));
}

}  // namespace pobpf::cli
