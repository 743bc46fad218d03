// SPDX-License-Identifier: GPL-2.0-only
// Turning records into bytes. Formats do not know where records, stacks and cgroups come from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/account.h"
#include "model/kernel_facts.h"
#include "model/node_span.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "pobpf/abi.h"
#include "util/error.h"

namespace pobpf {

/// One frame of a stack: the return address (0: not known) and its "%pS" text
/// ("sym+0x1/0x2 [mod]"), as the kernel named it.
struct Frame {
  std::uint64_t address = 0;
  std::string symbol;
};

/// A stack of the depot. `kernel_text` is stack_depot_snprint(handle, buf, size, 0): " sym\n" per
/// frame, made once per stack because it is printed once per page.
struct Stack {
  std::vector<Frame> frames;
  std::string kernel_text;
};

/// The last name of a cgroup's path as the kernel prints it, which cuts it; "/" of the root.
[[nodiscard]] inline std::string_view cgroup_name_of(std::string_view path) {
  if (path.size() <= 1 || path.front() != '/') return path;
  return path.substr(path.rfind('/') + 1).substr(0, POBPF_CGROUP_NAME_BYTES - 1);
}

/// PageContext::cgroup_path() without what is a name alone, as of imports.
[[nodiscard]] inline std::optional<std::string> whole_path(const std::string& path) {
  return path.starts_with('/') ? std::optional(path) : std::nullopt;
}

/// Where formatters get what a record only refers to. A stack is valid until the next one is asked
/// for, a name until the source dies or, if it is a Session, is asked for another reader or other
/// sums.
class PageContext {
 public:
  PageContext() = default;
  PageContext(const PageContext&) = delete;
  PageContext& operator=(const PageContext&) = delete;
  PageContext(PageContext&&) = delete;
  PageContext& operator=(PageContext&&) = delete;
  virtual ~PageContext() = default;
  /// The stack of a depot handle; an error if the kernel's depot cannot be read.
  virtual Result<const Stack*> stack(std::uint32_t handle) = 0;
  /// Name of the cgroup with this kernfs id, as the kernel prints it ("/" for the root).
  virtual Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) = 0;
  /// Its path from the root, "/a/b". Without a slash in front only its name is known.
  virtual Result<std::string> cgroup_path(std::uint64_t cgroup_id) {
    auto name = cgroup_name(cgroup_id);
    if (!name) return fail(std::move(name).error());
    return std::string(*name);
  }
  /// Ids of the cgroups above it, the nearest first; empty: it is the root, or they are not known.
  virtual std::vector<std::uint64_t> cgroups_above(std::uint64_t /*cgroup_id*/) { return {}; }
};

/// A fact about all records of a listing; no value: not known.
using ListingFact = std::variant<std::monostate, std::uint64_t, std::string>;

/// Where the records of a listing come from, for formats that say it.
struct ListingSource {
  const KernelFacts& facts;
  const PageTypes& types;
  std::vector<NodeSpan> nodes;
  std::vector<std::pair<const char*, ListingFact>> about;  ///< keys are those of docs/export.md
};

/// Records that were lost before a formatter could have them.
struct ListingDamage {
  bool is_empty = true;
  std::uint64_t nr_places = 0;
  std::optional<std::uint64_t> nr_pages = 0;  ///< no value: nobody knows
};

/// Facts about a listing that are known once all records are there.
struct ListingEnd {
  std::optional<Account> account;  ///< no value: nobody counted
  bool is_complete = true;         ///< nothing was lost, neither then nor now
  ListingDamage damage;
};

/// Appends one record after the other to a buffer. Not thread-safe; one per output.
class PageFormatter {
 public:
  PageFormatter() = default;
  PageFormatter(const PageFormatter&) = delete;
  PageFormatter& operator=(const PageFormatter&) = delete;
  PageFormatter(PageFormatter&&) = delete;
  PageFormatter& operator=(PageFormatter&&) = delete;
  virtual ~PageFormatter() = default;
  /// Appends the record to `out`. An error says what it refers to and cannot be read; then the rest
  /// is there, with a name for what is not. `detail` may be null; of it only what fields() of
  /// set_fields() say is known is shown.
  virtual Status append(const pobpf_page& page, const pobpf_page_detail* detail,
                        PageContext& context, std::string& out) = 0;
  Status append(const pobpf_page& page, PageContext& context, std::string& out) {
    return append(page, nullptr, context, out);
  }
  /// Tells what is known of the records that follow; kAllPageFields unless set. The rest is left
  /// out.
  virtual void set_fields(PageFields fields) = 0;
  /// Appends what stands above the first record, even if there is none.
  virtual void append_header(std::string& /*out*/) {}
  /// Appends what stands behind the last record. Last call. Returns what the output lacks although
  /// all records are in it, unless append() has said it; an error ends the output.
  virtual Result<std::optional<Error>> append_end(const ListingEnd& /*end*/, std::string& /*out*/) {
    return std::nullopt;
  }
  /// An error once a format that writes elsewhere than to `out` cannot go on.
  [[nodiscard]] virtual Status status() const { return {}; }
};

/// How task names reach the output. The kernel prints them raw; on a terminal that would let a
/// process name itself an escape sequence.
enum class CommStyle { kRaw, kEscaped };

/// The text of this kernel's debugfs file page_owner, byte-identical with CommStyle::kRaw
/// (mm/page_owner.c: print_page_owner()). `facts` must outlive the formatter. kUnsupported where it
/// is not known how that kernel prints.
Result<std::unique_ptr<PageFormatter>> make_kernel_text_formatter(const KernelFacts& facts,
                                                                  pobpf_mode mode,
                                                                  CommStyle comm_style);

/// JSON lines: one object a page, keys documented in docs/json.md. `facts` must outlive it.
std::unique_ptr<PageFormatter> make_json_formatter(const KernelFacts& facts, pobpf_mode mode);

/// CSV (RFC 4180), one line a page under a line of column names; docs/export.md is the contract.
/// Names are raw or, with CommStyle::kEscaped, escaped. `facts` must outlive it.
std::unique_ptr<PageFormatter> make_csv_formatter(const KernelFacts& facts, pobpf_mode mode,
                                                  CommStyle style);

}  // namespace pobpf
