// SPDX-License-Identifier: GPL-2.0-only
#include "sum/blockers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "model/blocker_kind.h"
#include "sum/row_columns.h"

namespace pobpf {
namespace {

constexpr std::size_t kNoOwner = SIZE_MAX;

std::optional<std::uint8_t> migratetype_number(const KernelFacts& facts, std::string_view name) {
  const auto& names = facts.migratetype_names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - names.begin());
}

const char* holder_text(const pobpf_blocker& blocker) {
  if (blocker.holder == POBPF_HOLDER_SELF) return "(pobpf itself)";
  return blocker.blocker == POBPF_BLOCKER_RESERVED ? "(reserved)" : "(unowned)";
}

Row row_without_owner(const pobpf_blocker& blocker, const Grouping& grouping) {
  Row row;
  const char* const text = holder_text(blocker);
  for (const GroupField field : grouping.fields) {
    if (field == GroupField::kStack)
      row.frames.emplace_back(text);
    else
      row.labels.push_back({text, std::nullopt});
  }
  row.key = text;
  return row;
}

std::string names_of(const std::array<std::uint64_t, POBPF_NR_BLOCKER_KINDS>& kinds) {
  std::vector<std::size_t> order;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind)
    if (kinds.at(kind) != 0) order.push_back(kind);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return kinds.at(a) > kinds.at(b); });
  std::vector<const char*> names;
  names.reserve(order.size());
  for (const std::size_t kind : order)
    names.push_back(blocker_kind_name(static_cast<pobpf_blocker_kind>(kind)));
  return fmt::format("{}", fmt::join(names, ", "));
}

void add_group(BlockerRow& row, const BlockerTally::Group& group) {
  row.kinds.at(group.first.blocker) += group.pages;
  row.first_pfn = std::min<std::uint64_t>(row.first_pfn.value_or(UINT64_MAX), group.first.pfn);
}

void add_row(BlockerRow& to, const BlockerRow& row) {
  to.row.add(row.row);
  for (std::size_t kind = 0; kind < to.kinds.size(); ++kind)
    to.kinds.at(kind) += row.kinds.at(kind);
  if (row.first_pfn) to.first_pfn = std::min(to.first_pfn.value_or(UINT64_MAX), *row.first_pfn);
}

void set_held(std::vector<BlockerRow>& rows, const std::vector<BlockerTally::Held>& held) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].blocks = held[i].blocks;
    rows[i].alone = held[i].alone;
  }
}

/// The rows of all owners, in no order, and the row of each group; kNoOwner: it only stands in
/// blocks that cannot be used anyway.
struct OwnerRows {
  std::vector<BlockerRow> rows;
  std::vector<std::size_t> of_group;
  bool is_full = false;
};

OwnerRows make_owner_rows(const BlockerTally& tally, const Grouping& grouping, Session& session,
                          const RowErrorCallback& on_error) {
  const auto& groups = tally.groups();
  OwnerRows owners;
  owners.of_group.assign(groups.size(), kNoOwner);
  GroupSums sums;
  std::vector<std::size_t> owned;
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const BlockerTally::Group& group = groups[i];
    if (group.pages == 0 || group.first.holder != POBPF_HOLDER_OWNER) continue;
    if (group.first.key.is_other != 0) {
      others.push_back(i);
      sums.other.pages += group.pages;
      continue;
    }
    sums.groups.push_back({group.first.key, {.pages = group.pages, .allocations = 0, .time = {}}});
    owned.push_back(i);
  }
  RowSet named = make_rows(sums, grouping, session, on_error);
  owners.is_full = named.is_full;
  for (Row& row : named.rows) owners.rows.push_back({std::move(row), 0, 0, {}, {}, {}});
  for (std::size_t i = 0; i < owned.size(); ++i) owners.of_group[owned[i]] = named.row_of_group[i];
  for (const std::size_t i : others) owners.of_group[i] = named.row_of_group.back();
  // those without an owner
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].pages == 0 || owners.of_group[i] != kNoOwner) continue;
    Row row = row_without_owner(groups[i].first, grouping);
    const auto known =
        std::find_if(owners.rows.begin(), owners.rows.end(),
                     [&](const BlockerRow& candidate) { return candidate.row.key == row.key; });
    owners.of_group[i] = static_cast<std::size_t>(known - owners.rows.begin());
    if (known == owners.rows.end()) owners.rows.push_back({std::move(row), 0, 0, {}, {}, {}});
    owners.rows[owners.of_group[i]].row.pages += groups[i].pages;
  }
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (groups[i].pages != 0) add_group(owners.rows[owners.of_group[i]], groups[i]);
  return owners;
}

