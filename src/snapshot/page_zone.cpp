// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_zone.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "model/flag_text.h"

namespace pobpf {
namespace {

/// 3 of "node=3"; no value for any other text.
std::optional<std::uint32_t> number_behind(std::string_view part, std::string_view name) {
  if (!part.starts_with(name)) return std::nullopt;
  part.remove_prefix(name.size());
  std::uint32_t number = 0;
  const char* const end = part.data() + part.size();
  const auto result = std::from_chars(part.data(), end, number);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

PageZones::PageZones(const KernelFacts& facts) : facts_(&facts) {
  for (auto [field, name] : {std::pair(&node_, "node"), {&zone_, "zone"}})
    if (const PageFlagField* found = facts.field(name); found != nullptr)
      *field = {found->shift, found->mask};
}

PageZone PageZones::imported(std::uint64_t flags) {
  if (std::exchange(version_, facts_->version()) != facts_->version()) known_.clear();
  if (const auto known = known_.find(flags); known != known_.end()) return known->second;
  const auto text = facts_->texts->page_flags.find(flags);
  // it may come later
  if (text == facts_->texts->page_flags.end()) return {};
  PageZone& page_zone = known_[flags];
  for (const std::string_view part : split_flag_names(text->second)) {
    if (const auto nid = number_behind(part, "node=")) page_zone.nid = nid;
    if (const auto zone = number_behind(part, "zone=")) page_zone.zone = zone;
  }
  return page_zone;
}

}  // namespace pobpf
