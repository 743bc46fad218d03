// SPDX-License-Identifier: GPL-2.0-only
#include "cli/command_line.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "cli/format_option.h"
#include "cli/hidden_options.h"
#include "cli/option_value.h"

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

constexpr const char* kSnapshotExamples = R"(Examples:
  pobpf snapshot --dir history --keep 48   the last 48 stay
  pobpf snapshot --dir history --thin --min-free 10%  a year of them
  pobpf snapshot --dir history --keep 3 --dry-run     what would be removed
)";

constexpr const char* kWatchPressureExamples = R"(Examples:
  pobpf watch-pressure --dir now --once    one, when memory is short
  pobpf watch-pressure --stall none --low-memory 5%   before the OOM killer
)";

constexpr const char* kListExamples = R"(Examples:
  pobpf list history                       snapshots, the oldest first
  pobpf list history --format json         one JSON object each
)";

constexpr const char* kDiffExamples = R"(Examples:
  pobpf diff old.pobpf new.pobpf          stacks, the largest changes first
  pobpf diff old.pobpf new.pobpf --by allocator --sort growth
  pobpf diff --leaks 1.pobpf 2.pobpf 3.pobpf  what only ever grew
  pobpf diff --latest --dir history       the last two of pobpf snapshot
  pobpf diff --leaks --latest 3 --dir history  what grew in the last three
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
  // a flag that counts into a variable clears it when it is added, which may be after parsing
  app.add_flag_function(
         "-v,--verbose", [&raw](std::int64_t count) { raw.verbosity = static_cast<int>(count); },
         "say what was found out about this kernel;\ntwice: with all messages of libbpf")
      ->disable_flag_override()
      ->group("Other");
  add_value(app, "--config", raw.settings_path, "FILE", "Other",
            "settings (TOML) instead of those in\n"
            "/etc/pobpf/pobpf.conf; /dev/null: none");
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

}  // namespace

CommandLine::CommandLine(const std::vector<std::string>& arguments)
    : app_(
          "Prints who owns this machine's memory: the allocated pages of a kernel booted\n"
          "with page_owner=on, read through BPF, without debugfs.\n",
          "pobpf") {
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.get_formatter()->column_width(24);
  app_.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app_.require_subcommand(0, 1);
  app_.footer(filter_footer() + kPagesExamples + kExitStatus);
  add_filters(app_, raw_);
  add_mode(app_, raw_);
  add_output(app_, raw_, Formats::kPages);
  add_stats(app_, raw_);
  add_common(app_, raw_);
  add_flag(app_, "--version", raw_.wants_version, "Other", "print versions");
  add_live_commands();
  add_report_commands();
  add_history_commands();
  add_pin_commands();
  for (auto& [command, add_options] : unfilled_)
    if (std::find(arguments.begin(), arguments.end(), command->get_name()) != arguments.end())
      std::exchange(add_options, nullptr)(*command);
}

void CommandLine::add_rest() {
  for (auto& [command, add_options] : unfilled_)
    if (add_options) std::exchange(add_options, nullptr)(*command);
}

void CommandLine::add_live_commands() {
  add_command(Command::kStacks, "stacks", "call stacks and what they own, largest first",
              [this](CLI::App& stacks) {
                stacks.footer(filter_footer() + kStacksExamples + kExitStatus);
                add_filters(stacks, raw_);
                add_output(stacks, raw_);
                add_stats(stacks, raw_);
                add_sums(stacks, raw_);
                add_common(stacks, raw_);
              });
  add_command(Command::kTop, "top", "who has the memory, and who grows", [this](CLI::App& top) {
    top.footer(filter_footer() + kTopExamples + kExitStatus);
    add_filters(top, raw_);
    add_top_options(top, raw_.top);
    add_output(top, raw_, Formats::kRows);
    add_stats(top, raw_);
    add_sums(top, raw_);
    add_common(top, raw_);
  });
  add_command(Command::kPage, "page", "all that is known of single pages", [this](CLI::App& page) {
    page.footer(std::string(kPageExamples) + kExitStatus);
    add_page_options(page, raw_.page);
    add_output(page, raw_);
    add_common(page, raw_);
  });
  add_command(Command::kCheck, "check", "what this machine lacks to run pobpf",
              [this](CLI::App& check_command) {
                check_command.footer(std::string(kCheckExamples) + kExitStatus);
                add_output(check_command, raw_);
                add_common(check_command, raw_);
              });
  add_command(Command::kRecord, "record", "all pages into a file, for later",
              [this](CLI::App& record) {
                record.footer(filter_footer() + kRecordExamples + kExitStatus);
                add_filters(record, raw_);
                add_value(record, "-o,--output", raw_.output, "FILE", "Output",
                          "write to FILE (mode 0600), which is replaced only\n"
                          "when the new one is complete; - is stdout");
                add_record_options(record, raw_.snapshot);
                add_stats(record, raw_);
                add_common(record, raw_);
              });
}

void CommandLine::add_report_commands() {
  add_command(Command::kReport, "report", "show what record has written", [this](CLI::App& report) {
    report.footer(filter_footer() + kReportExamples + kExitStatus);
    report.require_subcommand(0, 1);
    add_report(report, raw_);
    add_mode(report, raw_);
    add_output(report, raw_, Formats::kSnapshot);

    CLI::App& report_stacks = add_view(report, ReportView::kStacks, "stacks",
                                       "call stacks and what they own, largest first");
    report_stacks.footer(filter_footer() + kReportExamples + kExitStatus);
    add_report(report_stacks, raw_);
    add_output(report_stacks, raw_);
    add_max_groups(report_stacks, raw_);

    CLI::App& report_top = add_view(report, ReportView::kTop, "top", "who has the memory");
    report_top.footer(filter_footer() + kReportExamples + kExitStatus);
    add_report(report_top, raw_);
    add_top_options(report_top, raw_.top);
    add_output(report_top, raw_, Formats::kRows);
    add_max_groups(report_top, raw_);

    CLI::App& report_page =
        add_view(report, ReportView::kPage, "page", "all that is known of single pages");
    report_page.footer(std::string(kReportExamples) + kExitStatus);
    add_report_page_options(report_page, raw_.snapshot);
    add_pfn_options(report_page, raw_.page);
    add_output(report_page, raw_);
    add_common(report_page, raw_);
  });
}