/// Whoever alone keeps most blocks comes first.
bool is_before(const BlockerRow& a, const BlockerRow& b) {
  if (a.row.kind != b.row.kind) return a.row.kind < b.row.kind;
  if (a.alone != b.alone) return a.alone > b.alone;
  if (a.blocks != b.blocks) return a.blocks > b.blocks;
  if (a.row.pages != b.row.pages) return a.row.pages > b.row.pages;
  return a.row.key < b.row.key;
}

}  // namespace

BlockRules make_block_rules(BlockPurpose purpose, bool compacts_unevictable,
                            const KernelFacts& facts) {
  return {.purpose = purpose,
          .compacts_unevictable = compacts_unevictable,
          .migrate_cma = migratetype_number(facts, "CMA"),
          .migrate_isolate = migratetype_number(facts, "Isolate")};
}

bool BlockerTally::KeyEqual::operator()(const Key& a, const Key& b) const {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool BlockerTally::is_in_the_way(unsigned kind) const {
  // compaction passes over them, the other two replace them
  if (kind == POBPF_BLOCKER_HUGETLB) return rules_.purpose == BlockPurpose::kOrder;
  if (kind == POBPF_BLOCKER_MLOCKED)
    return rules_.purpose == BlockPurpose::kOrder && !rules_.compacts_unevictable;
  return true;
}

bool BlockerTally::is_wanted_migratetype(std::uint8_t migratetype) const {
  if (migratetype == rules_.migrate_isolate) return false;
  return migratetype != rules_.migrate_cma || rules_.purpose != BlockPurpose::kOffline;
}

std::uint32_t BlockerTally::group_of(const pobpf_blocker& blocker) {
  const auto nr_groups = static_cast<std::uint32_t>(groups_.size());
  const Key key{blocker.key, blocker.blocker, blocker.holder};
  const auto known = index_.find(key);
  if (known != index_.end()) return known->second;
  pobpf_blocker first = blocker;
  if (nr_groups >= groups_max_ && blocker.holder == POBPF_HOLDER_OWNER &&
      blocker.key.is_other == 0) {
    first.key = {};
    first.key.is_other = 1;
    return group_of(first);
  }
  index_.emplace(key, nr_groups);
  groups_.push_back({first, 0, 0});
  return nr_groups;
}

void BlockerTally::add(const WindowBlockers& window) {
  const pobpf_window_state& state = window.state;
  const std::uint64_t block = state.pfn >> order_;
  if (!has_block_ || block != block_) {
    end_block();
    has_block_ = true;
    block_ = block;
    sum_ = {};
    sum_.nid = state.nid;
    sum_.zone = state.zone;
    is_usable_ = is_wanted_migratetype(state.migratetype);
    nr_alike_ = window.nr_blocks;
  }
  is_usable_ = is_usable_ && sum_.nid == state.nid && sum_.zone == state.zone &&
               is_wanted_migratetype(state.migratetype);
  sum_.nr_pages += state.nr_pages;
  sum_.nr_free += state.nr_free;
  sum_.nr_movable += state.nr_movable;
  sum_.nr_blocking += state.nr_blocking;
  sum_.free_orders = std::max(sum_.free_orders, state.free_orders);
  for (const pobpf_blocker& blocker : window.blockers) {
    if (is_in_the_way(blocker.blocker))
      parts_.push_back({group_of(blocker), blocker.nr_pages, blocker.pfn});
  }
}

void BlockerTally::end_block() {
  if (!has_block_) return;
  has_block_ = false;
  states_.blocks += nr_alike_;
  const std::uint64_t nr_pages = std::uint64_t{1} << order_;
  const bool is_whole =
      std::uint64_t{sum_.nr_free} + sum_.nr_movable + sum_.nr_blocking == nr_pages;
  if (sum_.free_orders != 0)
    states_.largest_free_order =
        std::max<unsigned>(states_.largest_free_order.value_or(0), sum_.free_orders - 1U);
  if (!is_usable_ || !is_whole) {
    states_.unusable += nr_alike_;
  } else if (!parts_.empty()) {
    const std::size_t begin = held_groups_.size();
    for (const Part& part : parts_) {
      Group& group = groups_[part.group];
      if (group.pages == 0 || group.last_block != block_) held_groups_.push_back(part.group);
      if (group.pages == 0) group.first.pfn = part.pfn;
      group.first.pfn = std::min<std::uint64_t>(group.first.pfn, part.pfn);
      group.pages += part.pages;
      group.last_block = block_;
    }
    nr_groups_.push_back(static_cast<std::uint32_t>(held_groups_.size() - begin));
  } else if (sum_.nr_free == nr_pages) {
    states_.free += nr_alike_;
  } else {
    states_.movable += nr_alike_;
  }
  parts_.clear();
}

std::vector<BlockerTally::Held> BlockerTally::held_by(std::span<const std::size_t> owner_of,
                                                      std::size_t nr_owners) const {
  std::vector<Held> held(nr_owners);
  std::vector<std::size_t> owners;
  auto group = held_groups_.begin();
  for (const std::uint32_t nr : nr_groups_) {
    owners.clear();
    for (std::uint32_t i = 0; i < nr; ++i) owners.push_back(owner_of[*group++]);
    std::sort(owners.begin(), owners.end());
    owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
    for (const std::size_t owner : owners) ++held[owner].blocks;
    if (owners.size() == 1) ++held[owners.front()].alone;
  }
  return held;
}

BlockerRows make_blocker_rows(const BlockerTally& tally, const Grouping& grouping, Session& session,
                              std::optional<std::size_t> limit, const RowErrorCallback& on_error) {
  OwnerRows owners = make_owner_rows(tally, grouping, session, on_error);
  auto& rows = owners.rows;
  set_held(rows, tally.held_by(owners.of_group, rows.size()));
  BlockerRows result;
  result.is_full = owners.is_full;
  result.states = tally.states();
  BlockerRow total;
  total.row.kind = RowKind::kTotal;
  for (const BlockerRow& row : rows) {
    result.states.one_owner += row.alone;
    add_row(total, row);
  }
  total.alone = result.states.one_owner;
  const BlockStates& states = result.states;
  total.blocks = states.blocks - states.free - states.movable - states.unusable;
  result.states.several_owners = total.blocks - states.one_owner;

  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return is_before(rows[a], rows[b]); });
  const auto nr_owners =
      static_cast<std::size_t>(std::count_if(order.begin(), order.end(), [&](std::size_t i) {
        return rows[i].row.kind == RowKind::kGroup;
      }));
  const std::size_t nr_shown = std::min(limit.value_or(nr_owners), nr_owners);
  BlockerRow rest;
  rest.row.kind = RowKind::kRest;
  rest.row.nr_rows = nr_owners - nr_shown;
  // the blocks of the rest are not the sum of those of each
  std::vector<std::size_t> place(rows.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool is_rest = i >= nr_shown && i < nr_owners;
    place[order[i]] = is_rest ? 1 : 0;
    if (is_rest)
      add_row(rest, rows[order[i]]);
    else
      result.rows.push_back(std::move(rows[order[i]]));
  }
  if (nr_shown < nr_owners) {
    rest.row.nr_rows = nr_owners - nr_shown;
    std::vector<std::size_t> side;
    side.reserve(owners.of_group.size());
    for (const std::size_t owner : owners.of_group)
      side.push_back(owner == kNoOwner ? 0 : place[owner]);
    const auto held = tally.held_by(side, 2);
    rest.blocks = held[1].blocks;
    rest.alone = held[1].alone;
    result.rows.insert(result.rows.begin() + static_cast<std::ptrdiff_t>(nr_shown),
                       std::move(rest));
  }
  result.rows.push_back(std::move(total));
  for (BlockerRow& row : result.rows) row.kinds_text = names_of(row.kinds);
  return result;
}

