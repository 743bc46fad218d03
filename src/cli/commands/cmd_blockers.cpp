// SPDX-License-Identifier: GPL-2.0-only
// pobpf blockers, pobpf report blockers: what keeps blocks of memory from being free or movable.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <bit>
#include <utility>

#include "cli/commands/account_report.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/progress_meter.h"
#include "cli/terminal/screen.h"
#include "kernel/cma_areas.h"
#include "kernel/memory_blocks.h"
#include "sum/blockers.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

/// The blocks that are looked at, and why.
struct BlockTarget {
  BlockPurpose purpose = BlockPurpose::kOrder;
  unsigned order = 0;
  /// No value: where the view's own filters say.
  std::optional<std::vector<PfnRange>> pfns;
};

/// vm.compact_unevictable_allowed
bool compacts_unevictable() {
  constexpr std::size_t kBytesMax = 16;
  const auto value = read_file("/proc/sys/vm/compact_unevictable_allowed", kBytesMax);
  return !value || !value->starts_with('0');
}

Result<std::vector<PfnRange>> pfns_of_cma(const std::string& wanted) {
  auto areas = read_cma_areas();
  if (!areas) return fail(std::move(areas).error());
  if (areas->empty())
    return fail(ErrorKind::kUsage, "this machine has no area of CMA", "boot with cma=SIZE");
  std::vector<PfnRange> pfns;
  std::vector<std::string> names;
  for (const CmaArea& area : *areas) {
    names.push_back(area.name);
    if (wanted.empty() || area.name == wanted)
      pfns.insert(pfns.end(), area.pfns.begin(), area.pfns.end());
  }
  if (pfns.empty())
    return fail(ErrorKind::kUsage, fmt::format("there is no area of CMA '{}'", wanted),
                fmt::format("this machine has {}", fmt::join(names, ", ")));
  return joined(std::move(pfns));
}

/// Before a session gives privileges up.
Result<BlockTarget> find_target(const BlockOptions& options) {
  BlockTarget target;
  if (options.is_of_cma) {
    target.purpose = BlockPurpose::kCma;
    auto pfns = pfns_of_cma(options.cma_area);
    if (!pfns) return fail(std::move(pfns).error());
    target.pfns = *std::move(pfns);
  }
  if (!options.memory_blocks.empty()) {
    auto blocks = find_memory_blocks("/sys/devices/system/memory", options.memory_blocks,
                                     static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
    if (!blocks) return fail(std::move(blocks).error());
    target.purpose = BlockPurpose::kOffline;
    target.order = static_cast<unsigned>(std::countr_zero(blocks->block_pages));
    target.pfns = std::move(blocks->pfns);
  }
  if (options.order) target.order = *options.order;
  return target;
}

/// All of a block is looked at if a page of it is.
void widen(std::vector<PfnRange>& ranges, unsigned order) {
  const std::uint64_t block = std::uint64_t{1} << order;
  for (PfnRange& range : ranges) {
    range.begin &= ~(block - 1);
    if (range.end <= UINT64_MAX - block) range.end = (range.end + block - 1) & ~(block - 1);
  }
}

Result<ExitStatus> print_blockers(Session& session, ReaderView view, const BlockTarget& target,
                                  const Options& options, Output& output) {
  const auto pageblock_order = session.facts().pageblock_order;
  if (target.order == 0 && !pageblock_order)
    return fail(ErrorKind::kUsage, "the snapshot does not say how large a pageblock is",
                "give --order");
  const unsigned order = target.order != 0 ? target.order : *pageblock_order;
  auto& pfns = view.filter.pfns;
  if (target.pfns)
    pfns.wanted = *target.pfns;
  else
    for (auto* ranges : {&pfns.wanted, &pfns.rejected}) widen(*ranges, order);

  Grouping grouping;
  grouping.fields = options.top.fields;
  grouping.depth = options.top.depth;
  BlockerTally tally(order,
                     make_block_rules(target.purpose, compacts_unevictable(), session.facts()),
                     options.groups_max);
  BlockerRequest request;
  request.group_by = grouping.kernel_fields();
  request.order = order;
  auto account = [&] {
    ProgressMeter meter(options, output.is_terminal());
    return session.read_blockers(
        view, request, [&](const WindowBlockers& window) { tally.add(window); }, meter.callback());
  }();
  if (!account) return fail(std::move(account).error());
  tally.finish();

  Losses losses;
  const auto on_error = [&](Error error) { losses.add(std::move(error)); };
  BlockerRows rows = make_blocker_rows(tally, grouping, session, row_limit(options), on_error);
  losses.is_file_too_small = rows.is_full;
  for (const BlockerRow& row : rows.rows)
    if (row.row.kind == RowKind::kOther) losses.ungrouped_pages += row.row.pages;
  const BlockSummary summary{rows.states, order, session.page_bytes(), session.knows_blocks()};
  RowStyle style;
  style.page_bytes = session.page_bytes();
  style.is_terminal = output.is_terminal();
  if (options.format == Format::kText) {
    const RowSource source{[&](const Row& row) { return frames_of(row, session, on_error); },
                           [&]() -> Status {
                             if (is_interrupted()) return fail(interrupted());
                             return output.flush_if_full();
                           }};
    if (const auto size = output.is_terminal() ? screen_size() : std::nullopt)
      style.width = size->columns;
    if (auto status = append_blockers(output.buffer(), summary, rows.rows, grouping, style, source);
        !status)
      return give_up(output, std::move(status).error());
  } else {
    for (BlockerRow& row : rows.rows) row.row.frames = frames_of(row.row, session, on_error);
    (options.format == Format::kCsv ? append_blockers_csv : append_blockers_json)(
        output.buffer(), summary, rows.rows, grouping, style);
  }
  return finish(output, *account, losses, options);
}

}  // namespace

Result<ExitStatus> report_blockers(SnapshotSession& session, const ReaderView& view,
                                   const Options& options, Output& output) {
  BlockTarget target;
  target.order = options.blocks.order.value_or(0);
  return print_blockers(session, view, target, options, output);
}

Result<ExitStatus> run_blockers(const Options& options) {
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  auto target = find_target(options.blocks);
  if (!target) return fail(std::move(target).error());
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_pages = false;
  needed.session.with_sums = false;
  needed.session.with_blockers = true;
  auto session = load_session(needed);
  if (!session) return fail(std::move(session).error());
  auto view = make_view(needed, **session);
  if (!view) return fail(std::move(view).error());
  auto output = open_output(needed);
  if (!output) return fail(std::move(output).error());
  return print_blockers(**session, *std::move(view), *target, needed, *output);
}

}  // namespace pobpf::cli
