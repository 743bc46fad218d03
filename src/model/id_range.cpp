// SPDX-License-Identifier: GPL-2.0-only
#include "model/id_range.h"

#include <fmt/format.h>

#include "model/name_list.h"
#include "model/pfn_text.h"

namespace pobpf {
namespace {

/// One end of the range `whole`, which messages show.
Result<std::uint32_t> parse_id(std::string_view text, std::string_view whole, std::uint32_t max) {
  const auto number = parse_number(text);
  // without a hint: a number, but one over 64 bits
  if (!number && !number.error().hint.empty())
    return fail(ErrorKind::kUsage,
                fmt::format("'{}' is neither a number nor a range", shown(whole)),
                "give 7, 7-9, or 7- for all from 7 on; decimal, or hexadecimal with 0x");
  if (!number || *number > max)
    return fail(ErrorKind::kUsage,
                fmt::format("{} is too large, the most is {}", shown(text), max));
  return static_cast<std::uint32_t>(*number);
}

Result<IdRange> parse_id_range(std::string_view range, std::uint32_t max) {
  const std::size_t dash = range.find('-');
  auto first = parse_id(range.substr(0, dash), range, max);
  if (!first) return fail(std::move(first).error());
  if (dash == std::string_view::npos) return IdRange{*first, *first};
  const auto behind = range.substr(dash + 1);
  if (behind.empty()) return IdRange{*first, max};
  auto last = parse_id(behind, range, max);
  if (!last) return fail(std::move(last).error());
  if (*last < *first)
    return fail(ErrorKind::kUsage, fmt::format("the range '{}' runs backwards", shown(range)));
  return IdRange{*first, *last};
}

}  // namespace

Result<std::vector<IdRange>> parse_id_ranges(std::string_view text, std::uint32_t max) {
  auto parts = split_list(text, ",");
  if (!parts) return fail(std::move(parts).error());
  std::vector<IdRange> ranges;
  for (const std::string& part : *parts) {
    auto range = parse_id_range(part, max);
    if (!range) return fail(std::move(range).error());
    ranges.push_back(*range);
  }
  return ranges;
}

std::uint64_t count_ids(const std::vector<IdRange>& ranges) {
  std::uint64_t count = 0;
  for (const IdRange& range : ranges) count += std::uint64_t{range.last} - range.first + 1;
  return count;
}

}  // namespace pobpf