namespace {

constexpr RowColumn<BlockerRow> kBlockerColumns[] = {
    {{"kind", "", Unit::kNone, "`group`, `other`, `rest`, `total`"},
     Shown::kNot,
     [](const BlockerRow& row, const RowStyle&) -> CellValue {
       return row_kind_name(row.row.kind);
     }},
    {{"blocks", "BLOCKS", Unit::kNone, "blocks in which the owner stands in the way"},
     Shown::kNumber,
     [](const BlockerRow& row, const RowStyle&) -> CellValue { return row.blocks; }},
    {{"alone", "ALONE", Unit::kNone, "blocks in which nobody else does"},
     Shown::kNumber,
     [](const BlockerRow& row, const RowStyle&) -> CellValue { return row.alone; }},
    {{"pages", "PAGES", Unit::kPages, "base pages in the way"},
     Shown::kNumber,
     [](const BlockerRow& row, const RowStyle&) -> CellValue { return row.row.pages; }},
    {{"first_pfn", "FIRST PFN", Unit::kNone, "the first of them"},
     Shown::kPfn,
     [](const BlockerRow& row, const RowStyle&) -> CellValue { return cell_of(row.first_pfn); }},
    {{"why", "WHY", Unit::kNone, "the kinds of the pages, the most pages first"},
     Shown::kText,
     [](const BlockerRow& row, const RowStyle&) -> CellValue { return row.kinds_text.c_str(); }},
};

constexpr auto kRowOfBlocker = [](const BlockerRow& row) -> const Row& { return row.row; };

struct StateCount {
  const char* key;
  std::uint64_t blocks;
};

/// A file cannot tell free pages from others without a record.
std::vector<StateCount> counts_of(const BlockSummary& summary) {
  const BlockStates& states = summary.states;
  return {{summary.knows_blocks ? "free" : "without_records", states.free},
          {"movable", states.movable},
          {"one_owner", states.one_owner},
          {"several_owners", states.several_owners},
          {"unusable", states.unusable}};
}

}  // namespace

