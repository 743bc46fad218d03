// SPDX-License-Identifier: GPL-2.0-only
// pobpf __complete WORD...: for the shells' completion, which does not say more than this prints.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "cli/commands/command_end.h"
#include "cli/commands/commands.h"
#include "cli/completion/completion.h"
#include "cli/completion/completion_names.h"
#include "kernel/libbpf_log.h"
#include "util/escape.h"

namespace pobpf::cli {
namespace {

void append_completion(std::string& out, const Completion& completion) {
  if (completion.wants_files) out += "files";
  if (completion.wants_directories) out += "directories";
  const auto& found = completion.candidates;
  if (!found.empty() && std::all_of(found.begin(), found.end(),
                                    [](const Candidate& one) { return one.is_unfinished; }))
    out += "unfinished";
  out += '\n';
  for (const Candidate& candidate : found) {
    out += candidate.word;
    out += '\t';
    append_escaped(out, candidate.description);
    out += '\n';
  }
}

}  // namespace

Result<ExitStatus> run_complete(const std::vector<std::string>& words) {
  // whoever presses a key waits for no message
  spdlog::set_level(spdlog::level::off);
  route_libbpf_log();
  const auto source = make_name_source();
  auto output = open_output(Options());
  if (!output) return fail(std::move(output).error());
  append_completion(output->buffer(), complete(words, *source));
  return commit(*output);
}

}  // namespace pobpf::cli
