// SPDX-License-Identifier: GPL-2.0-only
// pobpf page, pobpf report page: all that is known about single pages.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/counted.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "format/page_report_formatter.h"
#include "kernel/pagemap.h"
#include "reader/page_inspector.h"
#include "snapshot/page_search.h"

namespace pobpf::cli {
namespace {

/// PFNs that do not exist are wrong usage; holes inside a range are shown as absent.
Status check_present(const std::vector<PfnRange>& wanted, const std::vector<PfnRange>& present,
                     const char* machine) {
  for (const PfnRange& range : wanted) {
    if (!intersection({range}, present).empty()) continue;
    std::vector<std::string> texts;
    texts.reserve(present.size());
    for (const PfnRange& there : present)
      texts.push_back(fmt::format("{:#x}-{:#x}", there.begin, there.end - 1));
    return fail(ErrorKind::kUsage,
                range.size() == 1 ? fmt::format("{} has no PFN {:#x}", machine, range.begin)
                                  : fmt::format("{} has no PFNs {:#x}-{:#x}", machine, range.begin,
                                                range.end - 1),
                fmt::format("it has {}", fmt::join(texts, ", ")));
  }
  return {};
}

std::optional<Error> what_is_missing(std::uint64_t nr_changed, const Losses& losses) {
  std::vector<std::string> reasons;
  if (nr_changed != 0)
    reasons.push_back(counted(nr_changed, "page that changed while it was read",
                              "pages that changed while they were read"));
  if (losses.count != 0)
    reasons.push_back(fmt::format("{} with something that could not be read ({})",
                                  counted(losses.count, "page", "pages"), losses.first.what));
  if (reasons.empty()) return std::nullopt;
  return Error{ErrorKind::kFailed,
               fmt::format("finished, but not complete because of {}", fmt::join(reasons, ", ")),
               "run pobpf again if this matters", 0};
}

/// Prints one after the other, and counts what is missing.
class PagePrinter {
 public:
  PagePrinter(const PageReportSource& source, const Options& options, Output& output)
      : source_(source), options_(options), output_(output) {}

  /// Fails where the output does.
  Status print(const PageDump& dump) {
    if (dump.has_changed) ++nr_changed_;
    auto status = options_.format == Format::kJson
                      ? append_page_report_json(output_.buffer(), dump, source_)
                      : append_page_report(output_.buffer(), dump, source_);
    if (!status) losses_.add(std::move(status).error());
    return output_.flush_if_full();
  }

  Result<ExitStatus> end() {
    if (auto status = output_.commit(); !status) return give_up(output_, std::move(status).error());
    const auto missing = what_is_missing(nr_changed_, losses_);
    return missing ? incomplete(*missing, options_) : ExitStatus::kComplete;
  }

 private:
  const PageReportSource& source_;
  const Options& options_;
  Output& output_;
  Losses losses_;
  std::uint64_t nr_changed_ = 0;
};

/// The pages asked for that the recorded machine has; kUsage where there are none.
Result<std::vector<PfnRange>> recorded_pfns(const PageRequest& request,
                                            const SnapshotHeader& header) {
  if (header.page_size == 0 && !request.physical.empty())
    return fail(ErrorKind::kUsage, "the snapshot does not say how large its pages are",
                "give PFNs");
  std::vector<PfnRange> pfns = pfns_of(request, std::max<std::uint64_t>(header.page_size, 1));
  std::vector<PfnRange> nodes;
  for (const NodeSpan& node : header.nodes) nodes.push_back(node.pfns);
  nodes = joined(std::move(nodes));
  if (nodes.empty()) return pfns;
  if (auto status = check_present(pfns, nodes, "the recorded machine"); !status)
    return fail(std::move(status).error());
  return pfns;
}

/// 0 if it is not known.
unsigned page_shift_of(std::uint64_t page_bytes) {
  return std::has_single_bit(page_bytes) ? static_cast<unsigned>(std::countr_zero(page_bytes)) : 0;
}

std::uint64_t own_page_bytes() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

Result<ExitStatus> print_page_reports(PageInspector& inspector, const std::vector<PfnRange>& pfns,
                                      const Options& options, Output& output) {
  const PageReportSource source{inspector.facts(), inspector.names(), inspector,
                                page_shift_of(own_page_bytes())};
  PagePrinter printer(source, options, output);
  for (const PfnRange& range : pfns) {
    for (std::uint64_t pfn = range.begin; pfn < range.end; ++pfn) {
      if (is_interrupted()) return fail(interrupted());
      auto dump = inspector.read(pfn);
      if (!dump) return fail(std::move(dump).error());
      if (auto status = printer.print(*dump); !status)
        return give_up(output, std::move(status).error());
    }
  }
  return printer.end();
}

Result<ExitStatus> report_page(SnapshotReader& snapshot, const Options& options, Output& output) {
  const SnapshotHeader& header = snapshot.header();
  auto pfns = recorded_pfns(options.page, header);
  if (!pfns) return fail(std::move(pfns).error());
  auto pages = find_pages(snapshot, *pfns, is_interrupted);
  if (!pages) return fail(std::move(pages).error());
  if (!pages->empty() && snapshot.nr_pages() == 0 && snapshot.nr_groups() != 0)
    return fail(ErrorKind::kFailed, "the snapshot has only sums, and no pages to show",
                "it was imported from a text that summed up already");
  // an import whose texts say nothing: numbers have no names
  KernelFacts unknown;
  unknown.texts.emplace();
  const KernelFacts& facts = header.facts ? *header.facts : unknown;
  const PageNames names{header.page_types, facts.zone_names};
  const PageReportSource source{facts, names, snapshot, page_shift_of(header.page_size)};
  PagePrinter printer(source, options, output);
  for (const RecordedPage& page : *pages)
    if (auto status = printer.print(make_page_dump(page, header.local_clock_ns)); !status)
      return give_up(output, std::move(status).error());
  auto ended = printer.end();
  if (!ended || output.is_reader_gone() || snapshot.losses().is_empty()) return ended;
  return incomplete(describe_losses(snapshot.losses()), options);
}

Result<ExitStatus> run_page(const Options& options) {
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  std::vector<PfnRange> pfns = pfns_of(options.page, own_page_bytes());
  // before anything is loaded: loading takes memory, and pages may move
  for (const std::uint64_t address : options.page.addresses) {
    auto pfn = pfn_of_address("/proc", *options.page.pid, address);
    if (!pfn) return fail(std::move(pfn).error());
    pfns.push_back({*pfn, *pfn + 1});
  }
  SessionOptions session = options.session;
  session.with_text = false;
  auto inspector = PageInspector::open(session);
  if (!inspector) return fail(std::move(inspector).error());
  for (const auto& [name, value] : (*inspector)->describe()) spdlog::debug("{}: {}", name, value);
  if (auto status = check_present(pfns, (*inspector)->present(), "this machine"); !status)
    return fail(std::move(status).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  return print_page_reports(**inspector, pfns, options, *output);
}

}  // namespace pobpf::cli