void CommandLine::add_history_commands() {
  add_command(Command::kDiff, "diff", "what changed between snapshots", [this](CLI::App& diff) {
    diff.footer(filter_footer() + kDiffExamples + kExitStatus);
    add_diff_options(diff, raw_.diff, raw_.top);
    add_filters(diff, raw_);
    add_output(diff, raw_);
    add_stats(diff, raw_);
    add_max_groups(diff, raw_);
    add_common(diff, raw_);
  });
  add_command(Command::kSnapshot, "snapshot",
              "all pages into a directory, whose old ones are removed", [this](CLI::App& snapshot) {
                snapshot.footer(filter_footer() + kSnapshotExamples + kExitStatus);
                add_archive_options(snapshot, raw_.archive, kDefaultDirectory);
                add_filters(snapshot, raw_);
                add_record_options(snapshot, raw_.snapshot);
                add_dry_run(snapshot, raw_.archive);
                add_stats(snapshot, raw_);
                add_common(snapshot, raw_);
              });
  add_command(Command::kWatchPressure, "watch-pressure", "a snapshot whenever memory is short",
              [this](CLI::App& watch) {
                watch.footer(filter_footer() + kWatchPressureExamples + kExitStatus);
                add_pressure_options(watch, raw_.pressure);
                add_archive_options(watch, raw_.archive, kPressureDirectory);
                add_filters(watch, raw_);
                add_record_options(watch, raw_.snapshot);
                add_stats(watch, raw_);
                add_common(watch, raw_);
              });
  add_command(Command::kList, "list", "what snapshots a directory has", [this](CLI::App& list) {
    list.footer(std::string(kListExamples) + kExitStatus);
    add_list_options(list, raw_.archive);
    add_output(list, raw_);
    add_common(list, raw_);
  });
  add_command(Command::kImport, "import", "the text of any kernel's page_owner into such a file",
              [this](CLI::App& import) {
                import.footer(std::string(kImportExamples) + kExitStatus);
                add_import_options(import, raw_.snapshot);
                add_value(import, "-o,--output", raw_.output, "FILE", "Output",
                          "write to FILE (mode 0600), which is replaced only\n"
                          "when the new one is complete; - is stdout");
                add_common(import, raw_);
              });
}

void CommandLine::add_pin_commands() {
  add_command(Command::kPin, "pin", "a view as a file that cat reads", [this](CLI::App& pin) {
    pin.footer(filter_footer() + kPinExamples + kExitStatus);
    add_filters(pin, raw_);
    add_mode(pin, raw_);
    add_pin_options(pin, raw_.pin);
    add_common(pin, raw_);
  });
  add_command(Command::kPins, "pins", "the pins there are and what they show",
              [this](CLI::App& pins) {
                pins.footer(std::string(kPinsExamples) + kExitStatus);
                add_pins_options(pins, raw_.pin);
                add_output(pins, raw_);
                add_common(pins, raw_);
              });
  add_command(Command::kUnpin, "unpin", "remove pins", [this](CLI::App& unpin) {
    unpin.footer(std::string(kUnpinExamples) + kExitStatus);
    add_unpin_options(unpin, raw_.pin);
    add_common(unpin, raw_);
  });
}

void CommandLine::add_command(Command number, const char* name, const char* description,
                              std::function<void(CLI::App&)> add_options) {
  CLI::App& command = *app_.add_subcommand(name, description);
  command.group("Commands");
  commands_.emplace_back(&command, number);
  unfilled_.emplace_back(&command, std::move(add_options));
}

CLI::App& CommandLine::add_view(CLI::App& report, ReportView view, const char* name,
                                const char* description) {
  CLI::App& command = *report.add_subcommand(name, description);
  command.group("Views");
  views_.emplace_back(&command, view);
  return command;
}

const CLI::App* CommandLine::chosen() const {
  for (const auto& [candidate, view] : views_)
    if (candidate->count() != 0) return candidate;
  for (const auto& [candidate, number] : commands_)
    if (candidate->count() != 0) return candidate;
  return nullptr;
}

Command CommandLine::command() const {
  for (const auto& [candidate, number] : commands_)
    if (candidate->count() != 0) return number;
  return Command::kPages;
}

ReportView CommandLine::view() const {
  for (const auto& [candidate, view] : views_)
    if (candidate->count() != 0) return view;
  return ReportView::kPages;
}

bool CommandLine::is_one_command() const {
  const CLI::App* command = chosen();
  if (command == nullptr) return true;
  if (command->count() > 1 || app_.get_subcommands().size() > 1) return false;
  const CLI::App* above = command->get_parent();
  return above == &app_ || above->get_subcommands().size() == 1;
}

std::string CommandLine::given_filters() const {
  const CLI::App* command = chosen();
  const std::string front = cli::given_filters(app_);
  const std::string behind = command != nullptr ? cli::given_filters(*command) : "";
  return front + (front.empty() || behind.empty() ? "" : " ") + behind;
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr) return {};
  const std::string above = full_name(*parent);
  return above + (above.empty() ? "" : " ") + command.get_name();
}

}  // namespace pobpf::cli
