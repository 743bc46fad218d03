// SPDX-License-Identifier: GPL-2.0-only
// The meaning of the numbers of one struct page: the knowledge of mm/debug.c and
// include/linux/page-flags.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/kernel_facts.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "pobpf/page_dump.h"
#include "pobpf/stream.h"

namespace pobpf {

/// How BPF tells slab pages of this kernel.
[[nodiscard]] pobpf_slab_test make_slab_test(const PageTypes& types, const KernelFacts& facts);

/// Names that only page reports need.
struct PageNames {
  PageTypes types;
  std::vector<std::string> zones;  ///< by enum zone_type
};

enum class PageState {
  kAllocated,   ///< first page of an allocation
  kTail,        ///< a further page of an allocation
  kFree,        ///< in the buddy lists
  kFreed,       ///< freed, but not in the buddy lists: a per-CPU list, or on its way
  kUnowned,     ///< page_owner has never seen it
  kOffline,     ///< offline memory
  kAbsent,      ///< no memory there
  kUnreadable,  ///< its struct page cannot be read
  kUnrecorded,  ///< a snapshot has no record of it
};

/// Stable names, as text and JSON have them.
[[nodiscard]] const char* page_state_name(PageState state);

/// One page as it was read, and when.
struct PageDump {
  pobpf_page_dump raw{};
  bool has_changed = false;             ///< it changed while it was read, each time
  std::optional<std::uint64_t> now_ns;  ///< local_clock() of then
  /// For a page in a snapshot: what is known of the allocation that it is in, whose first page
  /// raw.owner, raw.page and raw.head are of. Nothing: it is in none that was recorded. No value: a
  /// live page.
  std::optional<PageFields> recorded;
  PageFields live_fields = kEveryPageField;  ///< known of a live page
  std::uint64_t nr_further_records = 0;      ///< that have the page too, of a snapshot
};

/// The parts of a snapshot that concern a page.
struct RecordedPage {
  std::uint64_t pfn = 0;
  PageFields fields = 0;  ///< known of what follows; none: no record has the page
  pobpf_page record{};    ///< of its allocation
  pobpf_page_detail detail{};
  std::uint64_t nr_further_records = 0;
};

/// `now_ns`: the local clock when the recording began.
[[nodiscard]] PageDump make_page_dump(const RecordedPage& page,
                                      std::optional<std::uint64_t> now_ns);

/// The meaning of a page dump. For pages without has_struct_page() only `state` and `pfn` count.
struct PageReport {
  std::uint64_t pfn = 0;
  PageState state = PageState::kAbsent;
  /// First page: of the allocation (kAllocated, kTail, and kFreed of a record) or of the free block
  /// (kFree); else the page.
  std::uint64_t first_pfn = 0;
  /// The use of the page: "free", "anonymous", "ksm", "file", "movable", "slab", "reserved",
  /// a page type of this kernel ("table", "hugetlb", ...), or "kernel" for all else.
  std::string_view kind;
  std::string_view page_type;  ///< of the compound head; empty: none
  std::int64_t refcount = 0;   ///< of the compound head
  std::int64_t mapcount = 0;   ///< of this page, mappings of the whole included
  std::uint64_t index = 0;     ///< of this page in its mapping
  bool is_compound = false;    ///< the compound_* fields and counts below are valid
  std::int64_t entire_mapcount = 0;
  bool has_owner = false;  ///< page_owner has seen the page: raw.owner is valid
  bool has_free = false;   ///< it was freed since boot
};

[[nodiscard]] bool has_struct_page(PageState state);

/// `types` must outlive the result. Of a live page.
[[nodiscard]] PageReport make_page_report(const pobpf_page_dump& raw, const KernelFacts& facts,
                                          const PageTypes& types);
/// Also for a page in a snapshot: then what no record has (counts, index, compound) is zero, and
/// `kind` is empty if it is not known.
[[nodiscard]] PageReport make_page_report(const PageDump& dump, const KernelFacts& facts,
                                          const PageTypes& types);

/// Whether two readings show the same page in the same hands. Counts and flags change all the time
/// and do not matter.
[[nodiscard]] bool is_same_page(const pobpf_page_dump& a, const pobpf_page_dump& b);

}  // namespace pobpf
