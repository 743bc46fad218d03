// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>

#include "cli/filter_options.h"
#include "cli/format_option.h"
#include "cli/hidden_options.h"
#include "cli/option_value.h"
#include "cli/version.h"
#include "model/name_list.h"

namespace pobpf::cli {
namespace {

constexpr const char* kExitStatus = R"(
Exit status:
  0  complete; also when the reader of the output goes away (pobpf | head)
  1  failed
  2  wrong usage
  3  this kernel or these privileges cannot; pobpf check says why
  4  finished, but something is missing; one line on stderr says what)";

constexpr const char* kPagesExamples = R"(Examples:
  pobpf                               all pages, as debugfs page_owner has them
  pobpf --nid 1 --handles             node 1 only, a number instead of a stack
  pobpf --nid 0,2-3 --stats >pages    and what became of every other page
  pobpf --format json -o pages.jsonl  one JSON object a page, into a file
  pobpf top                           who has the memory, summed up
  pobpf stacks --nid 0                all stacks of node 0, largest first
  pobpf page 0x12345                  who has, and had, one page
  pobpf pin node1 --nid 1             a file: cat prints this view each time
  pobpf check                         what this machine lacks to run pobpf
)";

constexpr const char* kStacksExamples = R"(Examples:
  pobpf stacks                        the stacks that own most memory come first
  pobpf stacks --nid 1 --format json  of node 1 only, one JSON object a stack
)";

constexpr const char* kTopExamples = R"(Examples:
  pobpf top                           who has most memory, by stack
  pobpf top --by allocator,module     what it is used for
  pobpf top --by tgid,comm --nid 0    processes, on node 0
  pobpf top --by function --watch 5   who grows; --sort growth puts it first
  pobpf top --by memcg --format csv   for a spreadsheet
)";

constexpr const char* kPageExamples = R"(Examples:
  pobpf page 0x12345                  who has this page, who had it, what it is
  pobpf page 74565+16 --format json   16 pages, one JSON object each
  pobpf page --phys 0x12345678        the page of a physical address
  pobpf page --pid 1 --addr 0x7ffd1000    and of an address of a process
)";

constexpr const char* kCheckExamples = R"(Examples:
  pobpf check                         one line a check, with what to do
  pobpf check --format json           the same for scripts
)";

constexpr const char* kPinExamples = R"(Examples:
  pobpf pin node1 --nid 1 --handles      then: cat /sys/fs/bpf/pobpf/node1
  pobpf pin a --chown :adm --chmod 440   for a group that can do nothing else
  pobpf pin node1 --nid 0-1 --replace    the next cat prints both nodes
)";

constexpr const char* kRecordExamples = R"(Examples:
  pobpf record -o now.pobpf               all pages, for later and elsewhere
  pobpf record --nid 1 -o node1.pobpf     of node 1 only
  pobpf record --level 12 -o small.pobpf  smaller by a little, slower by much
)";

constexpr const char* kReportExamples = R"(Examples:
  pobpf report now.pobpf                  what pobpf would have printed then
  pobpf report now.pobpf --format json    one JSON object a page
  pobpf report now.pobpf --format csv     one line a page, for a spreadsheet
  pobpf report now.pobpf --format sqlite -o now.db  a database, for any question
  pobpf report top now.pobpf --by tgid    who had the memory
  pobpf report stacks now.pobpf --nid 1   stacks of node 1
  pobpf report page now.pobpf 0x12345     who had one page
  pobpf report cut.pobpf --salvage        what is intact of a damaged file
)";

constexpr const char* kDiffExamples = R"(Examples:
  pobpf diff old.pobpf new.pobpf          stacks, the largest changes first
  pobpf diff old.pobpf new.pobpf --by allocator --sort growth
  pobpf diff --leaks 1.pobpf 2.pobpf 3.pobpf  what only ever grew
)";

constexpr const char* kImportExamples = R"(Examples:
  pobpf import page_owner.txt -o then.pobpf    what cat of debugfs has saved
  pobpf import old.txt.gz -o old.pobpf         compressed: gz, xz or zst
  pobpf import mail.txt -o mail.pobpf          a mail, a kernel log: as they are
)";

constexpr const char* kPinsExamples = R"(Examples:
  pobpf pins                          the pins and what each shows
  pobpf pins --format json            the same for scripts
)";

constexpr const char* kUnpinExamples = R"(Examples:
  pobpf unpin node1                   one pin
  pobpf unpin --all                   all that pobpf has made
)";

