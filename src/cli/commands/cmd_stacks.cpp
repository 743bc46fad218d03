// SPDX-License-Identifier: GPL-2.0-only
// pobpf stacks: one record a call stack, those with most pages first.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/account_report.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/progress_meter.h"
#include "format/json_members.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

/// Frames as mm/page_owner.c: stack_print() has them, then a line a number.
void append_text(std::string& out, const GroupSum& group, const Stack* stack, bool is_terminal) {
  if (stack != nullptr && !is_terminal) out += stack->kernel_text;
  if (stack != nullptr && is_terminal) {
    for (const Frame& frame : stack->frames) {
      out += ' ';
      append_escaped(out, frame.symbol);
      out += '\n';
    }
  }
  fmt::format_to(std::back_inserter(out), "handle: {}\nnr_base_pages: {}\n", group.key.handle,
                 group.sum.pages);
  if (says_allocations(group.sum.pages, group.sum.allocations))
    fmt::format_to(std::back_inserter(out), "nr_allocations: {}\n", group.sum.allocations);
  out += '\n';
}

/// `stack` is null if the frames could not be read.
void append_group(std::string& out, const GroupSum& group, const Stack* stack) {
  append_json(out, [&](JsonWriter& json) {
    json.member("handle", group.key.handle);
    json.member("nr_base_pages", group.sum.pages);
    if (says_allocations(group.sum.pages, group.sum.allocations))
      json.member("nr_allocations", group.sum.allocations);
    json.key("stack");
    write_frames(json, stack);
  });
}

}  // namespace

Result<ExitStatus> print_stacks(Session& session, const ReaderView& view, const Options& options,
                                Output& output) {
  SumRequest request;
  request.nr_threads = options.nr_threads;
  request.groups_max = options.groups_max;
  auto sums = [&] {
    // nothing is printed before all is summed up, so that the terminal is free
    ProgressMeter meter(options, false);
    return session.sum_groups(view, request, meter.callback());
  }();
  if (!sums) return fail(std::move(sums).error());
  std::sort(sums->groups.begin(), sums->groups.end(), [](const GroupSum& a, const GroupSum& b) {
    return a.sum.pages != b.sum.pages ? a.sum.pages > b.sum.pages : a.key.handle < b.key.handle;
  });

  Losses losses;
  for (const GroupSum& group : sums->groups) {
    if (is_interrupted()) return fail(interrupted());
    const auto stack = session.stack(group.key.handle);
    if (!stack) losses.add(stack.error());
    const Stack* frames = stack ? *stack : nullptr;
    if (options.format == Format::kJson)
      append_group(output.buffer(), group, frames);
    else
      append_text(output.buffer(), group, frames, output.is_terminal());
    if (auto status = output.flush_if_full(); !status)
      return give_up(output, std::move(status).error());
  }
  losses.ungrouped_pages = sums->other.pages;
  losses.is_file_too_small = sums->is_file_too_small;
  losses.sums_without_allocations = sums->nr_without_allocations;
  return finish(output, sums->account, losses, options);
}

Result<ExitStatus> run_stacks(const Options& options) {
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_pages = false;
  needed.session.with_text = false;
  return run_on_session(needed, print_stacks);
}

}  // namespace pobpf::cli
