// SPDX-License-Identifier: GPL-2.0-only
// Filters over pages of a file: what bpf/filter.bpf.h does in the kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/page_formatter.h"
#include "model/comm_automaton.h"
#include "model/compiled_filter.h"
#include "model/filter.h"
#include "model/page_fields.h"
#include "snapshot/page_zone.h"
#include "snapshot/snapshot_header.h"
#include "util/error.h"
#include "util/hash_map.h"

namespace pobpf {

/// Meaning and order of the filters are those of the kernel's side, but that
/// - ages are those when the recording began;
/// - functions and modules are those of the stacks in the file, by the names that they have there;
/// - cgroups of which the file has the last name alone, as imports have, go by that.
/// Not thread-safe.
class PageFilter {
 public:
  /// kUsage for names that the recorded kernel does not have, and for nodes without memory.
  /// `context` must outlive the filter.
  static Result<PageFilter> make(const FilterSpec& spec, const SnapshotHeader& header,
                                 PageContext& context);

  /// kFailed if a field that is filtered by is not known of the pages.
  [[nodiscard]] Status check_fields(PageFields known) const;
  /// All pages pass.
  [[nodiscard]] bool is_empty() const { return active() == 0 && !compiled_.pfns; }
  /// The fields that check_fields() asks for.
  [[nodiscard]] PageFields needed_fields() const;

  enum class Verdict { kWanted, kFiltered, kOutside, kUnknown };
  /// kFiltered sets `filter` to the first one that the page does not pass; kOutside: its PFN is not
  /// wanted; kUnknown: the file does not say what a filter asks for.
  /// `detail` may be null where none are known.
  Verdict judge(const pobpf_page& page, const pobpf_page_detail* detail, pobpf_filter& filter);

 private:
  PageFilter(FilterSpec spec, const SnapshotHeader& header, PageContext& context);
  [[nodiscard]] std::uint32_t active() const { return compiled_.params.active; }
  [[nodiscard]] bool is_active(pobpf_filter filter) const { return (active() >> filter & 1) != 0; }
  /// Sets is_unknown_ where the file does not say.
  [[nodiscard]] std::optional<pobpf_filter> page_filters(const pobpf_page& page);
  [[nodiscard]] bool zone_passes(std::uint64_t flags, pobpf_filter& filter);
  [[nodiscard]] std::optional<pobpf_filter> owner_filters(const pobpf_page& page);
  [[nodiscard]] bool gfp_filters(const pobpf_page& page, pobpf_filter& filter);
  [[nodiscard]] bool set_passes(pobpf_set_kind kind, std::uint32_t value) const;
  [[nodiscard]] bool comm_passes(const pobpf_page& page);
  [[nodiscard]] bool time_passes(std::uint64_t ts_nsec) const;
  /// No value: its cgroup could not be read when it was recorded, or is lost.
  [[nodiscard]] std::optional<bool> memcg_passes(const pobpf_page& page);
  /// No value: its stack could not be read when it was recorded.
  [[nodiscard]] std::optional<bool> stack_passes(std::uint32_t handle);
  [[nodiscard]] bool frames_pass(const std::vector<Frame>& frames) const;

  FilterSpec spec_;
  const KernelFacts* facts_;  // null: not known
  std::uint64_t now_ns_;
  PageContext* context_;
  CompiledFilter compiled_;
  HashMap<std::uint64_t, std::uint32_t> sets_;  // kind << 32 | value: its bits
  std::optional<PageZones> zones_;              // no value: not known
  // verdicts on what pages share; no more of them than the context has
  HashMap<std::uint32_t, bool> stacks_;
  HashMap<std::uint64_t, bool> cgroups_;
  std::string last_comm_;
  std::optional<bool> last_comm_passes_;
  bool is_unknown_ = false;  // of the page that is judged
};

}  // namespace pobpf