/// What the option parser fills in. Lists, because "given twice" is an error that we word.
struct Raw {
  std::vector<std::string> nodelist;
  RawFilters filters;
  std::vector<std::string> mode;
  std::vector<std::string> format;
  std::vector<std::string> output;
  std::vector<std::string> disabled_features;
  RawPageRequest page;
  bool wants_handles = false;
  bool wants_stats = false;
  bool is_quiet = false;
  int verbosity = 0;
  bool wants_version = false;
  RawPinOptions pin;
  RawTopOptions top;
  RawSnapshotOptions snapshot;
  RawDiffOptions diff;
  std::vector<std::string> threads;
  std::vector<std::string> max_groups;
};

template <typename T>
void add_flag(CLI::App& app, const char* names, T& value, const char* group,
              const char* description) {
  app.add_flag(names, value, description)->disable_flag_override()->group(group);
}

void add_filters(CLI::App& app, Raw& raw) {
  add_value(app, "--nid", raw.nodelist, "LIST", "Filters",
            "only pages on these NUMA nodes, in the kernel's\n"
            "list syntax: 0 or 0,2 or 0-3 or 0-7:1/2;\n"
            "an empty list means all nodes");
  add_filter_options(app, raw.filters);
}

void add_mode(CLI::App& app, Raw& raw) {
  add_value(app, "--mode", raw.mode, "MODE", "Output",
            "what to show of a page's stack: stack (default),\n"
            "handle (its number), stack_handle (both)");
  add_flag(app, "--handles", raw.wants_handles, "Output", "short for --mode handle");
}

void add_output(CLI::App& app, Raw& raw, Formats formats = Formats::kTextJson) {
  add_value(app, "--format", raw.format, "FORMAT", "Output", format_description(formats));
  add_value(app, "-o,--output", raw.output, "FILE", "Output",
            "write to FILE (mode 0600), which is replaced only\n"
            "when the new one is complete; - is stdout");
}

void add_stats(CLI::App& app, Raw& raw) {
  add_flag(app, "--stats", raw.wants_stats, "Output", "say on stderr what became of every page");
}

void add_max_groups(CLI::App& app, Raw& raw) {
  add_value(app, "--max-groups", raw.max_groups, "N", "Other",
            "groups that the kernel tells apart at most, about\n"
            "200 bytes of its memory each; default 262144");
}

/// Of commands that sum up in the kernel.
void add_sums(CLI::App& app, Raw& raw) {
  add_value(app, "--threads", raw.threads, "N", "Other",
            "read with N threads, spread over the nodes;\ndefault 1");
  add_max_groups(app, raw);
}

void add_common(CLI::App& app, Raw& raw) {
  app.set_help_flag("-h,--help", "print this help")->group("Other");
  add_flag(app, "-q,--quiet", raw.is_quiet, "Other", "no warnings and no progress on stderr");
  add_flag(app, "-v,--verbose", raw.verbosity, "Other",
           "say what was found out about this kernel;\ntwice: with all messages of libbpf");
  // forces the fallback of a kernel feature, for tests
  add_value(app, "--no-feature", raw.disabled_features, "NAME", kHiddenGroup, "");
}

/// Of all views of a snapshot that show many pages.
void add_report(CLI::App& app, Raw& raw) {
  add_report_options(app, raw.snapshot);
  add_filters(app, raw);
  add_stats(app, raw);
  add_common(app, raw);
}

tl::unexpected<Error> usage_error(std::string what, std::string hint) {
  return fail(ErrorKind::kUsage, std::move(what), std::move(hint));
}

/// CLI11 leaves two empty lines between groups.
std::string help_text(const CLI::App& app) {
  std::string text = app.help();
  for (std::size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

/// "report top": without the program's own.
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr) return {};
  const std::string above = full_name(*parent);
  return above + (above.empty() ? "" : " ") + command.get_name();
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
  return parse_number("--threads", raw.threads.front(), 1, kThreadsMax);
}

Result<std::uint32_t> parse_max_groups(const Raw& raw) {
  if (raw.max_groups.empty()) return SumRequest().groups_max;
  constexpr std::uint32_t kGroupsMax = 1U << 24;
  return parse_number("--max-groups", raw.max_groups.front(), 1, kGroupsMax);
}

Result<SessionOptions> parse_features(const Raw& raw) {
  SessionOptions session;
  for (const std::string& name : raw.disabled_features) {
    if (name == "rdonly-cast")
      session.use_rdonly_cast = false;
    else if (name == "kallsyms-lookup")
      session.use_kallsyms_lookup = false;
    else
      return usage_error(fmt::format("unknown feature '{}'", name),
                         "--no-feature takes rdonly-cast or kallsyms-lookup");
  }
  return session;
}

