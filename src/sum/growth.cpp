// SPDX-License-Identifier: GPL-2.0-only
#include "sum/growth.h"

namespace pobpf {
namespace {

std::int64_t difference(std::uint64_t now, std::uint64_t before) {
  return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
}

/// The row as it is when nothing of it is left.
Row emptied(Row row) {
  row.pages = row.allocations = row.nr_rows = 0;
  row.time = {};
  // of a handle they are read again
  if (row.handle) row.frames.clear();
  return row;
}

}  // namespace

void GrowthTracker::update(std::vector<Row>& rows) {
  ++interval_;
  for (Row& row : rows) {
    auto [found, is_new] = seen_.try_emplace(row.key);
    Seen& seen = found->second;
    if (is_new) {
      // a group that comes up later has grown from nothing
      seen.first = seen.last = is_started_ ? 0 : row.pages;
      seen.row = emptied(row);
    }
    row.change = difference(row.pages, seen.last);
    row.growth = difference(row.pages, seen.first);
    seen.last = row.pages;
    seen.interval = interval_;
  }
  for (auto entry = seen_.begin(); entry != seen_.end();) {
    Seen& seen = entry->second;
    if (seen.interval == interval_) {
      ++entry;
      continue;
    }
    if (seen.last != 0) {
      Row row = seen.row;
      row.change = difference(0, seen.last);
      row.growth = difference(0, seen.first);
      rows.push_back(std::move(row));
    }
    seen.last = 0;
    // what was not there at the start and is gone again leaves nothing
    entry = seen.first == 0 ? seen_.erase(entry) : std::next(entry);
  }
  is_started_ = true;
}

}  // namespace pobpf
