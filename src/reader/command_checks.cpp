// SPDX-License-Identifier: GPL-2.0-only
#include "reader/command_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

#include "kernel/libbpf_log.h"
#include "kernel/local_clock.h"
#include "kernel/symbol_table.h"
#include "reader/page_inspector.h"
#include "reader/pin_directory.h"
#include "reader/pin_program.h"
#include "reader/session_on.h"
#include "reader/view.h"

namespace pobpf {
namespace {

constexpr const char* kFacts = "facts";

/// Programs that are tried together, and who needs them.
struct Trial {
  const char* name;      ///< of the check
  const char* commands;  ///< subject of a sentence
  std::function<Status()> run;
  bool is_for_all = false;  ///< as in Check
};

Check check_of(const Trial& trial) {
  Check check{trial.name,
              CheckState::kOk,
              fmt::format("{} will work", trial.commands),
              {},
              trial.is_for_all};
  if (auto status = trial.run(); !status) {
    check.state = CheckState::kMissing;
    check.detail = fmt::format("{} will not work: {}", trial.commands, status.error().what);
    check.hint = status.error().hint;
  }
  return check;
}

std::vector<Check> checks_of(const std::vector<Trial>& trials) {
  std::vector<Check> checks;
  checks.reserve(trials.size());
  for (const Trial& trial : trials) checks.push_back(check_of(trial));
  return checks;
}

/// The same without trying them.
std::vector<Check> not_tried(const std::vector<Trial>& trials, const std::string& why) {
  std::vector<Check> checks;
  checks.reserve(trials.size());
  for (const Trial& trial : trials)
    checks.push_back({trial.name, CheckState::kUnknown,
                      fmt::format("{} could not be tried", trial.commands), why, trial.is_for_all});
  return checks;
}

/// The programs of each command, loaded as it does.
class Programs {
 public:
  Programs(const MachineFacts& facts, const KernelBtf& types) : facts_(facts), types_(types) {}

  [[nodiscard]] Status load_session(const SessionOptions& options) const {
    auto session = open_session_on(facts_, options, types_);
    return session ? Status() : fail(std::move(session).error());
  }
  [[nodiscard]] Status load_pages() const { return load_session({.with_sums = false}); }
  [[nodiscard]] Status know_text() const {
    const auto layout = facts_.text.known_text_layout();
    return layout ? Status() : fail(layout.error());
  }
  [[nodiscard]] Status load_sums() const { return load_session({.with_pages = false}); }
  [[nodiscard]] Status load_blockers() const {
    return load_session({.with_pages = false, .with_sums = false, .with_blockers = true});
  }
  [[nodiscard]] Status load_recordings() const {
    return load_session({.with_details = true, .with_sums = false});
  }
  [[nodiscard]] Status load_filters() const {
    if (auto status = load_session({.filters = kEveryFilter}); !status) return status;
    if (auto status =
            load_session({.with_details = true, .with_sums = false, .filters = kEveryFilter});
        !status)
      return status;
    auto symbols = SymbolTable::open(facts_.symbol_sources, facts_.code);
    return symbols ? Status() : fail(std::move(symbols).error());
  }
  [[nodiscard]] Status load_page() const {
    auto inspector = open_inspector_on(facts_, types_);
    return inspector ? Status() : fail(std::move(inspector).error());
  }
  [[nodiscard]] Status load_pin(std::uint32_t filters) const {
    return check_pin_program(facts_, types_, filters);
  }

 private:
  const MachineFacts& facts_;
  const KernelBtf& types_;
};

/// `programs` may be null for those who only want to know their names.
std::vector<Trial> program_trials(const Programs* programs) {
  return {{"pages", "pobpf without a command", [=] { return programs->load_pages(); }, true},
          {"text", "text as the kernel prints it", [=] { return programs->know_text(); }},
          {"sums", "pobpf stacks and top", [=] { return programs->load_sums(); }},
          {"blockers", "pobpf blockers", [=] { return programs->load_blockers(); }},
          {"recordings", "pobpf record, snapshot and watch-pressure",
           [=] { return programs->load_recordings(); }},
          {"filters", "what selects pages by more than their node",
           [=] { return programs->load_filters(); }},
          {"page", "pobpf page", [=] { return programs->load_page(); }},
          {"pins", "pobpf pin", [=] { return programs->load_pin(0); }},
          {"filtered_pins", "pobpf pin with filters",
           [=] { return programs->load_pin(kEveryFilter); }}};
}

std::vector<Trial> surrounding_trials(const Surroundings& surroundings) {
  const auto read_clock = [] {
    auto clock = read_local_clock();
    return clock ? Status() : fail(std::move(clock).error());
  };
  const auto watch_stalls = [&surroundings] {
    auto monitor = StallMonitor::open(surroundings.pressure_file, {});
    return monitor ? Status() : fail(std::move(monitor).error());
  };
  const auto find_directory = [&surroundings] {
    auto directory = PinDirectory::find(surroundings.pin_directory);
    return directory ? directory->check_for_pins() : fail(std::move(directory).error());
  };
  return {{"ages", "pobpf top with ages, and filters by times ago", read_clock},
          {"pressure", "pobpf watch-pressure without --stall none", watch_stalls},
          {"pin_directory", "pobpf pin without --dir", find_directory}};
}

}  // namespace

std::vector<Check> check_programs(const MachineFacts& facts, const KernelBtf& types) {
  const Programs programs(facts, types);
  return checks_of(program_trials(&programs));
}

std::vector<Check> check_surroundings(const Surroundings& surroundings) {
  return checks_of(surrounding_trials(surroundings));
}

std::vector<Check> run_command_checks(const SessionOptions& options, bool preflight_passed) {
  const auto in_order = [](Check facts, std::vector<Check> programs,
                           std::vector<Check> surroundings) {
    std::vector<Check> checks{std::move(facts)};
    std::ranges::move(programs, std::back_inserter(checks));
    std::ranges::move(surroundings, std::back_inserter(checks));
    return checks;
  };
  const Surroundings here;
  if (!preflight_passed) {
    const std::string why = "mend what is missing above, then run pobpf check again";
    return in_order({kFacts, CheckState::kUnknown, "the kernel was not asked", why},
                    not_tried(program_trials(nullptr), why),
                    not_tried(surrounding_trials(here), why));
  }
  route_libbpf_log();
  SessionOptions every = options;
  every.filters = kEveryFilter;
  auto kernel = read_kernel(every);
  if (!kernel)
    return in_order(
        {kFacts, CheckState::kMissing, kernel.error().what, kernel.error().hint},
        not_tried(program_trials(nullptr), "programs are made for the facts of the kernel"),
        check_surroundings(here));
  return in_order(
      {kFacts, CheckState::kOk, "what programs have to know of the kernel was found", {}},
      check_programs(kernel->facts, kernel->btf), check_surroundings(here));
}

}  // namespace pobpf