Result<Options> check(const Raw& raw, Command command, ReportView view, const std::string& hint) {
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
  options.session.with_filters = options.filter.needs_filter_object();
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

/// Some may stand in front of the command.
std::string all_given_filters(const CLI::App& app, const CLI::App& command) {
  const std::string front = given_filters(app);
  const std::string behind = given_filters(command);
  return front + (front.empty() || behind.empty() ? "" : " ") + behind;
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

}  // namespace

Result<std::variant<Options, Information>> parse_options(
    const std::vector<std::string>& arguments) {
  Raw raw;
  CLI::App app(
      "Prints who owns this machine's memory: the allocated pages of a kernel booted\n"
      "with page_owner=on, read through BPF, without debugfs.\n",
      "pobpf");
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(24);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.require_subcommand(0, 1);
  app.footer(filter_footer() + kPagesExamples + kExitStatus);
  add_filters(app, raw);
  add_mode(app, raw);
  add_output(app, raw, Formats::kPages);
  add_stats(app, raw);
  add_common(app, raw);
  add_flag(app, "--version", raw.wants_version, "Other", "print versions");

  CLI::App& stacks = *app.add_subcommand("stacks", "call stacks and what they own, largest first");
  stacks.group("Commands");
  stacks.footer(filter_footer() + kStacksExamples + kExitStatus);
  add_filters(stacks, raw);
  add_output(stacks, raw);
  add_stats(stacks, raw);
  add_sums(stacks, raw);
  add_common(stacks, raw);

  CLI::App& top = *app.add_subcommand("top", "who has the memory, and who grows");
  top.group("Commands");
  top.footer(filter_footer() + kTopExamples + kExitStatus);
  add_filters(top, raw);
  add_top_options(top, raw.top);
  add_output(top, raw, Formats::kRows);
  add_stats(top, raw);
  add_sums(top, raw);
  add_common(top, raw);

  CLI::App& page = *app.add_subcommand("page", "all that is known of single pages");
  page.group("Commands");
  page.footer(std::string(kPageExamples) + kExitStatus);
  add_page_options(page, raw.page);
  add_output(page, raw);
  add_common(page, raw);

  CLI::App& check_command = *app.add_subcommand("check", "what this machine lacks to run pobpf");
  check_command.group("Commands");
  check_command.footer(std::string(kCheckExamples) + kExitStatus);
  add_output(check_command, raw);
  add_common(check_command, raw);

  CLI::App& record = *app.add_subcommand("record", "all pages into a file, for later");
  record.group("Commands");
  record.footer(filter_footer() + kRecordExamples + kExitStatus);
  add_filters(record, raw);
  add_value(record, "-o,--output", raw.output, "FILE", "Output",
            "write to FILE (mode 0600), which is replaced only\n"
            "when the new one is complete; - is stdout");
  add_record_options(record, raw.snapshot);
  add_stats(record, raw);
  add_common(record, raw);

  CLI::App& report = *app.add_subcommand("report", "show what record has written");
  report.group("Commands");
  report.footer(filter_footer() + kReportExamples + kExitStatus);
  report.require_subcommand(0, 1);
  add_report(report, raw);
  add_mode(report, raw);
  add_output(report, raw, Formats::kSnapshot);

  CLI::App& report_stacks =
      *report.add_subcommand("stacks", "call stacks and what they own, largest first");
  report_stacks.group("Views");
  report_stacks.footer(filter_footer() + kReportExamples + kExitStatus);
  add_report(report_stacks, raw);
  add_output(report_stacks, raw);
  add_max_groups(report_stacks, raw);

  CLI::App& report_top = *report.add_subcommand("top", "who has the memory");
  report_top.group("Views");
  report_top.footer(filter_footer() + kReportExamples + kExitStatus);
  add_report(report_top, raw);
  add_top_options(report_top, raw.top);
  add_output(report_top, raw, Formats::kRows);
  add_max_groups(report_top, raw);

  CLI::App& report_page = *report.add_subcommand("page", "all that is known of single pages");
  report_page.group("Views");
  report_page.footer(std::string(kReportExamples) + kExitStatus);
  add_report_page_options(report_page, raw.snapshot);
  add_pfn_options(report_page, raw.page);
  add_output(report_page, raw);
  add_common(report_page, raw);

  CLI::App& diff = *app.add_subcommand("diff", "what changed between snapshots");
  diff.group("Commands");
  diff.footer(filter_footer() + kDiffExamples + kExitStatus);
  add_diff_options(diff, raw.diff, raw.top);
  add_filters(diff, raw);
  add_output(diff, raw);
  add_stats(diff, raw);
  add_max_groups(diff, raw);
  add_common(diff, raw);

  CLI::App& import =
      *app.add_subcommand("import", "the text of any kernel's page_owner into such a file");
  import.group("Commands");
  import.footer(std::string(kImportExamples) + kExitStatus);
  add_import_options(import, raw.snapshot);
  add_value(import, "-o,--output", raw.output, "FILE", "Output",
            "write to FILE (mode 0600), which is replaced only\n"
            "when the new one is complete; - is stdout");
  add_common(import, raw);

  CLI::App& pin = *app.add_subcommand("pin", "a view as a file that cat reads");
  pin.group("Commands");
  pin.footer(filter_footer() + kPinExamples + kExitStatus);
  add_filters(pin, raw);
  add_mode(pin, raw);
  add_pin_options(pin, raw.pin);
  add_common(pin, raw);

  CLI::App& pins = *app.add_subcommand("pins", "the pins there are and what they show");
  pins.group("Commands");
  pins.footer(std::string(kPinsExamples) + kExitStatus);
  add_pins_options(pins, raw.pin);
  add_output(pins, raw);
  add_common(pins, raw);

  CLI::App& unpin = *app.add_subcommand("unpin", "remove pins");
  unpin.group("Commands");
  unpin.footer(std::string(kUnpinExamples) + kExitStatus);
  add_unpin_options(unpin, raw.pin);
  add_common(unpin, raw);

  const std::pair<CLI::App*, Command> commands[] = {
      {&stacks, Command::kStacks},       {&top, Command::kTop},       {&page, Command::kPage},
      {&check_command, Command::kCheck}, {&pin, Command::kPin},       {&pins, Command::kPins},
      {&unpin, Command::kUnpin},         {&record, Command::kRecord}, {&report, Command::kReport},
      {&diff, Command::kDiff},           {&import, Command::kImport}};
  const std::pair<CLI::App*, ReportView> views[] = {{&report_stacks, ReportView::kStacks},
                                                    {&report_top, ReportView::kTop},
                                                    {&report_page, ReportView::kPage}};
  const auto chosen = [&]() -> const CLI::App* {
    for (const auto& [candidate, view] : views)
      if (candidate->count() != 0) return candidate;
    for (const auto& [candidate, number] : commands)
      if (candidate->count() != 0) return candidate;
    return nullptr;
  };
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::CallForHelp&) {
    return Information{help_text(app)};
  } catch (const CLI::ParseError& error) {
    return usage_error(describe(error, app, chosen()), help_hint(chosen()));
  }

  const CLI::App* command = chosen();
  const std::string hint = help_hint(command);
  if (command != nullptr) {
    if (command->count() > 1 || app.get_subcommands().size() > 1 ||
        report.get_subcommands().size() > 1)
      return usage_error("more than one command is given", help_hint(nullptr));
    for (const CLI::App* above = command->get_parent(); above != nullptr;
         above = above->get_parent())
      if (auto status = check_options_in_front(*above, *command); !status)
        return fail(std::move(status).error());
  }
  Command number = Command::kPages;
  for (const auto& [candidate, its_number] : commands)
    if (candidate == command || (command != nullptr && candidate == command->get_parent()))
      number = its_number;
  ReportView view = ReportView::kPages;
  for (const auto& [candidate, its_view] : views)
    if (candidate == command) view = its_view;
  auto options = check(raw, number, view, hint);
  if (!options) return fail(std::move(options).error());
  if (command == &pin || command == &pins || command == &unpin) {
    auto pin_options = check_pin_options(raw.pin, command->get_name());
    if (!pin_options) return fail(std::move(pin_options).error());
    options->pin = *std::move(pin_options);
    options->pin.view_text = all_given_filters(app, *command);
  }
  if (number == Command::kRecord || number == Command::kReport || number == Command::kImport) {
    const char* const verb = number == Command::kRecord   ? "record"
                             : number == Command::kReport ? "report"
                                                          : "import";
    auto snapshot = check_snapshot_options(raw.snapshot, verb, !raw.output.empty(), hint);
    if (!snapshot) return fail(std::move(snapshot).error());
    options->snapshot = *std::move(snapshot);
    options->snapshot.view = view;
    options->snapshot.view_text = all_given_filters(app, *command);
  }
  if (command == &diff) {
    auto diff_options = check_diff_options(raw.diff);
    if (!diff_options) return fail(std::move(diff_options).error());
    options->diff = *std::move(diff_options);
  }
  if (command == &top || command == &report_top || command == &diff) {
    auto top_options = check_top_options(raw.top);
    if (!top_options) {
      auto error = std::move(top_options).error();
      if (error.hint.empty() && error.kind == ErrorKind::kUsage) error.hint = hint;
      return fail(std::move(error));
    }
    options->top = *std::move(top_options);
    if (command == &report_top && options->top.interval)
      return usage_error("a snapshot does not change: there is nothing to --watch", hint);
  }
  if (raw.wants_version) return Information{version_text(options->format)};
  return *std::move(options);
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
