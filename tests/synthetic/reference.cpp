// SPDX-License-Identifier: GPL-2.0-only
#include "synthetic/reference.h"

#include <algorithm>

namespace pobpf::synthetic {
namespace {

constexpr std::uint64_t kMaxOrderPages = 1ULL << kMaxPageOrder;
constexpr unsigned kOwnerOrderMax = 30;

pobpf_page record_of(const Machine& machine, std::uint64_t pfn, const ExtView& ext) {
  pobpf_page record{};
  record.kind = POBPF_ITEM_PAGE;
  record.order = ext.order;
  record.last_migrate_reason = ext.last_migrate_reason;
  record.pageblock_migratetype = static_cast<__u8>(machine.pageblock_migratetype(pfn));
  record.pfn = pfn;
  record.flags = machine.page(pfn).flags;
  record.ts_nsec = ext.ts_nsec;
  record.free_ts_nsec = ext.free_ts_nsec;
  record.gfp_mask = ext.gfp_mask;
  record.handle = ext.handle;
  record.pid = ext.pid;
  record.tgid = ext.tgid;
  std::copy(ext.comm.begin(), ext.comm.end(), record.comm);
  return record;
}

}  // namespace

Expected expected_of(const Machine& machine, const std::vector<PfnRange>& walked,
                     const Verdict& verdict) {
  Expected expected;
  Account& account = expected.account;
  for (const PfnRange& range : walked) account.pages += range.size();
  const auto nr_walked = [&](std::uint64_t begin, std::uint64_t end) {
    std::uint64_t nr = 0;
    for (const PfnRange& range : intersection({{begin, end}}, walked)) nr += range.size();
    return nr;
  };
  for (std::uint64_t pfn = 0; pfn < machine.max_pfn(); ++pfn) {
    if (pfn % kMaxOrderPages == 0 && !machine.is_valid(pfn)) {
      account.absent += nr_walked(pfn, pfn + kMaxOrderPages);
      pfn += kMaxOrderPages - 1;
      continue;
    }
    if (!machine.is_valid(pfn)) {
      account.absent += nr_walked(pfn, pfn + 1);
      continue;
    }
    if (machine.is_buddy(pfn)) {
      const std::uint64_t order = machine.page(pfn).private_word;
      const std::uint64_t nr_pages = order <= kMaxPageOrder ? 1ULL << order : 1;
      account.free += nr_walked(pfn, pfn + nr_pages);
      pfn += nr_pages - 1;
      continue;
    }
    if (nr_walked(pfn, pfn + 1) == 0) continue;
    if (!machine.has_page_ext(pfn >> kSectionShift)) {
      ++account.offline;
      continue;
    }
    const ExtView ext = machine.ext(pfn);
    if ((ext.flags & kExtOwner) == 0) {
      ++account.unowned;
    } else if ((ext.flags & kExtOwnerAllocated) == 0) {
      ++account.freed;
    } else if (ext.order > kOwnerOrderMax) {
      ++account.torn;
    } else if (pfn % (1ULL << ext.order) != 0) {
      ++account.tail;
    } else if (ext.handle == 0) {
      ++account.no_handle;
    } else {
      const pobpf_page record = record_of(machine, pfn, ext);
      if (const auto filter = verdict ? verdict(record) : std::nullopt) {
        ++account.filtered.at(*filter);
      } else {
        ++account.emitted;
        expected.pages.push_back(record);
      }
    }
  }
  return expected;
}

}  // namespace pobpf::synthetic
