// SPDX-License-Identifier: GPL-2.0-only
#include "model/page_report.h"

#include <cstring>

#include "model/flag_text.h"

namespace pobpf {
namespace {

constexpr std::uint64_t kMappingAnon = 1;     // FOLIO_MAPPING_ANON
constexpr std::uint64_t kMappingMovable = 2;  // PAGE_MAPPING_MOVABLE; with the other bit: KSM
constexpr std::uint64_t kMappingFlags = 3;

std::string_view kind_of(const pobpf_page_dump& raw, const PageReport& report,
                         const KernelFacts& facts) {
  if (report.state == PageState::kFree || report.state == PageState::kFreed) return "free";
  if (!report.page_type.empty()) return report.page_type == "buddy" ? "free" : report.page_type;
  if (raw.slab_cache[0] != '\0' || has_page_flag(raw.head.flags, "slab", facts)) return "slab";
  if (has_page_flag(raw.page.flags, "reserved", facts)) return "reserved";
  if (report.is_compound && (raw.bits & POBPF_DUMP_HUGETLB) != 0) return "hugetlb";
  switch (raw.head.mapping & kMappingFlags) {
    case kMappingAnon:
      return "anonymous";
    case kMappingMovable:
      return "movable";
    case kMappingFlags:
      return "ksm";
    default:
      break;
  }
  return (raw.bits & POBPF_DUMP_INODE) == 0 ? "kernel" : "file";
}

/// Mappings of the compound page as a whole that count for each of its pages.
std::int64_t entire_mappings_of_page(const pobpf_page_dump& raw, const PageReport& report,
                                     const KernelFacts& facts) {
  if ((raw.bits & POBPF_DUMP_ENTIRE_COUNT) != 0) return report.entire_mapcount;
  // before v6.3 (__page_mapcount()): a file's pages count them themselves, and anonymous pages that
  // are mapped both ways (PG_double_map, alias PG_workingset of the second page) count one too many
  if (report.kind != "anonymous" && report.kind != "hugetlb") return 0;
  const bool is_double_mapped = has_page_flag(raw.second_flags, "workingset", facts);
  return report.entire_mapcount - (is_double_mapped ? 1 : 0);
}

PageState state_of(const pobpf_page_dump& raw) {
  if ((raw.bits & POBPF_DUMP_ABSENT) != 0) return PageState::kAbsent;
  if ((raw.bits & POBPF_DUMP_OFFLINE) != 0) return PageState::kOffline;
  if ((raw.bits & POBPF_DUMP_UNREADABLE) != 0) return PageState::kUnreadable;
  // read_page_owner() asks the buddy allocator first, too
  if ((raw.bits & POBPF_DUMP_BUDDY) != 0) return PageState::kFree;
  if ((raw.owner.bits & POBPF_OWNER_SET) == 0) return PageState::kUnowned;
  if ((raw.owner.bits & POBPF_OWNER_ALLOCATED) == 0) return PageState::kFreed;
  return raw.owner_head_pfn == raw.pfn ? PageState::kAllocated : PageState::kTail;
}

}  // namespace

pobpf_slab_test make_slab_test(const PageTypes& types, const KernelFacts& facts) {
  pobpf_slab_test test{};
  for (const FlagName& flag : facts.page_flag_names)
    if (flag.name == "slab") test.flag = flag.mask;
  for (const auto& [value, name] : types.names) {
    if (name != "slab") continue;
    const bool is_top_byte = types.encoding == PageTypes::Encoding::kTopByte;
    test.type_mask = is_top_byte ? 0xff000000 : types.base | value;
    test.type_value = is_top_byte ? value << 24 : types.base;
  }
  return test;
}

const char* page_state_name(PageState state) {
  switch (state) {
    case PageState::kAllocated:
      return "allocated";
    case PageState::kTail:
      return "tail";
    case PageState::kFree:
      return "free";
    case PageState::kFreed:
      return "freed";
    case PageState::kUnowned:
      return "unowned";
    case PageState::kOffline:
      return "offline";
    case PageState::kAbsent:
      return "absent";
    case PageState::kUnrecorded:
      return "unrecorded";
    case PageState::kUnreadable:
      break;
  }
  return "unreadable";
}

bool has_struct_page(PageState state) {
  return state != PageState::kAbsent && state != PageState::kOffline &&
         state != PageState::kUnreadable && state != PageState::kUnrecorded;
}

PageDump make_page_dump(const RecordedPage& page, std::optional<std::uint64_t> now_ns) {
  PageDump dump;
  dump.now_ns = now_ns;
  dump.recorded = page.fields;
  dump.nr_further_records = page.nr_further_records;
  pobpf_page_dump& raw = dump.raw;
  raw.pfn = page.pfn;
  if (page.fields == 0) return dump;
  const pobpf_page& record = page.record;
  raw.owner_head_pfn = record.pfn;
  raw.page.flags = record.flags;
  raw.head.flags = page.detail.kind_flags;
  raw.head.page_type = page.detail.page_type;
  raw.head.mapping = page.detail.mapping;
  raw.pageblock_migratetype = record.pageblock_migratetype;
  raw.memcg_flags = record.memcg_flags;
  if (is_charge_unknown(record.memcg_flags)) raw.bits |= POBPF_DUMP_NO_CGROUP;
  raw.cgroup_id = record.cgroup_id;
  pobpf_owner& owner = raw.owner;
  owner.bits = POBPF_OWNER_PRESENT | POBPF_OWNER_SET;
  if (!is_freed(record)) owner.bits |= POBPF_OWNER_ALLOCATED;
  owner.ts_nsec = record.ts_nsec;
  owner.free_ts_nsec = record.free_ts_nsec;
  owner.gfp_mask = record.gfp_mask;
  owner.handle = record.handle;
  owner.pid = record.pid;
  owner.tgid = record.tgid;
  owner.order = record.order;
  owner.last_migrate_reason = record.last_migrate_reason;
  std::memcpy(owner.comm, record.comm, sizeof(owner.comm));
  owner.free_handle = page.detail.free_handle;
  owner.free_pid = page.detail.free_pid;
  owner.free_tgid = page.detail.free_tgid;
  if (page.detail.has_free_pid != 0) owner.bits |= POBPF_OWNER_FREE_PID;
  return dump;
}

PageReport make_page_report(const pobpf_page_dump& raw, const KernelFacts& facts,
                            const PageTypes& types) {
  PageReport report;
  report.pfn = raw.pfn;
  report.state = state_of(raw);
  report.first_pfn = raw.pfn;
  if (!has_struct_page(report.state)) return report;

  if (report.state == PageState::kFree) report.first_pfn = raw.buddy_pfn;
  if (report.state == PageState::kTail) report.first_pfn = raw.owner_head_pfn;
  report.is_compound =
      (raw.bits & POBPF_DUMP_TAIL) != 0 || has_page_flag(raw.head.flags, "head", facts);
  report.page_type = types.name(raw.head.page_type);
  report.kind = kind_of(raw, report, facts);
  report.refcount = raw.head.refcount;
  report.index = raw.head.index + (raw.pfn - raw.compound_pfn);
  if (!types.has_type(raw.page.page_type))
    report.mapcount = std::int64_t{static_cast<std::int32_t>(raw.page.page_type)} + 1;
  if (report.is_compound) {
    report.entire_mapcount = std::int64_t{raw.entire_mapcount} + 1;
    report.mapcount += entire_mappings_of_page(raw, report, facts);
  }
  report.has_owner = (raw.owner.bits & POBPF_OWNER_SET) != 0;
  // the kernel saves a stack with each free
  report.has_free = report.has_owner && raw.owner.free_handle != 0;
  return report;
}

PageReport make_page_report(const PageDump& dump, const KernelFacts& facts,
                            const PageTypes& types) {
  const pobpf_page_dump& raw = dump.raw;
  if (!dump.recorded) return make_page_report(raw, facts, types);
  PageReport report;
  report.pfn = report.first_pfn = raw.pfn;
  report.state = PageState::kUnrecorded;
  if (*dump.recorded == 0) return report;
  report.state = raw.owner_head_pfn == raw.pfn ? PageState::kAllocated : PageState::kTail;
  if ((raw.owner.bits & POBPF_OWNER_ALLOCATED) == 0) report.state = PageState::kFreed;
  report.first_pfn = raw.owner_head_pfn;
  report.has_owner = true;
  const bool has_free_side = has_field(*dump.recorded, PageField::kFreeSide);
  report.has_free =
      (has_free_side && raw.owner.free_handle != 0) ||
      (has_field(*dump.recorded, PageField::kFreeTsNsec) && raw.owner.free_ts_nsec != 0);
  if (!has_field(*dump.recorded, PageField::kKind)) return report;
  report.page_type = types.name(raw.head.page_type);
  report.kind = kind_of(raw, report, facts);
  // a record says that there is a file, but not which
  if (report.kind == "kernel" && raw.head.mapping == POBPF_MAPPING_FILE) report.kind = "file";
  return report;
}

bool is_same_page(const pobpf_page_dump& a, const pobpf_page_dump& b) {
  return a.bits == b.bits && a.buddy_pfn == b.buddy_pfn && a.buddy_order == b.buddy_order &&
         a.compound_pfn == b.compound_pfn && a.head.mapping == b.head.mapping &&
         a.head.index == b.head.index && a.cgroup_id == b.cgroup_id && a.inode == b.inode &&
         std::memcmp(&a.owner, &b.owner, sizeof(a.owner)) == 0 &&
         std::memcmp(&a.owner_head, &b.owner_head, sizeof(a.owner_head)) == 0;
}

}  // namespace pobpf
