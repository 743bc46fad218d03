// SPDX-License-Identifier: GPL-2.0-only
// pobpf check: what this machine lacks, and which commands will work. Needs neither privileges nor
// page_owner, but can say more with them.
#include <fmt/format.h>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "format/json_writer.h"
#include "reader/command_checks.h"
#include "reader/view.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

struct StateName {
  const char* text;
  const char* json;
};

StateName state_name(CheckState state) {
  switch (state) {
    case CheckState::kOk:
      return {"OK", "ok"};
    case CheckState::kMissing:
      return {"FAIL", "missing"};
    case CheckState::kUnknown:
      break;
  }
  return {"?", "unknown"};
}

void append_text(std::string& out, const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    // details quote the kernel's command line
    append_escaped(out, fmt::format("{:<5} {}: {}{}{}", state_name(check.state).text, check.name,
                                    check.detail, check.hint.empty() ? "" : "; ", check.hint));
    out += '\n';
  }
}

void write_members(IndentedJsonWriter& json, const Check& check) {
  json.member("name", check.name);
  json.member("state", state_name(check.state).json);
  json.member("detail", check.detail);
  json.member("hint", check.hint);
}

void append_checks(std::string& out, const std::vector<Check>& checks, bool can_run) {
  append_json<JsonLayout::kIndented>(out, [&](IndentedJsonWriter& json) {
    json.member("can_run", can_run);
    json.array("checks", [&] {
      for (const Check& check : checks) json.object([&] { write_members(json, check); });
    });
  });
}

}  // namespace

Result<ExitStatus> print_checks(const std::vector<Check>& checks, const Options& options,
                                Output& output) {
  const bool can_run = preflight_status(checks).has_value();
  if (options.format == Format::kJson)
    append_checks(output.buffer(), checks, can_run);
  else
    append_text(output.buffer(), checks);
  if (auto status = output.commit(); !status && !output.is_reader_gone())
    return fail(std::move(status).error());
  return can_run ? ExitStatus::kComplete : ExitStatus::kUnsupported;
}

Result<ExitStatus> run_check(const Options& options) {
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  Machine machine = Machine::current();
  machine.hidden_names = hidden_names(options.session);
  auto checks = run_preflight(machine);
  const bool preflight_passed = preflight_status(checks).has_value();
  for (Check& check : run_command_checks(options.session, preflight_passed))
    checks.push_back(std::move(check));
  return print_checks(checks, options, *output);
}

}  // namespace pobpf::cli
