// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/read_budget.h"

#include <algorithm>

#include "snapshot/contradiction.h"

namespace pobpf {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// These are parts of the 64 MiB and 64 times the file that docs/snapshots.md promises; a frame, and
// what it is parsed into, take the rest.
constexpr std::uint64_t kKeptFloor = 8 * kMiB;
constexpr std::uint64_t kKeptFactor = 24;
/// Records that are alike take hardly any room in a file, all the less where a clock counts ticks;
/// those of page cache show some 3,500 times as much as JSON.
constexpr std::uint64_t kRecordsFloor = 1024 * kMiB;
constexpr std::uint64_t kRowsFloor = 64 * kMiB;
constexpr std::uint64_t kShownFactor = 16384;
/// A group takes 260 bytes, and 300 more as a row.
constexpr std::uint64_t kGroupsFloor = 65536;
constexpr std::uint64_t kGroupsDivisor = 24;
constexpr std::uint64_t kRowBytesFloor = 8 * kMiB;
constexpr std::uint64_t kRowBytesFactor = 16;

/// Adds to `sum` unless it would be more than `max`.
bool draw(std::uint64_t& sum, std::uint64_t amount, std::uint64_t max) {
  if (sum > max || amount > max - sum) return false;
  sum += amount;
  return true;
}

tl::unexpected<Error> shows_too_much() {
  return contradiction("it shows more than a file of its size can hold");
}

}  // namespace

std::uint64_t shown_bytes(std::string_view text) {
  constexpr std::uint64_t kEscapeBytes = 6;
  std::uint64_t bytes = 0;
  for (const char c : text)
    bytes += c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? 1 : kEscapeBytes;
  return bytes;
}

Status ReadBudget::keep(std::uint64_t nr_items, std::uint64_t bytes_of_item, std::uint64_t bytes) {
  // neither is more than a frame holds
  if (draw(kept_, nr_items * bytes_of_item + bytes, allowed(kKeptFloor, kKeptFactor))) return {};
  return contradiction("it takes more memory than a file of its size may");
}

Status ReadBudget::show_records(std::uint64_t bytes) {
  if (draw(records_, bytes, allowed(kRecordsFloor, kShownFactor))) return {};
  return shows_too_much();
}

Status ReadBudget::show_rows(std::uint64_t bytes) {
  if (draw(rows_, bytes, allowed(kRowsFloor, kShownFactor))) return {};
  return shows_too_much();
}

std::uint32_t ReadBudget::groups_max() const {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(UINT32_MAX, kGroupsFloor + bytes() / kGroupsDivisor));
}

std::size_t ReadBudget::row_bytes_max() const { return allowed(kRowBytesFloor, kRowBytesFactor); }

}  // namespace pobpf
