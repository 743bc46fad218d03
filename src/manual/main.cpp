// SPDX-License-Identifier: GPL-2.0-only
// pobpf_write_manual PROSE OUTPUT VERSION DATE: writes pobpf.1 and a page for each command.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "cli/options.h"
#include "manual/man_page.h"

namespace {

using namespace pobpf;
namespace fs = std::filesystem;

struct Folders {
  fs::path prose;
  fs::path output;
};

Status write_page(const CLI::App& command, const Folders& folders, const manual::Edition& edition) {
  const std::string name = manual::page_name(command);
  const auto prose = manual::read_prose(folders.prose / (name + ".roff"));
  if (!prose) return fail(prose.error());
  std::ofstream file(folders.output / (name + ".1"));
  file << manual::man_page(command, *prose, edition);
  file.close();
  if (!file) return fail(ErrorKind::kFailed, fmt::format("cannot write {}.1", name));
  return {};
}

/// A file for a command that is gone would be read by nobody.
Status check_no_orphans(const Folders& folders, const std::set<std::string>& pages) {
  for (const auto& entry : fs::directory_iterator(folders.prose))
    if (entry.path().extension() == ".roff" && !pages.contains(entry.path().stem()))
      return fail(ErrorKind::kFailed,
                  fmt::format("{} belongs to no command", entry.path().filename().string()));
  return {};
}

Status write_pages(const CLI::App& program, const Folders& folders,
                   const manual::Edition& edition) {
  auto commands = program.get_subcommands([](const CLI::App* /*any*/) { return true; });
  commands.push_back(&program);
  std::set<std::string> pages;
  for (const CLI::App* command : commands) {
    pages.insert(manual::page_name(*command));
    if (auto status = write_page(*command, folders, edition); !status) return status;
  }
  return check_no_orphans(folders, pages);
}

Status run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4)
    return fail(ErrorKind::kUsage, "usage: pobpf_write_manual PROSE OUTPUT VERSION DATE");
  const Folders folders{arguments[0], arguments[1]};
  const manual::Edition edition{arguments[2], arguments[3]};
  fs::create_directories(folders.output);
  Status status;
  cli::visit_command_line(
      [&](const CLI::App& program) { status = write_pages(program, folders, edition); });
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto status = run({argv + (argc > 0 ? 1 : 0), argv + argc});
    if (status) return 0;
    fmt::print(stderr, "pobpf_write_manual: {}\n", status.error().what);
  } catch (const std::exception& exception) {
    fmt::print(stderr, "pobpf_write_manual: {}\n", exception.what());
  }
  return 1;
}
