// SPDX-License-Identifier: GPL-2.0-only
#include "model/flag_text.h"

#include <fmt/format.h>

#include <iterator>

namespace pobpf {

void append_flag_names(std::string& out, std::uint64_t flags, const std::vector<FlagName>& names) {
  for (const FlagName& name : names) {
    if (flags == 0) return;
    if ((flags & name.mask) != name.mask) continue;
    out += name.name;
    flags &= ~name.mask;
    if (flags != 0) out += '|';
  }
  if (flags != 0) fmt::format_to(std::back_inserter(out), "{:#x}", flags);
}

void append_page_flag_names(std::string& out, std::uint64_t flags, const KernelFacts& facts) {
  std::uint64_t named = 0;
  for (const FlagName& name : facts.page_flag_names) named |= name.mask;
  append_flag_names(out, flags & named, facts.page_flag_names);
}

void append_page_flags(std::string& out, std::uint64_t flags, const KernelFacts& facts) {
  fmt::format_to(std::back_inserter(out), "{:#x}(", flags);
  const std::size_t begin = out.size();
  append_page_flag_names(out, flags, facts);
  bool needs_bar = out.size() != begin;
  for (const PageFlagField& field : facts.page_flag_fields) {
    if (field.width == 0) continue;
    if (needs_bar) out += '|';
    needs_bar = true;
    const std::uint64_t value = flags >> field.shift & field.mask;
    if (is_hex_page_flag_field(field))
      fmt::format_to(std::back_inserter(out), "{}={:#x}", field.name, value);
    else
      fmt::format_to(std::back_inserter(out), "{}={}", field.name, value);
  }
  out += ')';
}

bool is_hex_page_flag_field(const PageFlagField& field) {
  return field.name == "lastcpupid" || field.name == "kasantag";
}

unsigned gfp_migratetype(std::uint32_t gfp_mask, const KernelFacts& facts) {
  if (facts.is_mobility_grouping_disabled) return 0;
  return gfp_mask >> 3 & 3;
}

std::uint64_t page_flag_field(std::uint64_t flags, const char* name, const KernelFacts& facts) {
  const PageFlagField* field = facts.field(name);
  return field == nullptr ? 0 : flags >> field->shift & field->mask;
}

}  // namespace pobpf
