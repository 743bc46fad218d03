// SPDX-License-Identifier: GPL-2.0-only
#include "model/flag_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace pobpf {
namespace {

/// The names that an import has for the word; null: none.
const std::string* imported_flags(std::uint64_t flags, const KernelFacts& facts) {
  const auto found = facts.texts->page_flags.find(flags);
  return found == facts.texts->page_flags.end() ? nullptr : &found->second;
}

PageFlagParts parse_page_flags(std::string_view text) {
  PageFlagParts parts;
  for (const std::string_view part : split_flag_names(text)) {
    const std::size_t equals = part.find('=');
    std::string_view digits = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    const bool is_hex = digits.starts_with("0x");
    if (is_hex) digits.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
    if (error == std::errc() && end == digits.data() + digits.size())
      parts.fields.emplace_back(part.substr(0, equals), value);
    else
      parts.names.emplace_back(part);
  }
  return parts;
}

}  // namespace

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

bool has_gfp_names(std::uint32_t gfp_mask, const KernelFacts& facts) {
  if (!facts.texts) return true;
  const auto found = facts.texts->gfp.find(gfp_mask);
  return found != facts.texts->gfp.end() && found->second.names;
}

void append_gfp_names(std::string& out, std::uint32_t gfp_mask, const KernelFacts& facts) {
  if (!facts.texts) return append_flag_names(out, gfp_mask, facts.gfp_names);
  const auto found = facts.texts->gfp.find(gfp_mask);
  if (found != facts.texts->gfp.end() && found->second.names) out += *found->second.names;
}

void append_gfp_mask(std::string& out, std::uint32_t gfp_mask, const KernelFacts& facts) {
  fmt::format_to(std::back_inserter(out), "{:#x}", gfp_mask);
  if (!has_gfp_names(gfp_mask, facts)) return;
  out += '(';
  append_gfp_names(out, gfp_mask, facts);
  out += ')';
}

std::vector<std::string_view> split_flag_names(std::string_view names) {
  std::vector<std::string_view> parts;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('|'), names.size());
    parts.push_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return parts;
}

std::optional<std::string_view> name_at(const std::vector<std::string>& names, std::int64_t index) {
  if (index < 0 || static_cast<std::size_t>(index) >= names.size()) return std::nullopt;
  const std::string& name = names[static_cast<std::size_t>(index)];
  if (name.empty()) return std::nullopt;
  return name;
}

PageFlagParts page_flag_parts(std::uint64_t flags, const KernelFacts& facts) {
  if (facts.texts) {
    const std::string* text = imported_flags(flags, facts);
    return text == nullptr ? PageFlagParts() : parse_page_flags(*text);
  }
  PageFlagParts parts;
  std::uint64_t named = 0;
  for (const FlagName& name : facts.page_flag_names) named |= name.mask;
  std::string names;
  append_flag_names(names, flags & named, facts.page_flag_names);
  for (const std::string_view name : split_flag_names(names)) parts.names.emplace_back(name);
  for (const PageFlagField& field : facts.page_flag_fields)
    if (field.width != 0) parts.fields.emplace_back(field.name, flags >> field.shift & field.mask);
  return parts;
}

void append_page_flag_names(std::string& out, std::uint64_t flags, const KernelFacts& facts) {
  if (facts.texts) {
    const PageFlagParts parts = page_flag_parts(flags, facts);
    for (std::size_t i = 0; i < parts.names.size(); ++i)
      out.append(i == 0 ? "" : "|").append(parts.names[i]);
    return;
  }
  std::uint64_t named = 0;
  for (const FlagName& name : facts.page_flag_names) named |= name.mask;
  append_flag_names(out, flags & named, facts.page_flag_names);
}

void append_page_flags(std::string& out, std::uint64_t flags, const KernelFacts& facts) {
  if (facts.texts) {
    fmt::format_to(std::back_inserter(out), "{:#x}", flags);
    if (const std::string* text = imported_flags(flags, facts); text != nullptr)
      out.append(1, '(').append(*text).append(1, ')');
    return;
  }
  fmt::format_to(std::back_inserter(out), "{:#x}(", flags);
  const std::size_t begin = out.size();
  append_page_flag_names(out, flags, facts);
  bool needs_bar = out.size() != begin;
  for (const PageFlagField& field : facts.page_flag_fields) {
    if (field.width == 0) continue;
    if (needs_bar) out += '|';
    needs_bar = true;
    const std::uint64_t value = flags >> field.shift & field.mask;
    if (field.is_hex)
      fmt::format_to(std::back_inserter(out), "{}={:#x}", field.name, value);
    else
      fmt::format_to(std::back_inserter(out), "{}={}", field.name, value);
  }
  out += ')';
}

bool has_page_flag(std::uint64_t flags, std::string_view name, const KernelFacts& facts) {
  for (const FlagName& flag : facts.page_flag_names)
    if (flag.name == name) return (flags & flag.mask) != 0;
  return false;
}

bool has_page_flag_names(std::uint64_t flags, PageFields fields, const KernelFacts& facts) {
  if (!has_field(fields, PageField::kFlags) && !has_field(fields, PageField::kFlagNames))
    return false;
  return !facts.texts || imported_flags(flags, facts) != nullptr;
}

void append_recorded_page_flags(std::string& out, std::uint64_t flags, PageFields fields,
                                const KernelFacts& facts) {
  if (has_field(fields, PageField::kFlags)) return append_page_flags(out, flags, facts);
  if (!facts.texts || !has_page_flag_names(flags, fields, facts)) return;
  out.append(1, '(').append(*imported_flags(flags, facts)).append(1, ')');
}

unsigned gfp_migratetype(std::uint32_t gfp_mask, const KernelFacts& facts) {
  if (facts.texts) {
    const auto found = facts.texts->gfp.find(gfp_mask);
    return found == facts.texts->gfp.end()
               ? kUnknownMigratetype
               : found->second.migratetype.value_or(kUnknownMigratetype);
  }
  if (facts.is_mobility_grouping_disabled) return 0;
  return gfp_mask >> facts.gfp_migratetype_shift & facts.gfp_migratetype_mask;
}

std::uint64_t page_flag_field(std::uint64_t flags, const char* name, const KernelFacts& facts) {
  if (facts.texts) {
    const PageFlagParts parts = page_flag_parts(flags, facts);
    for (const auto& [known, value] : parts.fields)
      if (known == name) return value;
    return 0;
  }
  const PageFlagField* field = facts.field(name);
  return field == nullptr ? 0 : flags >> field->shift & field->mask;
}

}  // namespace pobpf
