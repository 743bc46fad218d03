// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf top that no other command has.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pobpf/error.h"
#include "sum/group_field.h"
#include "sum/ranking.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// Rows of a table where no --limit is given.
constexpr std::size_t kTableRowsDefault = 20;

struct TopOptions {
  std::vector<GroupField> fields = {GroupField::kStack};
  SortKey sort = SortKey::kPages;
  std::optional<std::size_t> limit;  ///< rows; no value: as the format wants it
  bool has_limit = false;            ///< `limit` is what the user said
  std::optional<std::size_t> depth;
  std::vector<std::string> ignored_functions;
  bool is_exact = false;
  std::optional<std::chrono::milliseconds> interval;  ///< of --watch
  std::optional<std::size_t> count;                   ///< intervals; no value: without end
};

/// What the option parser fills in.
struct RawTopOptions {
  std::vector<std::string> by;
  std::vector<std::string> sort;
  std::vector<std::string> limit;
  std::vector<std::string> depth;
  std::vector<std::string> ignore;
  std::vector<std::string> watch;
  std::vector<std::string> count;
  bool is_exact = false;
};

/// What makes rows, and how many are shown.
void add_row_options(CLI::App& command, RawTopOptions& raw);
void add_top_options(CLI::App& top, RawTopOptions& raw);

/// Reads the file of --ignore. Errors are kUsage, but for a file that cannot be read.
[[nodiscard]] Result<TopOptions> check_top_options(const RawTopOptions& raw);

/// Glob patterns of functions, one a line; empty lines and lines that start with '#' say nothing.
[[nodiscard]] Result<std::vector<std::string>> parse_ignored_functions(const std::string& text);

}  // namespace pobpf::cli
