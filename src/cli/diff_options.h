// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf diff that no other command has; what makes rows is that of pobpf top.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/top_options.h"
#include "pobpf/error.h"
#include "sum/comparison.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

struct DiffOptions {
  /// Oldest first; two, or with `finds_leaks` three and more. Empty with `nr_latest`.
  std::vector<std::string> paths;
  std::optional<std::uint32_t> nr_latest;  ///< so many of `directory`
  std::string directory;
  bool finds_leaks = false;
  bool salvages = false;
  CompareKey sort = CompareKey::kChange;
};

/// What the option parser fills in.
struct RawDiffOptions {
  std::vector<std::string> files;
  std::vector<std::string> sort;
  std::vector<std::string> latest;
  std::vector<std::string> directory;
  bool finds_leaks = false;
  bool salvages = false;
};

void add_diff_options(CLI::App& diff, RawDiffOptions& raw, RawTopOptions& rows);

[[nodiscard]] Result<DiffOptions> check_diff_options(const RawDiffOptions& raw);

}  // namespace pobpf::cli
