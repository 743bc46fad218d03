// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kernel_names.h"

#include <array>
#include <cctype>
#include <string_view>
#include <utility>

#include "kernel/kernel_memory.h"
#include "kernel/machine_facts.h"

namespace pobpf {
namespace {

std::vector<std::string> names_of(const std::vector<FlagName>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const FlagName& row : rows) names.push_back(row.name);
  return names;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// ___GFP_ZERO_BIT: __GFP_ZERO.
std::vector<std::string> gfp_of(const KernelBtf& btf) {
  constexpr std::string_view kPrefix = "___GFP_";
  constexpr std::string_view kSuffix = "_BIT";
  std::vector<std::string> names;
  for (const auto& [enumerator, bit] : btf.enumerators_beside("___GFP_DMA_BIT")) {
    const std::string_view name = enumerator;
    // those end the enum and fill a hole in it
    if (name == "___GFP_LAST_BIT" || name == "___GFP_UNUSED_BIT") continue;
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix))
      names.emplace_back(name.substr(1, name.size() - 1 - kSuffix.size()));
  }
  return names;
}

/// PG_locked: locked. A bit's first name is that of the kernel's table, the others are aliases.
std::vector<std::string> page_flags_of(const KernelBtf& btf) {
  constexpr std::string_view kPrefix = "PG_";
  std::vector<std::string> names;
  std::uint64_t seen = 0;
  for (const auto& [name, bit] : btf.enumerators("pageflags")) {
    if (!name.starts_with(kPrefix) || bit >= 64 || (seen >> bit & 1) != 0) continue;
    seen |= 1ULL << bit;
    names.push_back(name.substr(kPrefix.size()));
  }
  return names;
}

/// MIGRATE_MOVABLE: Movable, except for names that are not just capitalised.
std::vector<std::string> migratetypes_of(const KernelBtf& btf) {
  constexpr std::string_view kPrefix = "MIGRATE_";
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kOthers{
      {{"HIGHATOMIC", "HighAtomic"}, {"CMA", "CMA"}}};
  std::vector<std::string> names;
  std::uint64_t seen = 0;
  for (const auto& [enumerator, value] : btf.enumerators("migratetype")) {
    const std::string_view name =
        std::string_view(enumerator)
            .substr(enumerator.starts_with(kPrefix) ? kPrefix.size() : enumerator.size());
    // MIGRATE_PCPTYPES and _TYPES count
    if (name.empty() || name.ends_with("TYPES") || value >= 64 || (seen >> value & 1) != 0)
      continue;
    seen |= 1ULL << value;
    std::string text = name.front() + lower(name.substr(1));
    for (const auto& [other, its_text] : kOthers)
      if (name == other) text = its_text;
    names.push_back(std::move(text));
  }
  return names;
}

}  // namespace

std::vector<std::string> btf_name_types() { return {"pageflags", "migratetype"}; }

KernelNames names_from_btf(const KernelBtf& btf) {
  return {gfp_of(btf), page_flags_of(btf), migratetypes_of(btf)};
}

KernelNames read_kernel_names() {
  auto types = name_types();
  for (const std::string& type : btf_name_types()) types.push_back(type);
  auto btf = KernelBtf::load(types);
  if (!btf) return {};
  if (auto memory = KernelMemory::open(name_symbols(), symbol_sources(*btf)))
    if (const auto facts = discover_names(*btf, *memory))
      return {names_of(facts->gfp_names), names_of(facts->page_flag_names),
              facts->migratetype_names};
  return names_from_btf(*btf);
}

}  // namespace pobpf
