// SPDX-License-Identifier: GPL-2.0-only
// The synthetic machine: memory as page_owner and the memory model would describe it, made up in
// maps, so that the real walker runs over it on a kernel without page_owner, natively, at any size.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/machine_facts.h"
#include "pobpf/types.h"
#include "reader/session.h"
#include "synthetic/completed_btf.h"
#include "synthetic/shared_memory.h"
#include "util/error.h"

namespace pobpf::synthetic {

inline constexpr unsigned kSectionShift = 15;  ///< PFN_SECTION_SHIFT: 128 MiB
inline constexpr std::uint64_t kSectionPages = 1ULL << kSectionShift;
inline constexpr unsigned kSubsectionShift = 9;  ///< PFN_SUBSECTION_SHIFT: 2 MiB
inline constexpr unsigned kSubsections = 1U << (kSectionShift - kSubsectionShift);
inline constexpr unsigned kPageblockOrder = 9;
inline constexpr unsigned kMaxPageOrder = 10;
inline constexpr std::uint64_t kMaxSections = 1ULL << 19;  ///< 64 TB

/// Positions in page->flags.
inline constexpr unsigned kNodeShift = 54;
inline constexpr unsigned kNodeBits = 10;
inline constexpr unsigned kZoneShift = 51;
inline constexpr unsigned kZoneBits = 3;
/// enum page_ext_flags.
inline constexpr std::uint64_t kExtOwner = 1ULL << 0;
inline constexpr std::uint64_t kExtOwnerAllocated = 1ULL << 1;
/// enum migratetype of this machine.
inline constexpr unsigned kMigrateMovable = 1;
inline constexpr unsigned kMigrateIsolate = 5;

/// Kernfs id of the root of this machine's cgroups.
inline constexpr std::uint64_t kRootCgroup = 1;

/// The word of page_type and _mapcount of a page that has neither.
inline constexpr std::uint32_t kNoPageType = ~0U;

/// The traces of an allocation in struct page and struct page_owner.
struct Allocation {
  unsigned order = 0;
  unsigned nid = 0;
  unsigned zone = 0;
  std::uint64_t page_flags = 0;  ///< without node and zone
  std::uint64_t memcg_data = 0;
  std::uint32_t gfp_mask = 0xcc0;  // GFP_KERNEL
  std::uint32_t handle = 1;
  std::uint64_t ts_nsec = 1;
  std::uint64_t free_ts_nsec = 0;
  std::int32_t pid = 1;
  std::int32_t tgid = 1;
  std::int16_t last_migrate_reason = -1;
  std::string_view comm = "synthetic";
  std::uint32_t page_type = kNoPageType;
  std::uint64_t mapping = 0;
  std::int32_t refcount = 1;  ///< of its first page; the others have none
  std::uint32_t free_handle = 0;
  std::int32_t free_pid = 0;
  std::int32_t free_tgid = 0;
};

/// struct page_ext of one page, and the struct page_owner in it.
struct ExtView {
  std::uint64_t flags = 0;
  std::uint16_t order = 0;
  std::int16_t last_migrate_reason = 0;
  std::uint32_t gfp_mask = 0;
  std::uint32_t handle = 0;
  std::uint64_t ts_nsec = 0;
  std::uint64_t free_ts_nsec = 0;
  std::int32_t pid = 0;
  std::int32_t tgid = 0;
  std::array<std::uint8_t, POBPF_COMM_BYTES> comm{};
};

/// struct page of one page.
struct PageView {
  std::uint64_t flags = 0;
  std::uint64_t private_word = 0;
  std::uint32_t page_type = 0;
};

enum class PageExt {
  kPresent,
  kInvalid,  ///< going offline: the low bit of its address is set
  kNone,
};

/// Memory begins empty: no sections. A section begins as pages that page_owner never saw. PFNs
/// given must lie in sections that were added. Writes are as fast as memory; none is checked for
/// sense, as senseless memory is what the walker must cope with. Not thread-safe, except for
/// set_page_ext().
class Machine {
 public:
  /// kUnsupported where BPF cannot be used.
  static Result<std::unique_ptr<Machine>> make(std::uint64_t max_sections);