std::vector<Column> blocker_columns() {
  std::vector<Column> columns;
  for (const auto& column : kBlockerColumns) columns.push_back(column.column);
  return columns;
}

Status append_blockers(std::string& out, const BlockSummary& summary,
                       const std::vector<BlockerRow>& rows, const Grouping& grouping,
                       const RowStyle& style, const RowSource& source) {
  const BlockStates& states = summary.states;
  fmt::format_to(std::back_inserter(out),
                 "{} blocks of order {} ({}): {} {}, {} movable only, {} held by one owner, {} by "
                 "several, {} unusable\n",
                 states.blocks, summary.order, size_text(summary.page_bytes << summary.order),
                 states.free, summary.knows_blocks ? "free" : "without records", states.movable,
                 states.one_owner, states.several_owners, states.unusable);
  if (!summary.knows_blocks)
    out +=
        "a snapshot does not know which pages are free or unowned, nor which are pinned: these "
        "count as movable\n";
  else if (states.largest_free_order)
    fmt::format_to(std::back_inserter(out), "largest free order: {}\n", *states.largest_free_order);
  else
    out += "largest free order: none, as no page is free\n";
  out += '\n';
  return append_rows_table<BlockerRow>(out, rows, kBlockerColumns, kRowOfBlocker, grouping, style,
                                       source);
}

void append_blockers_json(std::string& out, const BlockSummary& summary,
                          const std::vector<BlockerRow>& rows, const Grouping& grouping,
                          const RowStyle& style) {
  append_json(out, [&](JsonWriter& json) {
    json.member("kind", "blocks");
    json.member("order", summary.order);
    json.member("blocks", summary.states.blocks);
    for (const StateCount& count : counts_of(summary)) json.member(count.key, count.blocks);
    if (summary.knows_blocks) json.member("largest_free_order", summary.states.largest_free_order);
  });
  append_rows_json<BlockerRow>(out, rows, kBlockerColumns, kRowOfBlocker, grouping, style);
}

void append_blockers_csv(std::string& out, const BlockSummary& summary,
                         const std::vector<BlockerRow>& rows, const Grouping& grouping,
                         const RowStyle& style) {
  append_rows_csv_header<BlockerRow>(out, kBlockerColumns, grouping, style);
  for (const StateCount& count : counts_of(summary)) {
    fmt::format_to(std::back_inserter(out), "{},{}", count.key, count.blocks);
    out.append(std::size(kBlockerColumns) - 2 + grouping.fields.size(), ',');
    out += "\r\n";
  }
  append_rows_csv<BlockerRow>(out, rows, kBlockerColumns, kRowOfBlocker, grouping, style);
}

}  // namespace pobpf
