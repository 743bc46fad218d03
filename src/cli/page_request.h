// SPDX-License-Identifier: GPL-2.0-only
// Which pages `pobpf page` and `pobpf report page` are asked for.
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
  std::vector<PfnRange> pfns;            ///< in the order given
  std::vector<std::uint64_t> physical;   ///< addresses; pfns_of() says of which pages
  std::optional<std::uint64_t> pid;      ///< valid together with `addresses`
  std::vector<std::uint64_t> addresses;  ///< virtual, in that process
};

/// All of them.
void add_page_options(CLI::App& app, RawPageRequest& raw);
/// Those that need no running kernel.
void add_pfn_options(CLI::App& app, RawPageRequest& raw);

/// Where the pages are looked up: what to do about an error depends on it.
enum class PageSource { kKernel, kSnapshot };

/// Errors are kUsage.
[[nodiscard]] Result<PageRequest> parse_page_request(const RawPageRequest& raw, PageSource source);

/// All pages but those of a process, where a page has `page_bytes`, which is not 0.
[[nodiscard]] std::vector<PfnRange> pfns_of(const PageRequest& request, std::uint64_t page_bytes);

}  // namespace pobpf::cli
