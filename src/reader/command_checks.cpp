// SPDX-License-Identifier: GPL-2.0-only
#include "reader/command_checks.h"

#include <functional>
#include <string>
#include <utility>

#include "kernel/libbpf_log.h"
#include "kernel/symbol_table.h"
#include "reader/page_inspector.h"
#include "reader/pin_program.h"
#include "reader/session_on.h"
#include "reader/view.h"

namespace pobpf {
namespace {

constexpr const char* kFacts = "facts";

/// Programs that are loaded together, and who needs them.
struct ProgramSet {
  const char* name;      ///< of the check
  const char* commands;  ///< subject of a sentence
  std::function<Status(const MachineFacts&, const KernelBtf&)> load;
};

Status load_session(const MachineFacts& facts, const KernelBtf& types,
                    const SessionOptions& options) {
  auto session = open_session_on(facts, options, types);
  return session ? Status() : fail(std::move(session).error());
}

Status load_pages(const MachineFacts& facts, const KernelBtf& types) {
  SessionOptions options;
  options.with_sums = false;
  return load_session(facts, types, options);
}

Status load_sums(const MachineFacts& facts, const KernelBtf& types) {
  SessionOptions options;
  options.with_pages = false;
  return load_session(facts, types, options);
}

Status load_recordings(const MachineFacts& facts, const KernelBtf& types) {
  SessionOptions options;
  options.with_sums = false;
  options.with_details = true;
  return load_session(facts, types, options);
}

Status load_filters(const MachineFacts& facts, const KernelBtf& types) {
  SessionOptions options;
  options.filters = kEveryFilter;
  if (auto status = load_session(facts, types, options); !status) return status;
  auto symbols = SymbolTable::open(options.use_kallsyms_lookup);
  return symbols ? Status() : fail(std::move(symbols).error());
}

Status load_page(const MachineFacts& facts, const KernelBtf& types) {
  auto inspector = open_inspector_on(facts, types);
  return inspector ? Status() : fail(std::move(inspector).error());
}

const std::vector<ProgramSet>& program_sets() {
  static const std::vector<ProgramSet> sets = {
      {"pages", "pobpf without a command", load_pages},
      {"sums", "pobpf stacks and top", load_sums},
      {"recordings", "pobpf record, snapshot and watch-pressure", load_recordings},
      {"filters", "what selects pages by more than their node", load_filters},
      {"page", "pobpf page", load_page},
      {"pins", "pobpf pin", check_pin_program}};
  return sets;
}

std::vector<Check> not_tried(const std::string& why) {
  std::vector<Check> checks;
  for (const ProgramSet& set : program_sets())
    checks.push_back(
        {set.name, CheckState::kUnknown, std::string(set.commands) + " could not be tried", why});
  return checks;
}

}  // namespace

std::vector<Check> check_programs(const MachineFacts& facts, const KernelBtf& types) {
  std::vector<Check> checks;
  for (const ProgramSet& set : program_sets()) {
    const std::string commands = set.commands;
    if (auto status = set.load(facts, types))
      checks.push_back({set.name, CheckState::kOk, commands + " will work", {}});
    else
      checks.push_back({set.name, CheckState::kMissing,
                        commands + " will not work: " + status.error().what, status.error().hint});
  }
  return checks;
}

std::vector<Check> run_command_checks(const SessionOptions& options, bool preflight_passed) {
  const auto behind = [](Check facts, std::vector<Check> programs) {
    programs.insert(programs.begin(), std::move(facts));
    return programs;
  };
  if (!preflight_passed) {
    const std::string why = "mend what is missing above, then run pobpf check again";
    return behind({kFacts, CheckState::kUnknown, "the kernel was not asked", why}, not_tried(why));
  }
  route_libbpf_log();
  auto kernel = read_kernel(options);
  if (!kernel)
    return behind({kFacts, CheckState::kMissing, kernel.error().what, kernel.error().hint},
                  not_tried("programs are made for the facts of the kernel"));
  return behind({kFacts, CheckState::kOk, "what programs have to know of the kernel was found", {}},
                check_programs(kernel->facts, kernel->btf));
}

}  // namespace pobpf
