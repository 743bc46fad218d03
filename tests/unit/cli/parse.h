// SPDX-License-Identifier: GPL-2.0-only
// Options of a command line, with no file of settings.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/options/options.h"

namespace pobpf::test {

using Arguments = std::vector<std::string>;

inline Arguments with_command(const char* command, Arguments arguments) {
  arguments.insert(arguments.begin(), command);
  return arguments;
}

inline Result<cli::Options> try_parse(const Arguments& arguments) {
  auto parsed = cli::parse_options(arguments, "/dev/null");
  if (!parsed) return fail(std::move(parsed).error());
  return std::get<cli::Options>(*std::move(parsed));
}

/// Parses arguments that are right.
inline cli::Options parse(const Arguments& arguments) {
  auto options = try_parse(arguments);
  if (!options) ADD_FAILURE() << options.error().what;
  return options ? *std::move(options) : cli::Options();
}

/// The sentence of a usage error.
inline std::string refusal(const Arguments& arguments) {
  const auto parsed = cli::parse_options(arguments, "/dev/null");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
  return parsed.error().what + ": " + parsed.error().hint;
}

}  // namespace pobpf::test
