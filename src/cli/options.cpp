// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "cli/command_line.h"
#include "cli/format_option.h"
#include "cli/option_value.h"
#include "cli/settings.h"
#include "cli/usage_error.h"
#include "cli/version.h"

namespace pobpf::cli {
namespace {

/// CLI11 leaves two empty lines between groups.
std::string help_text(const CLI::App& app) {
  std::string text = app.help();
  for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

std::string help_hint(const CLI::App* command) {
  return command == nullptr ? "see pobpf --help"
                            : fmt::format("see pobpf {} --help", full_name(*command));
}

/// CLI11's own sentences name its C++ concepts; these name what was typed.
std::string describe(const CLI::ParseError& error, const CLI::App& app, const CLI::App* command) {
  std::string what = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    auto extras = app.remaining(true);
    std::erase(extras, "--");
    const std::string first = extras.empty() ? "" : extras.front();
    if (first.size() > 1 && first.starts_with('-'))
      return fmt::format("unknown option '{}'", first);
    const bool is_word = !first.empty() && std::isalpha(static_cast<unsigned char>(first[0])) != 0;
    return fmt::format("{} '{}'",
                       is_word && command == nullptr ? "unknown command" : "unexpected argument",
                       first);
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
    // "--nid: 1 required LIST missing", "quiet was given a disallowed flag override"
    if (what.starts_with('-')) return what.substr(0, what.find(':')) + " needs a value";
    return fmt::format("--{} takes no value", what.substr(0, what.find(' ')));
  }
  return what;
}

/// Options of the default command in front of a verb: they must be options of the verb too, and
/// have their value once.
Status check_options_in_front(const CLI::App& app, const CLI::App& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    const std::string name = option->get_name();
    const CLI::Option* same = command.get_option_no_throw(name);
    if (same == nullptr)
      return usage_error(fmt::format("{} is not an option of pobpf {}", name, full_name(command)),
                         help_hint(&command));
    // --pid of pobpf page is no filter
    if (is_filter_option(name) && command.get_option_no_throw("--tgid") == nullptr)
      return usage_error(fmt::format("in front of {} {} is a filter, which {} does not take",
                                     command.get_name(), name, command.get_name()),
                         help_hint(&command));
    const bool takes_value = option->get_items_expected_max() > 0;
    if (takes_value && same->count() != 0)
      return usage_error(fmt::format("{} is given more than once", name), help_hint(&command));
  }
  return {};
}

Status check_given_once(const Raw& raw, const std::string& hint) {
  const std::pair<const char*, const std::vector<std::string>&> single[] = {
      {"--nid", raw.nodelist},          {"--mode", raw.mode},
      {"--format", raw.format},         {"--threads", raw.threads},
      {"--max-groups", raw.max_groups}, {"--output", raw.output}};
  for (const auto& [name, values] : single)
    if (values.size() > 1)
      return usage_error(fmt::format("{} is given more than once", name), hint);
  return {};
}

Result<pobpf_mode> parse_mode(const Raw& raw) {
  constexpr std::pair<std::string_view, pobpf_mode> kModes[] = {
      {"stack", POBPF_MODE_STACK},
      {"handle", POBPF_MODE_HANDLE},
      {"stack_handle", POBPF_MODE_STACK_HANDLE}};
  if (raw.mode.empty()) return raw.wants_handles ? POBPF_MODE_HANDLE : POBPF_MODE_STACK;
  const std::string& name = raw.mode.front();
  const auto* found = std::find_if(std::begin(kModes), std::end(kModes),
                                   [&](const auto& mode) { return mode.first == name; });
  if (found == std::end(kModes))
    return usage_error(fmt::format("unknown mode '{}'", name),
                       "--mode takes stack, handle or stack_handle");
  if (raw.wants_handles && found->second != POBPF_MODE_HANDLE)
    return usage_error(fmt::format("--handles and --mode {} contradict each other", name),
                       "--handles is short for --mode handle");
  return found->second;
}

Result<Format> parse_format(const Raw& raw, Command command, ReportView view) {
  if (raw.format.empty()) return Format::kText;
  return parse_format_name(raw.format.front(), formats_of(command, view),
                           !raw.output.empty() && raw.output.front() != "-");
}

Result<unsigned> parse_threads(const Raw& raw) {
  if (raw.threads.empty()) return 1;
  constexpr unsigned kThreadsMax = 256;
  return parse_number_between("--threads", raw.threads.front(), 1, kThreadsMax);
}

Result<std::uint32_t> parse_max_groups(const Raw& raw) {
  if (raw.max_groups.empty()) return SumRequest().groups_max;
  constexpr std::uint32_t kGroupsMax = 1U << 24;
  return parse_number_between("--max-groups", raw.max_groups.front(), 1, kGroupsMax);
}

Result<SessionOptions> parse_features(const Raw& raw) {
  SessionOptions session;
  for (const std::string& name : raw.disabled_features) {
    if (name == "rdonly-cast")
      session.use_rdonly_cast = false;
    else if (name == "may-goto")
      session.use_may_goto = false;
    else if (name == "kallsyms-lookup")
      session.use_kallsyms_lookup = false;
    else
      return usage_error(fmt::format("unknown feature '{}'", name),
                         "--no-feature takes rdonly-cast, may-goto or kallsyms-lookup");
  }
  return session;
}

Result<Options> check_shared(const Raw& raw, Command command, ReportView view,
                             const std::string& hint) {
  if (auto status = check_given_once(raw, hint); !status) return fail(std::move(status).error());
  if (raw.is_quiet && raw.verbosity != 0)
    return usage_error("--quiet and --verbose contradict each other", hint);

  auto format = parse_format(raw, command, view);
  if (!format) return fail(std::move(format).error());
  auto mode = parse_mode(raw);
  if (!mode) return fail(std::move(mode).error());
  if (*format == Format::kSqlite && (raw.wants_handles || !raw.mode.empty()))
    return usage_error("a database has stacks and their numbers: leave --mode away", hint);
  auto session = parse_features(raw);
  if (!session) return fail(std::move(session).error());

  auto threads = parse_threads(raw);
  if (!threads) return fail(std::move(threads).error());
  auto groups_max = parse_max_groups(raw);
  if (!groups_max) return fail(std::move(groups_max).error());

  Options options;
  options.command = command;
  options.nr_threads = *threads;
  options.groups_max = *groups_max;
  if (command == Command::kPage || view == ReportView::kPage) {
    auto page = parse_page_request(
        raw.page, command == Command::kPage ? PageSource::kKernel : PageSource::kSnapshot);
    if (!page) {
      auto error = std::move(page).error();
      if (error.hint.empty()) error.hint = hint;
      return fail(std::move(error));
    }
    options.page = *std::move(page);
  }
  options.format = *format;
  options.mode = *mode;
  options.session = *session;
  options.wants_stats = raw.wants_stats;
  options.is_quiet = raw.is_quiet;
  options.verbosity = raw.verbosity;
  if (!raw.output.empty()) {
    if (raw.output.front().empty()) return usage_error("--output needs the name of a file", hint);
    if (raw.output.front() != "-") options.output_path = raw.output.front();
  }
  auto filter = parse_filters(raw.filters);
  if (!filter) {
    auto error = std::move(filter).error();
    if (error.hint.empty()) error.hint = hint;
    return fail(std::move(error));
  }
  options.filter = *std::move(filter);
  options.session.filters = options.filter.active();
  if (!raw.nodelist.empty()) {
    options.nodelist = raw.nodelist.front();
    if (auto nodes = parse_wanted_nodes(options.nodelist, POBPF_MAX_NODES); !nodes) {
      auto error = std::move(nodes).error();
      if (error.hint.empty()) error.hint = hint;
      return fail(std::move(error));
    }
  }
  return options;
}

/// In the order that CLI11 wants: the last one first. It takes "--nid=" for a missing value.
std::vector<std::string> reversed(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  bool is_option = true;
  for (const std::string& argument : arguments) {
    is_option = is_option && argument != "--";
    if (is_option && argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      result.push_back(argument.substr(0, argument.size() - 1));
      result.emplace_back();
    } else {
      result.push_back(argument);
    }
  }
  std::reverse(result.begin(), result.end());
  return result;
}

tl::unexpected<Error> with_hint(Error error, const std::string& hint) {
  if (error.hint.empty() && error.kind == ErrorKind::kUsage) error.hint = hint;
  return tl::unexpected<Error>(std::move(error));
}

Status check_commands(const CommandLine& line) {
  const CLI::App* command = line.chosen();
  if (command == nullptr) return {};
  if (!line.is_one_command())
    return usage_error("more than one command is given", help_hint(nullptr));
  for (const CLI::App* above = command->get_parent(); above != nullptr; above = above->get_parent())
    if (auto status = check_options_in_front(*above, *command); !status)
      return fail(std::move(status).error());
  return {};
}

Status check_pin(const CommandLine& line, Options& options) {
  auto pin = check_pin_options(line.raw().pin, line.chosen()->get_name());
  if (!pin) return fail(std::move(pin).error());
  options.pin = *std::move(pin);
  options.pin.view_text = line.given_filters();
  return {};
}

Status check_snapshot(const CommandLine& line, const std::string& hint, Options& options) {
  const CLI::App* verb = line.chosen();
  while (verb->get_parent()->get_parent() != nullptr) verb = verb->get_parent();
  auto snapshot = check_snapshot_options(line.raw().snapshot, verb->get_name(),
                                         !line.raw().output.empty(), hint);
  if (!snapshot) return fail(std::move(snapshot).error());
  options.snapshot = *std::move(snapshot);
  options.snapshot.view = line.view();
  options.snapshot.view_text = line.given_filters();
  return {};
}

Status check_archive(const CommandLine& line, const std::string& hint, Options& options) {
  auto archive = check_archive_options(
      line.raw().archive,
      options.command == Command::kWatchPressure ? kPressureDirectory : kDefaultDirectory);
  if (!archive) return with_hint(std::move(archive).error(), hint);
  options.archive = *std::move(archive);
  return {};
}

Status check_top(const CommandLine& line, const std::string& hint, Options& options) {
  auto top = check_top_options(line.raw().top);
  if (!top) return with_hint(std::move(top).error(), hint);
  options.top = *std::move(top);
  if (line.view() == ReportView::kTop && options.top.interval)
    return usage_error("a snapshot does not change: there is nothing to --watch", hint);
  return {};
}

Status check_diff(const CommandLine& line, const std::string& hint, Options& options) {
  auto diff = check_diff_options(line.raw().diff);
  if (!diff) return fail(std::move(diff).error());
  options.diff = *std::move(diff);
  return check_top(line, hint, options);
}

/// What only some commands have.
Status check_own_options(const CommandLine& line, const std::string& hint, Options& options) {
  switch (line.command()) {
    case Command::kPin:
    case Command::kPins:
    case Command::kUnpin:
      return check_pin(line, options);
    case Command::kTop:
      return check_top(line, hint, options);
    case Command::kDiff:
      return check_diff(line, hint, options);
    case Command::kList:
      return check_archive(line, hint, options);
    case Command::kSnapshot:
      if (auto status = check_snapshot(line, hint, options); !status) return status;
      return check_archive(line, hint, options);
    case Command::kWatchPressure: {
      if (auto status = check_snapshot(line, hint, options); !status) return status;
      auto pressure = check_pressure_options(line.raw().pressure);
      if (!pressure) return with_hint(std::move(pressure).error(), hint);
      options.pressure = *std::move(pressure);
      return check_archive(line, hint, options);
    }
    case Command::kReport:
      if (auto status = check_snapshot(line, hint, options); !status) return status;
      return line.view() == ReportView::kTop ? check_top(line, hint, options) : Status();
    case Command::kRecord:
    case Command::kImport:
      return check_snapshot(line, hint, options);
    case Command::kPages:
    case Command::kPage:
    case Command::kStacks:
    case Command::kCheck:
      break;
  }
  return {};
}

Result<Options> check(const CommandLine& line) {
  const std::string hint = help_hint(line.chosen());
  auto options = check_shared(line.raw(), line.command(), line.view(), hint);
  if (!options) return options;
  if (auto status = check_own_options(line, hint, *options); !status)
    return fail(std::move(status).error());
  return options;
}

bool is_missing(const Error& error) {
  return error.os_errno == ENOENT || error.os_errno == ENOTDIR;
}

Result<Settings> take_settings(CommandLine& line, const std::string& default_path) {
  const auto& given = line.raw().settings_path;
  if (given.size() > 1)
    return usage_error("--config is given more than once", help_hint(line.chosen()));
  const std::string path = given.empty() ? default_path : given.front();
  if (path.empty()) return usage_error("--config needs the name of a file", "/dev/null is empty");
  auto settings = Settings::read(path, line);
  if (!settings) {
    auto error = std::move(settings).error();
    if (given.empty() && is_missing(error)) return Settings();
    if (error.hint.empty()) error.hint = "--config /dev/null runs without settings";
    return fail(std::move(error));
  }
  if (auto status = settings->apply(line.chosen()); !status) return fail(std::move(status).error());
  return settings;
}

}  // namespace

std::string default_settings() {
  const char* const path = ::secure_getenv("POBPF_CONFIG");
  return path != nullptr ? path : kSettingsPath;
}

Result<std::variant<Options, Information>> parse_options(const std::vector<std::string>& arguments,
                                                         const std::string& settings_path) {
  CommandLine line(arguments);
  try {
    line.app().parse(reversed(arguments));
  } catch (const CLI::CallForHelp&) {
    return Information{help_text(line.app())};
  } catch (const CLI::ParseError& error) {
    return usage_error(describe(error, line.app(), line.chosen()), help_hint(line.chosen()));
  }
  if (auto status = check_commands(line); !status) return fail(std::move(status).error());
  if (line.raw().wants_version) {
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

void visit_command_line(const std::function<void(const CLI::App&)>& visit) {
  CommandLine line({});
  line.add_rest();
  visit(line.app());
}

Format error_format(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i] == "--format=json" ||
        (arguments[i] == "--format" && i + 1 < arguments.size() && arguments[i + 1] == "json"))
      return Format::kJson;
  return Format::kText;
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

}  // namespace pobpf::cli
