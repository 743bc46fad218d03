// SPDX-License-Identifier: GPL-2.0-only
// Tests of commands over a made-up kernel share this.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "../reader/made_up_session.h"
#include "../snapshot/made_up_pages.h"
#include "../util/temp_dir.h"
#include "cli/commands/commands.h"
#include "cli/terminal/logging.h"

namespace pobpf::test {

class CommandTest : public ::testing::Test {
 protected:
  using Print = Result<cli::ExitStatus>(Session&, const ReaderView&, const cli::Options&, Output&);

  /// Pages with stacks and cgroups of which anything may be set.
  void make_pages(std::size_t nr_pages) {
    fill(session.context);
    session.pages = RandomPages(11).take(nr_pages);
    session.kernel = samples::android_6_12();
  }

  /// Runs a command; data goes to the file "out", stderr to said.
  Result<cli::ExitStatus> run(Print& print) { return run(print, session); }
  Result<cli::ExitStatus> run(Print& print, Session& of) {
    auto output = Output::to_file(dir / "out");
    if (!output) return fail(std::move(output).error());
    return run(print, of, *output);
  }
  Result<cli::ExitStatus> run(Print& print, Session& of, Output& output) {
    ::testing::internal::CaptureStderr();
    cli::set_up_logging(options.format, options.is_quiet, options.verbosity);
    auto ended = print(of, ReaderView{{}, options.mode}, options, output);
    said = ::testing::internal::GetCapturedStderr();
    return ended;
  }
  /// The lines of the data.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> result;
    std::istringstream text(dir.read("out"));
    for (std::string line; std::getline(text, line);) result.push_back(line);
    return result;
  }
  /// The data as lines of JSON.
  [[nodiscard]] std::vector<nlohmann::json> objects() const {
    std::vector<nlohmann::json> result;
    for (const std::string& line : lines()) result.push_back(nlohmann::json::parse(line));
    return result;
  }
  [[nodiscard]] bool has_output() const { return std::filesystem::exists(dir / "out"); }

  TempDir dir;
  MadeUpSession session;
  cli::Options options;
  std::string said;
};

}  // namespace pobpf::test
