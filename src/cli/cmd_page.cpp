// SPDX-License-Identifier: GPL-2.0-only
// pobpf page: all that is known of single pages.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <bit>

#include "cli/command_end.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/logging.h"
#include "format/page_report_formatter.h"
#include "kernel/pagemap.h"
#include "reader/page_inspector.h"

namespace pobpf::cli {
namespace {

/// PFNs that do not exist are wrong usage; holes inside a range are shown as absent.
Status check_present(const std::vector<PfnRange>& wanted, const std::vector<PfnRange>& present) {
  for (const PfnRange& range : wanted) {
    if (!intersection({range}, present).empty()) continue;
    std::vector<std::string> texts;
    texts.reserve(present.size());
    for (const PfnRange& there : present)
      texts.push_back(fmt::format("{:#x}-{:#x}", there.begin, there.end - 1));
    return fail(ErrorKind::kUsage,
                range.size() == 1 ? fmt::format("this machine has no PFN {:#x}", range.begin)
                                  : fmt::format("this machine has no PFNs {:#x}-{:#x}", range.begin,
                                                range.end - 1),
                fmt::format("it has {}", fmt::join(texts, ", ")));
  }
  return {};
}

/// What the answer lacks.
std::optional<Error> incompleteness(std::uint64_t nr_changed, const Losses& losses) {
  std::vector<std::string> reasons;
  if (nr_changed != 0)
    reasons.push_back(nr_changed == 1
                          ? "1 page that changed while it was read"
                          : fmt::format("{} pages that changed while they were read", nr_changed));
  if (losses.count != 0)
    reasons.push_back(fmt::format("{} page{} with something that could not be read ({})",
                                  losses.count, losses.count == 1 ? "" : "s", losses.first.what));
  if (reasons.empty()) return std::nullopt;
  return Error{ErrorKind::kFailed,
               fmt::format("finished, but not complete because of {}", fmt::join(reasons, ", ")),
               "run pobpf again if this matters", 0};
}

}  // namespace

Result<ExitStatus> print_page_reports(PageInspector& inspector, const std::vector<PfnRange>& pfns,
                                      const Options& options, Output& output) {
  const auto page_bytes = static_cast<unsigned long>(::sysconf(_SC_PAGESIZE));
  const PageReportSource source{inspector.facts(), inspector.names(), inspector,
                                static_cast<unsigned>(std::countr_zero(page_bytes))};
  Losses losses;
  std::uint64_t nr_changed = 0;
  for (const PfnRange& range : pfns) {
    for (std::uint64_t pfn = range.begin; pfn < range.end; ++pfn) {
      if (is_interrupted()) return fail(interrupted());
      auto dump = inspector.read(pfn);
      if (!dump) return fail(std::move(dump).error());
      if (dump->has_changed) ++nr_changed;
      auto status = options.format == Format::kJson
                        ? append_page_report_json(output.buffer(), *dump, source)
                        : append_page_report(output.buffer(), *dump, source);
      if (!status) losses.add(std::move(status).error());
      if (auto flushed = output.flush_if_full(); !flushed)
        return give_up(output, std::move(flushed).error());
    }
  }
  if (auto status = output.commit(); !status) return give_up(output, std::move(status).error());
  const auto missing = incompleteness(nr_changed, losses);
  if (!missing) return ExitStatus::kComplete;
  report(*missing, ExitStatus::kIncomplete, options.format);
  return ExitStatus::kIncomplete;
}

Result<ExitStatus> run_page(const Options& options) {
  const auto checks = run_preflight(Machine::current(), PreflightDepth::kQuick);
  for (const Check& check : checks) spdlog::debug("{}: {}", check.name, check.detail);
  if (auto status = preflight_status(checks); !status) return fail(std::move(status).error());
  std::vector<PfnRange> pfns = options.page.pfns;
  // before anything is loaded: loading takes memory, and pages may move
  for (const std::uint64_t address : options.page.addresses) {
    auto pfn = pfn_of_address("/proc", *options.page.pid, address);
    if (!pfn) return fail(std::move(pfn).error());
    pfns.push_back({*pfn, *pfn + 1});
  }
  auto inspector = PageInspector::open(options.session);
  if (!inspector) return fail(std::move(inspector).error());
  for (const auto& [name, value] : (*inspector)->describe()) spdlog::debug("{}: {}", name, value);
  if (auto status = check_present(pfns, (*inspector)->present()); !status)
    return fail(std::move(status).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  return print_page_reports(**inspector, pfns, options, *output);
}

}  // namespace pobpf::cli
