// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands/open_session.h"

#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include "cli/commands/command_end.h"
#include "kernel/preflight.h"
#include "reader/removed_cgroups.h"

namespace pobpf::cli {

Status check_machine() {
  const auto checks = run_preflight(Machine::current(), PreflightDepth::kQuick);
  for (const Check& check : checks) spdlog::debug("{}: {}", check.name, check.detail);
  if (auto status = preflight_status(checks); !status) return status;
  // libbpf reads the kernel's type information, megabytes, more than once: memory that is kept
  // spares the kernel from faulting it in again, which page_owner makes dear
  ::mallopt(M_MMAP_THRESHOLD, 256 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  return {};
}

Result<std::unique_ptr<Session>> load_session(const Options& options) {
  SessionOptions needed = options.session;
  needed.threads_max = options.nr_threads;
  needed.privileges = options.reads_again ? PrivilegePolicy::kReaders : PrivilegePolicy::kOneReader;
  auto session = Session::open(needed);
  if (!session) return fail(std::move(session).error());
  for (const auto& [name, value] : (*session)->describe()) spdlog::debug("{}: {}", name, value);
  return session;
}

Result<ReaderView> make_view(const Options& options, const Session& session) {
  const std::string hint = "nodes with memory are " + format_nodelist(session.memory_nodes());
  auto nodes = parse_wanted_nodes(options.nodelist, session.max_nodes());
  if (!nodes) {
    auto error = std::move(nodes).error();
    error.hint = hint;
    return fail(std::move(error));
  }
  ReaderView view{options.filter, options.mode};
  view.filter.nodes = *nodes;
  return view;
}

Result<ExitStatus> run_on_session(const Options& needed, ReadSession* read) {
  if (auto status = check_machine(); !status) return fail(std::move(status).error());
  Options options = needed;
  if (auto status = find_removed_cgroups(options.filter, options.session); !status)
    return fail(std::move(status).error());
  auto session = load_session(options);
  if (!session) return fail(std::move(session).error());
  auto view = make_view(options, **session);
  if (!view) return fail(std::move(view).error());
  auto output = open_output(options);
  if (!output) return fail(std::move(output).error());
  return read(**session, *view, options, *output);
}

}  // namespace pobpf::cli
