// SPDX-License-Identifier: GPL-2.0-only
// From the kernel's sums to the rows of pobpf top.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/page_formatter.h"
#include "model/kernel_facts.h"
#include "reader/session.h"
#include "sum/group_field.h"
#include "sum/stack_index.h"
#include "util/error.h"

namespace pobpf {

/// How rows are made.
struct Grouping {
  std::vector<GroupField> fields;
  std::optional<std::size_t> depth;            ///< innermost frames that tell stacks apart
  std::vector<std::string> ignored_functions;  ///< glob patterns: stacks with one are one row
  bool wants_age = false;
  /// Where the frames of `depth` are kept, for many rows; null: in each row.
  StackIndex* stacks = nullptr;

  [[nodiscard]] bool has_stack() const;
  /// Bits of enum pobpf_group_field to ask the kernel for.
  [[nodiscard]] std::uint32_t kernel_fields() const;
};

/// The value of a field in a row.
struct Label {
  std::string text;                    ///< untrusted bytes
  std::optional<std::int64_t> number;  ///< where it is one
  /// In tables, unless RowStyle::is_full; empty: `text`.
  std::string short_text = {};
  const char* state = nullptr;  ///< of what it names: state_field(); null: not known
};

enum class RowKind {
  kGroup,
  kIgnored,  ///< all groups with an ignored function
  kOther,    ///< all groups that the kernel had no room for
  kRest,     ///< all groups below the limit of what is shown
  kTotal,
};

struct Row {
  RowKind kind = RowKind::kGroup;
  std::vector<Label> labels;  ///< of all fields but kStack, in the order of Grouping; kGroup only
  std::vector<std::string> frames;      ///< of kStack: "%pS" texts, innermost first
  std::optional<std::uint32_t> handle;  ///< of kStack, where stacks are whole
  const IndexedStack* stack = nullptr;  ///< of kStack, with Grouping::stacks or index_stacks()
  std::uint64_t pages = 0;
  std::uint64_t allocations = 0;  ///< says_allocations() whether they are known
  pobpf_time_sum time{};          ///< as in struct pobpf_group_sum
  std::int64_t change = 0;        ///< pages, since the last interval
  std::int64_t growth = 0;        ///< pages, since the first one
  std::uint64_t nr_rows = 0;      ///< of kRest and kIgnored: how many it stands for
  std::string key;                ///< the same for the same group at another time

  void add(const Row& other);
  /// ns; no value without a sum of times.
  [[nodiscard]] std::optional<std::uint64_t> mean_age_ns(std::uint64_t now_ns) const;
};

/// Called for each stack or cgroup that could not be read; the row says so instead.
using RowErrorCallback = std::function<void(Error)>;

struct RowSet {
  std::vector<Row> rows;  ///< in no order
  /// The row of each of GroupSums::groups, and that of GroupSums::other if it has one.
  std::vector<std::size_t> row_of_group;
  /// Session::row_bytes_max() gave no room for all of them.
  bool is_full = false;
};

/// One row for all groups that look alike; their sums are those of `sums` exactly. What has no room
/// in Session::row_bytes_max() is one row of the kind kOther. Whole stacks have their handle only,
/// until frames_of().
[[nodiscard]] RowSet make_rows(const GroupSums& sums, const Grouping& grouping, Session& session,
                               const RowErrorCallback& on_error);

/// The pages of groups that there was no room for.
[[nodiscard]] std::uint64_t ungrouped_pages(const std::vector<Row>& rows);

/// The frames of a row, which may have only their handle or their place in a StackIndex: those of
/// all rows together may be far more than there is memory for.
[[nodiscard]] std::vector<std::string> frames_of(const Row& row, Session& session,
                                                 const RowErrorCallback& on_error);
/// The frames of a row without a handle.
[[nodiscard]] std::vector<std::string> frames_of(const Row& row);
/// Sets Row::stack of rows that have a handle, for their order, while Session::row_bytes_max()
/// gives room for it.
void index_stacks(std::vector<Row>& rows, Session& session, StackIndex& stacks);

}  // namespace pobpf
