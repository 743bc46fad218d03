// SPDX-License-Identifier: GPL-2.0-only
#include "cli/page_request.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>

#include "model/pfn_text.h"

namespace pobpf::cli {
namespace {

void add_list(CLI::App& app, const char* names, std::vector<std::string>& values,
              const char* placeholder, const char* description) {
  app.add_option(names, values, description)
      ->type_name(placeholder)
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Pages");
}

}  // namespace

void add_pfn_options(CLI::App& app, RawPageRequest& raw) {
  app.add_option("PFN", raw.pfns,
                 "page frame numbers, decimal or 0x hexadecimal:\n"
                 "N, N-M (both included) or N+COUNT")
      ->type_name("")
      ->group("Pages");
  add_list(app, "--phys", raw.physical, "ADDR", "the page with this physical address");
}

void add_page_options(CLI::App& app, RawPageRequest& raw) {
  add_pfn_options(app, raw);
  add_list(app, "--pid", raw.pid, "PID", "with --addr: a process");
  add_list(app, "--addr", raw.addresses, "VADDR",
           "the page behind this address of the process;\n"
           "takes CAP_SYS_ADMIN");
}

Result<PageRequest> parse_page_request(const RawPageRequest& raw, PageSource source) {
  const bool is_kernel = source == PageSource::kKernel;
  PageRequest request;
  std::uint64_t nr_pages = raw.addresses.size();
  for (const std::string& text : raw.pfns) {
    auto range = parse_pfn_range(text);
    if (!range) return fail(std::move(range).error());
    // ranges end below 2^64, but their sum need not
    nr_pages = range->size() > kPagesMax ? kPagesMax + 1 : nr_pages + range->size();
    if (nr_pages > kPagesMax)
      return fail(
          ErrorKind::kUsage, fmt::format("more than {} pages are asked for", kPagesMax),
          is_kernel ? "pobpf without a command lists all pages" : "pobpf report lists all pages");
    request.pfns.push_back(*range);
  }
  for (const std::string& text : raw.physical) {
    auto address = parse_number(text);
    if (!address) return fail(std::move(address).error().in("--phys"));
    request.physical.push_back(*address);
  }
  if (raw.pid.size() > 1) return fail(ErrorKind::kUsage, "--pid is given more than once");
  if (raw.pid.empty() != raw.addresses.empty())
    return fail(ErrorKind::kUsage, raw.pid.empty() ? "--addr needs --pid" : "--pid needs --addr",
                "together they name the page behind an address of a process");
  if (!raw.pid.empty()) {
    auto pid = parse_number(raw.pid.front());
    if (!pid) return fail(std::move(pid).error().in("--pid"));
    request.pid = *pid;
  }
  for (const std::string& text : raw.addresses) {
    auto address = parse_number(text);
    if (!address) return fail(std::move(address).error().in("--addr"));
    request.addresses.push_back(*address);
  }
  if (request.pfns.empty() && request.physical.empty() && request.addresses.empty())
    return fail(ErrorKind::kUsage, "no page is named",
                is_kernel ? "give a PFN, --phys ADDR, or --pid PID --addr VADDR"
                          : "give a PFN, or --phys ADDR");
  return request;
}

std::vector<PfnRange> pfns_of(const PageRequest& request, std::uint64_t page_bytes) {
  std::vector<PfnRange> pfns = request.pfns;
  for (const std::uint64_t address : request.physical)
    pfns.push_back({address / page_bytes, address / page_bytes + 1});
  return pfns;
}

}  // namespace pobpf::cli
