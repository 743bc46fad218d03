// SPDX-License-Identifier: GPL-2.0-only
// pobpf_write_manual PROSE OUTPUT VERSION DATE: writes pobpf.1 and a page for each command.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "cli/options/option_table.h"
#include "manual/man_page.h"
#include "util/file.h"

namespace {

using namespace pobpf;
namespace fs = std::filesystem;

constexpr std::size_t kProseBytesMax = 1 << 20;

Status write_page(const cli::CommandRow& command, const fs::path& source, const fs::path& output,
                  const manual::Edition& edition) {
  Result<std::string> prose = manual::default_prose(command);
  if (fs::exists(source)) prose = read_file(source, kProseBytesMax);
  if (!prose) return fail(std::move(prose).error());
  auto page = manual::man_page(command, *prose, edition);
  if (!page) return fail(std::move(page).error());
  std::ofstream file(output);
  file << *page;
  file.close();
  if (!file) return fail(ErrorKind::kFailed, "cannot write " + output.string());
  return {};
}

Status run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4)
    return fail(ErrorKind::kUsage, "usage: pobpf_write_manual PROSE OUTPUT VERSION DATE");
  const fs::path prose = arguments[0];
  const fs::path output = arguments[1];
  fs::create_directories(output);
  std::set<fs::path> sources;
  auto commands = commands_below(cli::command_table().front());
  commands.push_back(&cli::command_table().front());
  for (const cli::CommandRow* command : commands) {
    const std::string name = manual::page_name(*command);
    sources.insert(prose / (name + ".roff"));
    if (auto status = write_page(*command, prose / (name + ".roff"), output / (name + ".1"),
                                 {arguments[2], arguments[3]});
        !status)
      return status;
  }
  // a file for a command that is gone would be read by nobody
  for (const auto& entry : fs::directory_iterator(prose))
    if (entry.path().extension() == ".roff" && !sources.contains(entry.path()))
      return fail(ErrorKind::kFailed, entry.path().string() + " belongs to no command");
  return {};
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
