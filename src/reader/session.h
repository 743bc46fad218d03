// SPDX-License-Identifier: GPL-2.0-only
// The running kernel, or a file of one, as all commands see it: open a Session once, then any
// number of readers of it, each with its own view.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/page_formatter.h"
#include "model/account.h"
#include "model/filter.h"
#include "model/kernel_facts.h"
#include "model/node_span.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "model/window_blockers.h"
#include "pobpf/parameters.h"
#include "pobpf/stream.h"
#include "pobpf/sums.h"
#include "util/error.h"

namespace pobpf {

/// Capabilities that a process gives up for good once a session does not need them any more; what
/// else it does must be able to do without (kernel/privileges.h).
enum class PrivilegePolicy {
  kKeep,
  kOneReader,  ///< those of loading and attaching, once a reader is open or sums are made
  kReaders,    ///< all that more readers do not need
};

/// SessionOptions::filters of a session whose readers may have any.
constexpr std::uint32_t kEveryFilter = (1U << POBPF_NR_FILTERS) - 1;

/// The purpose of a session, and the features of the kernel that it may not use.
struct SessionOptions {
  /// Features that the kernel is taken not to have, to force what is done on older ones
  /// (--no-feature NAME, signs_of_feature()).
  std::set<std::string, std::less<>> without_features = {};
  /// Names what the session will be asked for; programs that are not needed are not loaded.
  bool with_pages = true;      ///< open_reader()
  bool with_details = false;   ///< PageReader::details(); then open_reader() has no others
  bool with_sums = true;       ///< sum_groups()
  bool with_blockers = false;  ///< read_blockers()
  /// Bits of enum pobpf_filter that readers may have, besides nodes. The fewer, the faster are
  /// programs to load and to run.
  std::uint32_t filters = 0;
  bool with_stacks = true;  ///< stack(); `--mode handle` does without
  /// KernelFacts::text_layout: for records as the kernel prints them, in listings, pins and
  /// snapshots. Before Linux 6.8 it is looked for in the kernel's code.
  bool with_text = true;
  /// Threads that will read at a time, of all readers together; each has 3 KB in the kernel. 0: up
  /// to 512.
  unsigned threads_max = 0;
  /// Account::longest_read_ns is measured; two readings of the clock a read are 2 % of a run.
  bool with_read_times = false;
  PrivilegePolicy privileges = PrivilegePolicy::kKeep;
};

/// The request of sum_groups().
struct SumRequest {
  std::uint32_t group_by = POBPF_GROUP_HANDLE;  ///< bits of enum pobpf_group_field
  /// Each with a link of its own over windows of its own, on the CPUs of the node that it reads.
  unsigned nr_threads = 1;
  /// Groups that there is room for at most, about 200 bytes of kernel memory each; the rest is in
  /// GroupSums::other. The kernel's map starts small and grows to this.
  std::uint32_t groups_max = 1U << 18;
};

/// Whether a sum says of how many allocations it is: 0 is what a sum of an import has that does
/// not.
constexpr bool says_allocations(std::uint64_t pages, std::uint64_t allocations) {
  return pages == 0 || allocations != 0;
}

/// The allocations of two sums together; 0 if one of them does not say it.
constexpr std::uint64_t allocations_of_both(std::uint64_t pages, std::uint64_t allocations,
                                            std::uint64_t other_pages,
                                            std::uint64_t other_allocations) {
  const bool is_known =
      says_allocations(pages, allocations) && says_allocations(other_pages, other_allocations);
  return is_known ? allocations + other_allocations : 0;
}

/// The request of read_blockers().
struct BlockerRequest {
  std::uint32_t group_by = POBPF_GROUP_HANDLE;  ///< bits of enum pobpf_group_field
  unsigned order = 0;                           ///< no window crosses a multiple of 1 << order
};

struct GroupSum {
  pobpf_group_key key{};
  pobpf_group_sum sum{};
};

/// In place of an index of GroupSums::groups: GroupSums::other.
constexpr std::uint32_t kOtherGroup = UINT32_MAX;

/// Sums made in the kernel. `groups` and `other` together are exactly what `account` counts as
/// emitted.
struct GroupSums {
  std::vector<GroupSum> groups;  ///< in no order
  pobpf_group_sum other{};       ///< of all groups that there was no room for
  Account account;
  /// Sums of an import that did not say how many allocations they are of.
  std::uint64_t nr_without_allocations = 0;
  /// `other` has what a file gave no room for, whatever groups_max is.
  bool is_file_too_small = false;
};

/// Progress of one pass over the windows of a reader.
struct Progress {
  std::uint64_t windows_done = 0;
  std::uint64_t windows_total = 0;
};

/// Called after each read; false stops early. May be empty.
using ProgressCallback = std::function<bool(const Progress&)>;

/// Takes the windows of read_blockers(), in the order of memory.
using BlockerSink = std::function<void(const WindowBlockers&)>;

/// One link with its own windows and parameters, and one file descriptor on it. Views are isolated
/// from each other. Not thread-safe; different readers of one session may be used by turns.
class PageReader {
 public:
  PageReader() = default;
  PageReader(const PageReader&) = delete;
  PageReader& operator=(const PageReader&) = delete;
  PageReader(PageReader&&) = delete;
  PageReader& operator=(PageReader&&) = delete;
  virtual ~PageReader() = default;
  /// The next records, a view valid until the next call. Sets `at_end` once all windows are read;
  /// an empty span alone means that these windows held nothing.
  virtual Result<std::span<const pobpf_page>> next(bool& at_end) = 0;
  /// One for each record that next() gave last; empty if the reader has none
  /// (SessionOptions::with_details).
  [[nodiscard]] virtual std::span<const pobpf_page_detail> details() const { return {}; }
  /// Tells what is known of the records that next() gave last.
  [[nodiscard]] virtual PageFields fields() const { return kAllPageFields; }
  /// Bytes that one read(2) asks for; POBPF_READ_BYTES unless set. More costs longer runs in the
  /// kernel, less costs more system calls; what is delivered is the same.
  virtual void set_read_bytes(std::size_t nr_bytes) = 0;
  [[nodiscard]] virtual const Account& account() const = 0;
  [[nodiscard]] virtual Progress progress() const = 0;
  /// Print mode, as the link itself reports it with each window.
  [[nodiscard]] virtual pobpf_mode mode() const = 0;
};

/// The loaded BPF programs and what they found out about this kernel. What it knows it knows
/// - as long as it lives: the kernel's facts, its nodes and where memory lies (what is added later
///   is not looked at: open another session), and the frames of a stack, whose handle the kernel
///   gives to no other;
/// - as long as a reader lives: what of its filters is looked up when it is made, such as the
///   addresses of functions and modules, and what stacks hit of them;
/// - from one reader, or sums, to the next: the names of functions and of cgroups, as modules and
///   cgroups come and go. While a reader lives, names of cgroups that later ones meet add up.
class Session : public PageContext {
 public:
  /// Loads the programs and reads the kernel's facts. kUnsupported if this kernel or these
  /// privileges cannot (run_preflight() says it better beforehand).
  static Result<std::unique_ptr<Session>> open(const SessionOptions& options);