  /// 128 MiB of memory; present at boot (all of it counts as present) or added later.
  Status add_section(std::uint64_t section_nr, bool is_early = true);
  /// A section that shows the same struct pages as another one: terabytes in little memory.
  Status add_alias(std::uint64_t section_nr, std::uint64_t of_section_nr);
  /// SECTION_HAS_MEM_MAP off: as before it was added.
  void remove_section(std::uint64_t section_nr);
  /// One subsection (2 MiB) of a section that is not early.
  void set_subsection(std::uint64_t section_nr, unsigned index, bool is_present);
  /// May be called while a reader walks.
  void set_page_ext(std::uint64_t section_nr, PageExt state);
  /// Any address at all, of the section's first page.
  void set_page_ext_address(std::uint64_t section_nr, std::uint64_t address);

  /// Marks 1 << order pages as mm/page_owner.c: __set_page_owner() does.
  void allocate(std::uint64_t pfn, const Allocation& allocation);
  /// As __reset_page_owner(): what was allocated there stays readable, but is freed.
  void release(std::uint64_t pfn, unsigned order);
  /// Frees one page and allocates it again, member by member in the order of
  /// mm/page_owner.c, while readers walk. `pause` is called before the name, which comes last.
  void reallocate(std::uint64_t pfn, const Allocation& allocation,
                  const std::function<void()>& pause);
  /// A free block in the buddy lists, PageBuddy() on its head. `order` may be impossible.
  void free_block(std::uint64_t pfn, std::uint64_t order);
  /// Migratetype of the pageblock that the page is in.
  void set_pageblock(std::uint64_t pfn, unsigned migratetype, bool is_isolated = false);

  void set_page_flags(std::uint64_t pfn, std::uint64_t flags);
  /// Node and zone as in the page flags of an allocation.
  [[nodiscard]] static std::uint64_t page_flags(unsigned nid, unsigned zone, std::uint64_t flags) {
    return flags | std::uint64_t{zone} << kZoneShift | std::uint64_t{nid} << kNodeShift;
  }
  void set_tail(std::uint64_t pfn, std::uint64_t head_pfn);
  void set_owner_order(std::uint64_t pfn, std::uint16_t order);
  void set_handle(std::uint64_t pfn, std::uint32_t handle);
  void set_ext_flags(std::uint64_t pfn, std::uint64_t flags);

  /// The answer that pfn_valid() would give.
  [[nodiscard]] bool is_valid(std::uint64_t pfn) const;
  /// Whether the section's page_ext can be used: what page_ext_get() would say.
  [[nodiscard]] bool has_page_ext(std::uint64_t section_nr) const;
  [[nodiscard]] ExtView ext(std::uint64_t pfn) const;
  [[nodiscard]] PageView page(std::uint64_t pfn) const;
  /// PageBuddy().
  [[nodiscard]] bool is_buddy(std::uint64_t pfn) const;
  [[nodiscard]] unsigned pageblock_migratetype(std::uint64_t pfn) const;

  /// A stack of the depot; its handle.
  Result<std::uint32_t> add_stack(const std::vector<std::uint64_t>& frames);
  /// A cgroup below the one with the id `above`, or the root; the memcg_data word of pages charged
  /// to it.
  Result<std::uint64_t> add_cgroup(std::uint64_t id, std::string_view name, bool is_online = true,
                                   std::uint64_t above = 0);
  /// As cgroup v1 allows.
  void rename_cgroup(std::uint64_t id, std::string_view name);
  /// Its name lies where nothing can be read.
  void hide_cgroup_name(std::uint64_t id);

  /// A process of this number, up to 63, which began at `start_ns` of both CLOCK_MONOTONIC and
  /// CLOCK_BOOTTIME. Without any, and a clock, it is not known what has become of processes.
  Status add_process(std::uint32_t tgid, std::uint64_t start_ns);
  /// Stops local_clock() of all CPUs there.
  Status set_local_clock(std::uint64_t ns);

