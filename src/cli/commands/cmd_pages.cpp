// SPDX-License-Identifier: GPL-2.0-only
// pobpf [FILTERS]: one record a page, in the order of memory.
#include "cli/commands/account_report.h"
#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/commands/open_session.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/logging.h"
#include "cli/terminal/progress_meter.h"
#include "format/page_formatter.h"
#include "format/sqlite_formatter.h"

namespace pobpf::cli {
namespace {

Result<std::unique_ptr<PageFormatter>> make_formatter(const Session& session, pobpf_mode mode,
                                                      const Options& options,
                                                      const Output& output) {
  if (options.format == Format::kSqlite)
    return make_sqlite_formatter(session.listing_source(), output, is_interrupted);
  if (options.format == Format::kJson) return make_json_formatter(session.facts(), mode);
  // on a terminal a task's name could be an escape sequence
  const auto style = output.is_terminal() ? CommStyle::kEscaped : CommStyle::kRaw;
  if (options.format == Format::kCsv) return make_csv_formatter(session.facts(), mode, style);
  return make_kernel_text_formatter(session.facts(), mode, style);
}

ListingEnd end_of(const Session& session, const Account& account, const Losses& losses) {
  ListingEnd end;
  if (session.is_counted()) end.account = account;
  end.damage = session.damage();
  end.is_complete = end.damage.is_empty && !incompleteness(account, losses);
  return end;
}

}  // namespace

Result<ExitStatus> print_pages(Session& session, const ReaderView& view, const Options& options,
                               Output& output) {
  auto reader = session.open_reader(view);
  if (!reader) return fail(std::move(reader).error());
  std::unique_ptr<PageFormatter> formatter;
  Losses losses;
  {
    ProgressMeter meter(options, output.is_terminal());
    for (bool at_end = false; !at_end;) {
      if (is_interrupted()) return fail(interrupted());
      auto pages = (*reader)->next(at_end);
      if (!pages) return fail(std::move(pages).error());
      // now the link itself has said in which mode it reads
      if (!formatter) {
        auto made = make_formatter(session, (*reader)->mode(), options, output);
        if (!made) return fail(std::move(made).error());
        formatter = *std::move(made);
        formatter->append_header(output.buffer());
      }
      formatter->set_fields((*reader)->fields());
      const auto details = (*reader)->details();
      for (std::size_t i = 0; i < pages->size(); ++i) {
        const auto* const detail = details.empty() ? nullptr : &details[i];
        if (auto status = formatter->append((*pages)[i], detail, session, output.buffer()); !status)
          losses.add(std::move(status).error());
        // a file gives many pages at a time
        if (auto status = output.flush_if_full(); !status)
          return give_up(output, std::move(status).error());
      }
      if (auto status = formatter->status(); !status)
        return give_up(output, std::move(status).error());
      meter.update((*reader)->progress(), (*reader)->account().emitted);
    }
  }
  const Account& account = (*reader)->account();
  auto missing = formatter->append_end(end_of(session, account, losses), output.buffer());
  if (!missing) return give_up(output, std::move(missing).error());
  // what it wrote elsewhere is whole then
  formatter.reset();
  auto ended = finish(output, account, losses, options);
  if (!ended || !*missing) return ended;
  return incomplete(**missing, options);
}

Result<ExitStatus> run_pages(const Options& options) {
  Options needed = options;
  needed.session.with_read_times = options.wants_stats;
  needed.session.with_sums = false;
  needed.session.with_text = options.format == Format::kText;
  needed.session.with_stacks = options.mode != POBPF_MODE_HANDLE;
  return run_on_session(needed, print_pages);
}

}  // namespace pobpf::cli
