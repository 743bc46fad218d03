// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "cli/options/command_line.h"
#include "cli/options/help.h"
#include "cli/options/option_checks.h"
#include "cli/options/settings.h"
#include "cli/options/version.h"

namespace pobpf::cli {
namespace {

/// Rows of a table where no --limit is given.
constexpr std::size_t kTableRowsDefault = 20;

/// Words that no option of the command takes.
Status check_extras(const CommandLine& line) {
  if (line.extras.empty()) return {};
  const std::string& first = line.extras.front();
  if (first.size() > 1 && first.starts_with('-'))
    return usage_error(fmt::format("unknown option '{}'", first));
  const bool is_command = !first.empty() &&
                          std::isalpha(static_cast<unsigned char>(first[0])) != 0 &&
                          parent_of(*line.command) == nullptr;
  return usage_error(
      fmt::format("{} '{}'", is_command ? "unknown command" : "unexpected argument", first));
}

/// Options in front of a command must be options of that command too.
Status join_options_in_front(CommandLine& line) {
  const CommandRow& command = *line.command;
  for (GivenOption& front : line.in_front) {
    const std::string name = name_of(*front.row, front.is_not);
    const OptionRow* const row = find_option(command, front.row->name);
    if (row == nullptr || (front.is_not && !row->has_opposite()))
      return usage_error(fmt::format("{} is not an option of {}", name, full_name(command)));
    // --pid of pobpf page names a process instead of filtering
    if (is_filter(*front.row) && !is_filter(*row))
      return usage_error(fmt::format("in front of {0} {1} is a filter, which {0} does not take",
                                     command.name, name));
    GivenOption* const same = line.find(*row, front.is_not);
    if (same == nullptr)
      line.options.push_back({row, front.is_not, std::move(front.values)});
    else if (row->takes_value())
      return usage_error(name + " is given more than once");
    else
      same->values.insert(same->values.end(), front.values.begin(), front.values.end());
  }
  return {};
}

Status check_words(CommandLine& line) {
  if (line.next != nullptr && line.next->needs_value())
    return usage_error(name_of(*line.next, line.next_is_not) + " needs a value");
  for (const auto* options : {&line.in_front, &line.options})
    for (const GivenOption& given : *options)
      if (!given.row->takes_value())
        for (const std::string& value : given.values)
          if (!value.empty())
            return usage_error(name_of(*given.row, given.is_not) + " takes no value");
  if (auto status = check_extras(line); !status) return status;
  if (auto status = join_options_in_front(line); !status) return status;
  for (const GivenOption& given : line.options)
    if (given.row->times == Times::kOnce && given.row->takes_value() && given.values.size() > 1)
      return usage_error(name_of(*given.row) + " is given more than once");
  return {};
}

Status take_value(const OptionRow& row, bool is_not, const std::string& text, Options& options) {
  const std::string name = name_of(row, is_not);
  if (text.empty() && (row.names == NameKind::kFile || row.names == NameKind::kDirectory)) {
    const char* const kind = row.names == NameKind::kFile ? "file" : "directory";
    return usage_error(row.is_positional() ? fmt::format("the name of a {} is empty", kind)
                                           : fmt::format("{} needs the name of a {}", name, kind));
  }
  if (row.flag != nullptr) *row.flag(options) = true;
  if (row.text != nullptr) *row.text(options) = text;
  if (row.take == nullptr) return {};
  auto status = row.take({row, text, is_not}, options);
  if (status || row.choices != nullptr || row.is_positional()) return status;
  return fail(std::move(status).error().in(name));
}

/// In the order of the table.
Status take_values(CommandLine& line, Options& options) {
  for (const OptionRow* row : options_of(*line.command)) {
    for (const bool is_not : {false, true}) {
      const GivenOption* const given = line.find(*row, is_not);
      if (given == nullptr) continue;
      auto values = given->values;
      if (row->times == Times::kJoined) values = {fmt::format("{}", fmt::join(values, ","))};
      for (const std::string& value : values)
        if (auto status = take_value(*row, is_not, value, options); !status) return status;
    }
  }
  for (const OptionRow* row : options_of(*line.command)) {
    const std::string_view name = line.command->name;
    if (row->is_needed && line.find(*row) == nullptr)
      return usage_error(fmt::format("{} needs a {}", name.substr(0, name.find(' ')), row->name));
  }
  return {};
}

tl::unexpected<Error> with_hint(Error error, const CommandLine& line) {
  if (error.kind == ErrorKind::kUsage && error.hint.empty())
    error.hint = fmt::format("see {} --help", full_name(*line.command));
  return fail(std::move(error));
}

Result<Options> check(CommandLine& line) {
  Options options;
  options.command = line.command->command;
  options.snapshot.view = line.command->view;
  if (options.command == Command::kWatchPressure) options.archive.directory = kPressureDirectory;
  if (options.command == Command::kBlockers || options.snapshot.view == ReportView::kBlockers)
    options.top.fields = {GroupField::kFunction, GroupField::kComm};
  auto status = take_values(line, options);
  if (status) status = check_together(line, options);
  if (!status) return with_hint(std::move(status).error(), line);
  return options;
}

bool is_missing(const Error& error) {
  return error.os_errno == ENOENT || error.os_errno == ENOTDIR;
}

Result<Settings> take_settings(CommandLine& line, const std::string& default_path) {
  const std::string* const given = line.value("config");
  const std::string path = given == nullptr ? default_path : *given;
  if (path.empty()) return usage_error("--config needs the name of a file", "/dev/null is empty");
  auto settings = Settings::read(path);
  if (!settings) {
    auto error = std::move(settings).error();
    if (given == nullptr && is_missing(error)) return Settings();
    if (error.hint.empty()) error.hint = "--config /dev/null runs without settings";
    return fail(std::move(error));
  }
  settings->apply(line);
  return settings;
}

Result<std::variant<Options, Information>> parse(CommandLine& line,
                                                 const std::string& settings_path) {
  for (const auto* options : {&line.options, &line.in_front})
    for (const GivenOption& given : *options)
      if (given.row->name == std::string_view("help") && given.values.back().empty())
        return Information{help_text(*line.command)};
  if (auto status = check_words(line); !status) return fail(std::move(status).error());
  if (line.find("version") != nullptr) {
    auto options = check(line);
    if (!options) return fail(std::move(options).error());
    return Information{version_text(options->format)};
  }
  auto settings = take_settings(line, settings_path);
  if (!settings) return fail(std::move(settings).error());
  auto options = check(line);
  if (!options) return fail(settings->blame(std::move(options).error()));
  options->settings = settings->applied();
  return *std::move(options);
}

}  // namespace

std::string default_settings() {
  const char* const path = ::secure_getenv("POBPF_CONFIG");
  return path != nullptr ? path : kSettingsPath;
}

Result<std::variant<Options, Information>> parse_options(const std::vector<std::string>& arguments,
                                                         const std::string& settings_path) {
  CommandLine line = read_command_line(arguments);
  auto parsed = parse(line, settings_path);
  if (!parsed) return with_hint(std::move(parsed).error(), line);
  return parsed;
}

Format error_format(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i] == "--format=json" ||
        (arguments[i] == "--format" && i + 1 < arguments.size() && arguments[i + 1] == "json"))
      return Format::kJson;
  return Format::kText;
}

std::optional<std::size_t> row_limit(const Options& options) {
  const bool is_table = options.format == Format::kText;
  if (options.top.has_limit || !is_table) return options.top.limit;
  return kTableRowsDefault;
}

Result<std::optional<NodeSet>> parse_wanted_nodes(std::string_view nodelist, unsigned max_nodes) {
  if (nodelist.find_first_not_of(", \t\n\v\f\r") == std::string_view::npos)
    return std::optional<NodeSet>();
  auto nodes = parse_nodelist(nodelist, max_nodes);
  if (!nodes) return fail(std::move(nodes).error().in("--nid"));
  if (nodes->none())
    return fail(ErrorKind::kUsage, fmt::format("--nid {} names no node", nodelist));
  return std::optional<NodeSet>(*nodes);
}

std::vector<PfnRange> pfns_of(const PageRequest& request, std::uint64_t page_bytes) {
  std::vector<PfnRange> pfns = request.pfns;
  for (const std::uint64_t address : request.physical)
    pfns.push_back({address / page_bytes, address / page_bytes + 1});
  return pfns;
}

}  // namespace pobpf::cli
