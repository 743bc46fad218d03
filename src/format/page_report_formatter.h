// SPDX-License-Identifier: GPL-2.0-only
// `pobpf page`: all that is known about a page, for people and for programs.
#pragma once

#include <string>

#include "format/page_formatter.h"
#include "model/page_report.h"

namespace pobpf {

/// Where the report came from; all must outlive the formatter's call.
struct PageReportSource {
  const KernelFacts& facts;
  const PageNames& names;
  PageContext& context;
  unsigned page_shift = 12;  ///< log2 of the bytes of a page; 0: not known
};

/// Lines of `key: value` under a line with the PFN, stacks with one frame a line; ends with an
/// empty line. Task, file and symbol names are escaped. What cannot be read (a stack) is said in
/// its place, and the first such error is returned. Of a page in a snapshot only what is known.
[[nodiscard]] Status append_page_report(std::string& out, const PageDump& dump,
                                        const PageReportSource& source);

/// One line of JSON, docs/json.md. What cannot be read is null, and the first such error is
/// returned. Of a page in a snapshot there are no keys for what is not known.
[[nodiscard]] Status append_page_report_json(std::string& out, const PageDump& dump,
                                             const PageReportSource& source);

}  // namespace pobpf
