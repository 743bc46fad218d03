// SPDX-License-Identifier: GPL-2.0-only
// From what stands in the way in windows of PFNs to the state of blocks, and to the owners that
// keep them from being free or movable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/window_blockers.h"
#include "reader/session.h"
#include "sum/row_output.h"
#include "sum/rows.h"
#include "util/hash_map.h"

namespace pobpf {

/// The purpose of a block decides what is in the way: docs/blockers.md.
enum class BlockPurpose {
  kOrder,    ///< a free block of its order, which compaction has to make
  kCma,      ///< alloc_contig_range() in an area of CMA
  kOffline,  ///< a block of memory goes offline
};

struct BlockRules {
  BlockPurpose purpose = BlockPurpose::kOrder;
  /// vm.compact_unevictable_allowed
  bool compacts_unevictable = true;
  // numbers of migratetypes; no value: this kernel has none of that name
  std::optional<std::uint8_t> migrate_cma;
  std::optional<std::uint8_t> migrate_isolate;
};

[[nodiscard]] BlockRules make_block_rules(BlockPurpose purpose, bool compacts_unevictable,
                                          const KernelFacts& facts);

/// The state of blocks; they add up to `blocks`.
struct BlockStates {
  std::uint64_t blocks = 0;
  std::uint64_t free = 0;
  std::uint64_t movable = 0;  ///< movable only, and free pages
  std::uint64_t one_owner = 0;
  std::uint64_t several_owners = 0;
  /// Not all of it is memory of one zone that can be used, or the migratetype of a pageblock in it
  /// keeps it from what it is wanted for.
  std::uint64_t unusable = 0;
  std::optional<unsigned> largest_free_order;
};

/// Folds windows, which come in the order of memory, into blocks.
class BlockerTally {
 public:
  /// Pages of one owner and one kind.
  struct Group {
    pobpf_blocker first{};    ///< its key, kind and holder, and the first PFN
    std::uint64_t pages = 0;  ///< in blocks that can be used
    /// The last of these blocks; valid if there are pages.
    std::uint64_t last_block = 0;
  };
  struct Held {
    std::uint64_t blocks = 0;  ///< in which it stands
    std::uint64_t alone = 0;   ///< in which nothing else does
  };

  /// `order`: of the blocks. Owners beyond `groups_max` are one.
  BlockerTally(unsigned order, const BlockRules& rules, std::uint32_t groups_max)
      : order_(order), rules_(rules), groups_max_(groups_max) {}

  void add(const WindowBlockers& window);
  /// Behind the last window.
  void finish() { end_block(); }

  /// Without one_owner and several_owners, which only names tell apart.
  [[nodiscard]] const BlockStates& states() const { return states_; }
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  /// The blocks of each of `nr_owners`; `owner_of` has the number of each group's owner.
  [[nodiscard]] std::vector<Held> held_by(std::span<const std::size_t> owner_of,
                                          std::size_t nr_owners) const;

 private:
  struct Key {
    pobpf_group_key key;
    std::uint32_t kind;
    std::uint32_t holder;
  };
  struct KeyEqual {
    bool operator()(const Key& a, const Key& b) const;
  };
  struct Part {
    std::uint32_t group;
    std::uint64_t pages;
    std::uint64_t pfn;
  };

  [[nodiscard]] bool is_in_the_way(unsigned kind) const;
  [[nodiscard]] bool is_wanted_migratetype(std::uint8_t migratetype) const;
  [[nodiscard]] std::uint32_t group_of(const pobpf_blocker& blocker);
  void end_block();

  unsigned order_;
  BlockRules rules_;
  std::uint32_t groups_max_;
  BlockStates states_;
  std::vector<Group> groups_;
  HashMap<Key, std::uint32_t, KeyEqual> index_;

  // the block that is looked at
  bool has_block_ = false;
  std::uint64_t block_ = 0;
  pobpf_window_state sum_{};    // of its windows so far; node and zone of the first
  std::uint64_t nr_alike_ = 1;  // blocks that are as this one
  bool is_usable_ = true;
  std::vector<Part> parts_;

  // of all held blocks one after the other: how many groups, and which
  std::vector<std::uint32_t> nr_groups_;
  std::vector<std::uint32_t> held_groups_;
};

/// A row of `pobpf blockers`.
struct BlockerRow {
  Row row;
  std::uint64_t blocks = 0;
  std::uint64_t alone = 0;
  std::optional<std::uint64_t> first_pfn;
  /// Base pages by kind.
  std::array<std::uint64_t, POBPF_NR_BLOCKER_KINDS> kinds{};
  std::string kinds_text;  ///< their names, the most pages first
};

struct BlockerRows {
  /// Those that alone keep most blocks first; beyond `limit` one row, and behind them the total.
  std::vector<BlockerRow> rows;
  BlockStates states;
  bool is_full = false;  ///< as in RowSet
};

[[nodiscard]] BlockerRows make_blocker_rows(const BlockerTally& tally, const Grouping& grouping,
                                            Session& session, std::optional<std::size_t> limit,
                                            const RowErrorCallback& on_error);

/// All that is said of the blocks themselves.
struct BlockSummary {
  BlockStates states;
  unsigned order = 0;
  std::uint64_t page_bytes = 4096;
  bool knows_blocks = true;  ///< Session::knows_blocks()
};

/// The columns of the documents.
[[nodiscard]] std::vector<Column> blocker_columns();

/// Sentences about the blocks, and the table of their owners.
[[nodiscard]] Status append_blockers(std::string& out, const BlockSummary& summary,
                                     const std::vector<BlockerRow>& rows, const Grouping& grouping,
                                     const RowStyle& style, const RowSource& source);
/// A line for the blocks, and one for each row.
void append_blockers_json(std::string& out, const BlockSummary& summary,
                          const std::vector<BlockerRow>& rows, const Grouping& grouping,
                          const RowStyle& style);
/// A line of column names, one for each state of blocks, and one for each row.
void append_blockers_csv(std::string& out, const BlockSummary& summary,
                         const std::vector<BlockerRow>& rows, const Grouping& grouping,
                         const RowStyle& style);

}  // namespace pobpf
