// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/symbol_ranges.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace pobpf {

void SymbolRanges::add(std::uint64_t address, bool is_wanted) {
  if (address != address_) {
    close(address);
    address_ = address;
    is_wanted_ = false;
  }
  is_wanted_ |= is_wanted;
}

void SymbolRanges::close(std::uint64_t end) {
  if (is_wanted_) ranges_.push_back({address_, end});
  is_wanted_ = false;
}

std::vector<AddressRange> SymbolRanges::within(std::span<const AddressRange> texts) && {
  close(std::numeric_limits<std::uint64_t>::max());
  std::vector<AddressRange> ranges;
  for (const AddressRange& range : ranges_) {
    const auto text = std::find_if(texts.begin(), texts.end(), [&](const AddressRange& candidate) {
      return candidate.begin <= range.begin && range.begin < candidate.end;
    });
    if (text != texts.end()) ranges.push_back({range.begin, std::min(range.end, text->end)});
  }
  return joined(std::move(ranges));
}

std::vector<AddressRange> joined(std::vector<AddressRange> ranges) {
  std::erase_if(ranges, [](const AddressRange& range) { return range.begin >= range.end; });
  std::sort(ranges.begin(), ranges.end(),
            [](const AddressRange& a, const AddressRange& b) { return a.begin < b.begin; });
  std::vector<AddressRange> result;
  for (const AddressRange& range : ranges) {
    if (!result.empty() && range.begin <= result.back().end)
      result.back().end = std::max(result.back().end, range.end);
    else
      result.push_back(range);
  }
  return result;
}

void SymbolStream::feed(std::span<const std::byte> bytes) {
  partial_.insert(partial_.end(), bytes.begin(), bytes.end());
  std::size_t at = 0;
  while (partial_.size() - at >= sizeof(pobpf_symbol)) {
    pobpf_symbol symbol{};
    std::memcpy(&symbol, partial_.data() + at, sizeof(symbol));
    std::size_t next = at + sizeof(symbol);
    std::string_view name;
    if (symbol.has_name != 0) {
      const auto* const begin = reinterpret_cast<const char*>(partial_.data()) + next;
      const void* const end = std::memchr(begin, 0, partial_.size() - next);
      if (end == nullptr) break;
      name = {begin, static_cast<std::size_t>(static_cast<const char*>(end) - begin)};
      next += name.size() + 1;
    }
    on_symbol_(symbol, name);
    at = next;
  }
  partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(at));
}

Status SymbolStream::finish() const {
  if (partial_.empty()) return {};
  return fail(ErrorKind::kFailed, "the list of kernel symbols ends in the middle of a symbol",
              "report this: the programs and the loader do not fit each other");
}

}  // namespace pobpf
