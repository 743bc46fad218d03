// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/page_block.h"

#include <fstream>
#include <sstream>
#include <string_view>

namespace pobpf {

unsigned pageblock_order_from_usage_bytes(std::uint64_t bytes, std::uint64_t struct_bytes,
                                          const pobpf_layout& layout) {
  unsigned found = 0;
  for (unsigned order = 1; order <= layout.max_page_order && order < layout.pfn_section_shift;
       ++order) {
    const std::uint64_t bits = (1ULL << (layout.pfn_section_shift - order)) * layout.pageblock_bits;
    const std::uint64_t bitmap_bytes = (bits + 63) / 64 * 8;
    if (struct_bytes + bitmap_bytes != bytes) continue;
    if (found != 0) return 0;
    found = order;
  }
  return found;
}

Result<PageblockOrder> find_pageblock_order(const KernelBtf& btf, KernelMemory& memory,
                                            const pobpf_layout& layout,
                                            const SectionMap& sections) {
  // CONFIG_HUGETLB_PAGE_SIZE_VARIABLE (powerpc, ia64)
  if (const auto variable = memory.symbol("pageblock_order")) {
    const auto order = memory.read_number(*variable, sizeof(std::uint32_t));
    if (order && *order >= 1 && *order <= layout.max_page_order)
      return PageblockOrder{static_cast<unsigned>(*order), "the variable pageblock_order"};
  }
  // Sections present at boot have their struct mem_section_usage one after the other, node by node.
  if (const auto struct_bytes = btf.offset_of("mem_section_usage", "pageblock_flags")) {
    for (const std::uint64_t distance : sections.usage_distances) {
      const unsigned order = pageblock_order_from_usage_bytes(distance, *struct_bytes, layout);
      if (order != 0) return PageblockOrder{order, "the size of the pageblock bitmaps"};
    }
  }
  // The last resort, as the kernel walks all pages of a node before it prints this line.
  std::ifstream pagetypeinfo("/proc/pagetypeinfo");
  std::string line;
  constexpr std::string_view kLabel = "Page block order:";
  while (std::getline(pagetypeinfo, line)) {
    if (!line.starts_with(kLabel)) continue;
    std::istringstream number(line.substr(kLabel.size()));
    unsigned order = 0;
    if (number >> order && order >= 1 && order <= layout.max_page_order)
      return PageblockOrder{order, "/proc/pagetypeinfo"};
  }
  return fail(ErrorKind::kUnsupported, "the kernel's pageblock order cannot be found out",
              "run pobpf as root, which may read /proc/pagetypeinfo");
}

}  // namespace pobpf