  [[nodiscard]] virtual const KernelFacts& facts() const = 0;
  /// Nodes with memory (N_MEMORY), the only ones a view may ask for.
  [[nodiscard]] virtual const NodeSet& memory_nodes() const = 0;
  /// MAX_NUMNODES of this kernel, the limit of its nodelist syntax.
  [[nodiscard]] virtual unsigned max_nodes() const = 0;
  /// Where the nodes' memory lies; empty where that is not known.
  [[nodiscard]] virtual std::vector<NodeSpan> node_spans() const { return {}; }
  /// local_clock(), ns: what ages are measured from. Where kernel.perf_event_paranoid is over 2 it
  /// takes CAP_PERFMON, which PrivilegePolicy::kOneReader gives up: sums with POBPF_GROUP_TIME make
  /// it known beforehand, and who wants ages of records asks before open_reader().
  [[nodiscard]] virtual Result<std::uint64_t> now_ns() const = 0;
  [[nodiscard]] virtual std::uint64_t page_bytes() const = 0;
  /// Name and value of what was found out, for --verbose and bug reports.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;

  /// For listings that say something of all records together.
  [[nodiscard]] virtual ListingSource listing_source() const {
    return {facts(), page_types(), node_spans(), {}};
  }
  /// Records that are lost; known once all others are read.
  [[nodiscard]] virtual ListingDamage damage() const { return {}; }
  /// Whether the account of a reader counts all pages; known once all records are read.
  [[nodiscard]] virtual bool is_counted() const { return true; }

  /// A reader of all allocated pages of `view`. kUsage if it names a node without memory.
  virtual Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) = 0;

  /// Sums over all allocated pages of `view`, made in the kernel. `on_progress` is called from this
  /// thread now and then; returning false stops early with kFailed "interrupted".
  virtual Result<GroupSums> sum_groups(const ReaderView& view, const SumRequest& request,
                                       const ProgressCallback& on_progress) = 0;
  /// Pages that stand in the way of blocks, in all windows of `view`, whose filters may be
  /// PFNs, nodes and zones. Stops early as sum_groups() does.
  virtual Result<Account> read_blockers(const ReaderView& view, const BlockerRequest& request,
                                        const BlockerSink& sink,
                                        const ProgressCallback& on_progress) = 0;
  /// Whether read_blockers() knows of free and unowned pages and of references to pages: not what
  /// a file has.
  [[nodiscard]] virtual bool knows_blocks() const { return true; }
  /// The bound for the names of rows that are made of sums. A running kernel is trusted.
  [[nodiscard]] virtual std::size_t row_bytes_max() const { return SIZE_MAX; }
  /// How this kernel tells what a page is used for, to read POBPF_GROUP_KIND.
  [[nodiscard]] virtual const PageTypes& page_types() const = 0;
};

}  // namespace pobpf
