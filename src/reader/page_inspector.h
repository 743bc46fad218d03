// SPDX-License-Identifier: GPL-2.0-only
// Single pages of the running kernel, with everything that is known of them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/page_formatter.h"
#include "kernel/btf.h"
#include "kernel/machine_facts.h"
#include "model/page_report.h"
#include "model/pfn_range.h"
#include "reader/session.h"

namespace pobpf {

/// Needs no reader and disturbs none. Not thread-safe.
class PageInspector : public PageContext {
 public:
  /// Loads the program and reads the kernel's facts, as Session::open().
  static Result<std::unique_ptr<PageInspector>> open(const SessionOptions& options);

  [[nodiscard]] virtual const KernelFacts& facts() const = 0;
  [[nodiscard]] virtual const PageNames& names() const = 0;
  /// PFNs of the sections that have a memory map, ascending.
  [[nodiscard]] virtual const std::vector<PfnRange>& present() const = 0;
  /// Name and value of what was found out, for --verbose.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
  /// Reads a page twice, and again while the readings differ; has_changed if they never agreed.
  virtual Result<PageDump> read(std::uint64_t pfn) = 0;
};

/// PageInspector::open() on a kernel that has been asked already.
[[nodiscard]] Result<std::unique_ptr<PageInspector>> open_inspector_on(MachineFacts facts,
                                                                       const KernelBtf& types);

}  // namespace pobpf
