// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sections.h"

#include <cstring>
#include <optional>

#include "util/report_hint.h"

namespace pobpf {
namespace {

struct Section {
  std::uint64_t section_nr = 0;
  std::uint64_t usage = 0;  // address of its struct mem_section_usage
  bool is_early = false;    // present since boot
};

}  // namespace

Result<SectionMap> read_sections(const KernelBtf& btf, KernelMemory& memory,
                                 const pobpf_layout& layout) {
  const auto map_at = btf.offset_of("mem_section", "section_mem_map");
  const auto usage_at = btf.offset_of("mem_section", "usage");
  const auto section_bytes = btf.size_of("mem_section");
  if (!map_at || !usage_at || !section_bytes)
    return fail(ErrorKind::kUnsupported, "struct mem_section is not what pobpf knows",
                kReportKernel);
  auto roots = memory.read(layout.mem_section_roots, layout.nr_section_roots * 8);
  if (!roots) return fail(std::move(roots).error());

  SectionMap sections;
  std::optional<Section> last;
  const std::uint64_t per_root = 1ULL << layout.section_root_shift;
  for (std::uint64_t root_nr = 0; root_nr < layout.nr_section_roots; ++root_nr) {
    std::uint64_t root = 0;
    std::memcpy(&root, roots->data() + root_nr * 8, sizeof(root));
    if (root == 0) continue;
    auto bytes = memory.read(root, per_root * *section_bytes);
    if (!bytes) return fail(std::move(bytes).error());
    for (std::uint64_t i = 0; i < per_root; ++i) {
      const std::byte* section = bytes->data() + i * *section_bytes;
      std::uint64_t map = 0;
      std::uint64_t usage = 0;
      std::memcpy(&map, section + *map_at, sizeof(map));
      std::memcpy(&usage, section + *usage_at, sizeof(usage));
      if ((map & layout.section_has_mem_map) == 0) continue;
      const Section here{root_nr * per_root + i, usage, (map & layout.section_is_early) != 0};
      const std::uint64_t begin = here.section_nr << layout.pfn_section_shift;
      const std::uint64_t end = (here.section_nr + 1) << layout.pfn_section_shift;
      if (sections.present.empty() || sections.present.back().end != begin)
        sections.present.push_back({begin, end});
      else
        sections.present.back().end = end;
      if (last && last->section_nr + 1 == here.section_nr && last->is_early && here.is_early &&
          last->usage < here.usage)
        sections.usage_distances.insert(here.usage - last->usage);
      last = here;
    }
  }
  return sections;
}

}  // namespace pobpf
