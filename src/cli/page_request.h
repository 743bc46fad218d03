// SPDX-License-Identifier: GPL-2.0-only
// Which pages `pobpf page` is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/pfn_range.h"
#include "pobpf/error.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// Pages of one run; more would be a listing, which the default command does better.
inline constexpr std::uint64_t kPagesMax = 4096;

/// As given on the command line.
struct RawPageRequest {
  std::vector<std::string> pfns;
  std::vector<std::string> physical;
  std::vector<std::string> pid;
  std::vector<std::string> addresses;
};

struct PageRequest {
  std::vector<PfnRange> pfns;            ///< in the order given, those of --phys last
  std::optional<std::uint64_t> pid;      ///< valid together with `addresses`
  std::vector<std::uint64_t> addresses;  ///< virtual, in that process
};

void add_page_options(CLI::App& app, RawPageRequest& raw);

/// Errors are kUsage.
[[nodiscard]] Result<PageRequest> parse_page_request(const RawPageRequest& raw);

}  // namespace pobpf::cli