  /// A node with memory, and the span that it says it has. Without any, node 0 has it all.
  void add_node(unsigned nid, PfnRange span) { nodes_.push_back({nid, span}); }
  /// PFNs that readers go through; else those of the sections, as the real code finds them.
  void set_present(std::vector<PfnRange> ranges) { present_ = std::move(ranges); }

  [[nodiscard]] Result<MachineFacts> facts() const;
  /// The real Session, with the real programs.
  [[nodiscard]] Result<std::unique_ptr<Session>> open_session(const SessionOptions& options) const;
  [[nodiscard]] const std::string& btf_path() const { return btf_->path(); }
  [[nodiscard]] const KernelBtf& types() const { return types_; }

  /// First byte of the struct pages and page_exts of a section, for who wants to read all of it.
  [[nodiscard]] const std::byte* section_pages(std::uint64_t section_nr) const;
  [[nodiscard]] const std::byte* section_page_exts(std::uint64_t section_nr) const;
  [[nodiscard]] std::size_t page_bytes() const { return offsets_.page_bytes; }
  [[nodiscard]] std::size_t page_ext_bytes() const { return offsets_.page_ext_bytes; }
  [[nodiscard]] std::uint64_t max_pfn() const { return max_sections_ << kSectionShift; }

  Status hide_from_children() { return memory_.hide_from_children(); }

 private:
  /// Layouts, from the same type information that the programs are relocated against.
  struct Offsets {
    std::uint32_t section_bytes, mem_map, usage, page_ext;
    std::uint32_t subsection_map, pageblock_flags;
    std::uint32_t page_bytes, page_type, private_word, compound_head, memcg_data, mapping, refcount;
    std::uint32_t page_ext_bytes, owner;
    std::uint32_t order, last_migrate_reason, gfp_mask, handle, ts_nsec, free_ts_nsec, comm, pid,
        tgid, free_handle, free_pid, free_tgid;
    std::uint32_t record_size, record_handle, record_entries;
    std::uint32_t css_ss, css_cgroup, css_flags, cgroup_kn, kn_id, kn_name, kn_parent;
    std::uint32_t ns_idr, idr_root, root_head, node_slots, pid_tasks;
    std::uint32_t start_time, start_boottime, pid_links;
  };
  struct Section {
    Block self;   // struct mem_section
    Block usage;  // struct mem_section_usage
    Block pages;
    Block page_exts;
  };

  Machine(std::shared_ptr<const CompletedBtf> btf, KernelBtf types, std::uint64_t max_sections);
  Status make_tables();
  Status find_offsets();
  Result<Block> section_block(std::uint64_t section_nr);
  void write_section(std::uint64_t section_nr, const Section& section, bool is_early);
  [[nodiscard]] std::byte* page_at(std::uint64_t pfn) const;
  [[nodiscard]] std::byte* ext_at(std::uint64_t pfn) const;
  [[nodiscard]] std::byte* owner_at(std::uint64_t pfn) const {
    return ext_at(pfn) + offsets_.owner;
  }

  std::shared_ptr<const CompletedBtf> btf_;
  KernelBtf types_;
  Offsets offsets_{};
  std::uint64_t max_sections_;
  SharedMemory memory_;
  Block roots_;
  Block pools_;  // stack_pools
  Block pool_;   // the last pool of the depot
  std::uint32_t nr_pools_ = 0;
  std::uint32_t pool_used_ = 0;
  Block memory_subsys_;                          // memory_cgrp_subsys
  std::map<std::uint64_t, Block> cgroup_names_;  // by id
  Block root_cgroup_kn_;
  std::map<std::uint64_t, Block> cgroup_kns_;  // by id
  Block pid_ns_;
  Block pid_node_;     // the only node of its tree
  Block local_clock_;  // struct rq of all CPUs
  Block per_cpu_offsets_;
  std::vector<Block> root_blocks_;
  std::vector<std::optional<Section>> sections_;
  std::vector<NodeSpan> nodes_;
  std::optional<std::vector<PfnRange>> present_;
};

}  // namespace pobpf::synthetic
