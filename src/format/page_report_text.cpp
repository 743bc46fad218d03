// SPDX-License-Identifier: GPL-2.0-only
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>

#include "format/page_report_formatter.h"
#include "model/duration.h"
#include "model/flag_text.h"
#include "util/bounded.h"
#include "util/escape.h"

namespace pobpf {
namespace {

std::string name_or_number(const std::vector<std::string>& names, std::int64_t index) {
  const auto name = name_at(names, index);
  return name ? std::string(*name) : fmt::format("unknown({})", index);
}

std::string seconds(std::uint64_t ns) {
  return fmt::format("{}.{:09}", ns / kSecondNs, ns % kSecondNs);
}

std::string pages(std::uint64_t order) {
  return fmt::format("order {}, {} page{}", order, 1ULL << (order & 63), order == 0 ? "" : "s");
}

class TextReport {
 public:
  TextReport(std::string& out, const PageDump& dump, const PageReportSource& source)
      : out_(out),
        dump_(dump),
        raw_(dump.raw),
        source_(source),
        report_(make_page_report(dump, source.facts, source.names.types)) {}

  Status run() {
    fmt::format_to(std::back_inserter(out_), "PFN {:#x} ({})", report_.pfn, report_.pfn);
    if (source_.page_shift != 0)
      fmt::format_to(std::back_inserter(out_), ", physical address {:#x}",
                     report_.pfn << source_.page_shift);
    out_ += '\n';
    line("state", state());
    if (dump_.has_changed)
      line("note", "changed while it was read: not all of this belongs together");
    if (dump_.nr_further_records != 0)
      line("note", fmt::format("{} more record{} of the snapshot ha{} this page",
                               dump_.nr_further_records, dump_.nr_further_records == 1 ? "" : "s",
                               dump_.nr_further_records == 1 ? "s" : "ve"));
    if (dump_.recorded) {
      if (has_struct_page(report_.state)) record();
    } else if (has_struct_page(report_.state)) {
      struct_page();
      owner();
    }
    out_ += '\n';
    return std::move(status_);
  }

 private:
  void line(std::string_view key, std::string_view value) {
    fmt::format_to(std::back_inserter(out_), "  {:<16}{}\n", fmt::format("{}:", key),
                   escaped(value));
  }
  void sub_line(std::string_view key, std::string_view value) {
    fmt::format_to(std::back_inserter(out_), "    {:<14}{}\n", fmt::format("{}:", key),
                   escaped(value));
  }
  void failed(Error error) {
    if (status_) status_ = fail(std::move(error));
  }
  [[nodiscard]] bool has(PageField field) const {
    return has_field(dump_.recorded.value_or(dump_.live_fields), field);
  }

  [[nodiscard]] std::string state() const {
    switch (report_.state) {
      case PageState::kAllocated:
        return "allocated";
      case PageState::kTail:
        return fmt::format("allocated, tail: page {} of the allocation at PFN {:#x}",
                           report_.pfn - report_.first_pfn, report_.first_pfn);
      case PageState::kFree:
        return fmt::format("free, in the buddy lists: block of order {} at PFN {:#x}",
                           raw_.buddy_order, report_.first_pfn);
      case PageState::kFreed:
        return dump_.recorded ? "freed: what follows is of its last allocation"
                              : "freed, but not in the buddy lists (a per-CPU list, or on its way)";
      case PageState::kUnowned:
        return "unowned: page_owner has never seen it (memory of early boot, a hole)";
      case PageState::kOffline:
        return "offline memory";
      case PageState::kAbsent:
        return "absent: no memory there";
      case PageState::kUnrecorded:
        return "not in the snapshot: free, unknown to page_owner, or kept out by a filter";
      case PageState::kUnreadable:
        break;
    }
    return "unreadable: its struct page cannot be read";
  }

  void struct_page() {
    const KernelFacts& facts = source_.facts;
    line("kind", kind());
    zone();
    pageblock();
    std::string flags;
    append_page_flags(flags, raw_.page.flags, facts);
    line("flags", flags);
    if (raw_.compound_pfn != report_.pfn) {
      flags.clear();
      append_page_flags(flags, raw_.head.flags, facts);
      line("head's flags", flags);
    }
    line("refcount", fmt::format("{}", report_.refcount));
    line("mapcount", fmt::format("{}", report_.mapcount));
    if (report_.is_compound) compound();
    if (report_.kind == "anonymous" || report_.kind == "ksm" || (raw_.bits & POBPF_DUMP_INODE) != 0)
      line("index", fmt::format("{:#x}", report_.index));
    memcg();
  }

  void compound() {
    std::string text =
        fmt::format("{} at PFN {:#x}, mapped {} times as a whole", pages(raw_.compound_order),
                    raw_.compound_pfn, report_.entire_mapcount);
    if ((raw_.bits & POBPF_DUMP_NO_PINCOUNT) == 0)
      text += fmt::format(", pinned {} times", raw_.pincount);
    line("compound", text);
  }

  void zone() {
    const auto zone = page_flag_field(raw_.page.flags, "zone", source_.facts);
    line("zone", fmt::format("{}, node {}",
                             name_or_number(source_.names.zones, static_cast<std::int64_t>(zone)),
                             page_flag_field(raw_.page.flags, "node", source_.facts)));
  }

  void pageblock() {
    const KernelFacts& facts = source_.facts;
    const auto block = facts.pageblock(report_.pfn);
    line("pageblock",
         fmt::format("{}{}", block ? fmt::format("{}, ", *block) : "",
                     name_or_number(facts.migratetype_names, raw_.pageblock_migratetype)));
  }

  /// All that a snapshot has of the allocation.
  void record() {
    const KernelFacts& facts = source_.facts;
    const bool is_first = report_.pfn == report_.first_pfn;
    const bool is_allocated = report_.state != PageState::kFreed;
    if (has(PageField::kKind)) line("kind", report_.kind);
    // an import has the names of its flags in one text
    if (has(PageField::kFlags) && !facts.texts) zone();
    if (has(PageField::kPageblockMigratetype) &&
        facts.pageblock(report_.pfn) == facts.pageblock(report_.first_pfn))
      pageblock();
    std::string flags;
    append_recorded_page_flags(flags, raw_.page.flags, *dump_.recorded, facts);
    if (!flags.empty()) line(is_first ? "flags" : "head's flags", flags);
    if (has(PageField::kMemcg)) memcg();
    allocation(is_allocated ? "allocated" : "last allocated", raw_.owner);
    if (has(PageField::kLastMigrateReason)) migration();
    if (has(PageField::kFreeSide) || has(PageField::kFreeTsNsec))
      last_free(is_allocated ? "freed before" : "freed");
  }

  [[nodiscard]] std::string kind() const {
    if (raw_.slab_cache[0] != '\0')
      return fmt::format("{}, cache {}", report_.kind,
                         bounded(raw_.slab_cache, sizeof(raw_.slab_cache)));
    if ((raw_.bits & POBPF_DUMP_INODE) == 0) return std::string(report_.kind);
    const auto name = bounded(raw_.file_name, sizeof(raw_.file_name));
    return fmt::format("{}, {} on {} ({}), inode {}", report_.kind,
                       name.empty() ? "without a name" : fmt::format("\"{}\"", name),
                       bounded(raw_.filesystem, sizeof(raw_.filesystem)),
                       bounded(raw_.s_id, sizeof(raw_.s_id)), raw_.inode);
  }

  void memcg() {
    if ((raw_.bits & POBPF_DUMP_NO_CGROUP) != 0) {
      line("memcg", "charged, but it cannot be told to which");
      failed({ErrorKind::kFailed,
              fmt::format("the cgroup of PFN {:#x} is not known", report_.pfn),
              {},
              0});
      return;
    }
    if ((raw_.memcg_flags & POBPF_MEMCG_SLAB) != 0) line("memcg", "objects charged one by one");
    if ((raw_.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return;
    auto path = source_.context.cgroup_path(raw_.cgroup_id);
    if (!path) failed(path.error());
    std::vector<std::string> notes;
    // an import's numbers are its own
    if (!source_.facts.texts) notes.push_back(fmt::format("id {}", raw_.cgroup_id));
    if ((raw_.memcg_flags & POBPF_MEMCG_OFFLINE) != 0) notes.emplace_back("offline");
    if ((raw_.memcg_flags & POBPF_MEMCG_OBJCG) != 0) notes.emplace_back("via objcg");
    line("memcg", fmt::format("{}{}", path ? *path : "?",
                              notes.empty() ? "" : fmt::format(" ({})", fmt::join(notes, ", "))));
  }

  void owner() {
    if (!report_.has_owner) {
      if (report_.state == PageState::kFree) line("last owner", "none that page_owner has seen");
      return;
    }
    const bool is_allocated =
        report_.state == PageState::kAllocated || report_.state == PageState::kTail;
    allocation(is_allocated ? "allocated" : "last allocated", raw_.owner);
    migration();
    if (report_.state == PageState::kTail) head_of_allocation();
    last_free(is_allocated ? "freed before" : "freed");
  }

  void migration() {
    if (raw_.owner.last_migrate_reason == source_.facts.migrate_reason_never) return;
    sub_line("migrated",
             name_or_number(source_.facts.migrate_reason_names, raw_.owner.last_migrate_reason));
  }

  void last_free(std::string_view key) {
    if (!report_.has_free) {
      line("last freed", "never, as far as page_owner knows");
      return;
    }
    line(key, "");
    out_.erase(out_.find_last_not_of(" \n") + 1) += '\n';
    if (!has(PageField::kFreeSide))
      sub_line("by", "not in the snapshot: pobpf record --free");
    else if ((raw_.owner.bits & POBPF_OWNER_FREE_PID) != 0)
      sub_line("by", fmt::format("pid {}, tgid {}", raw_.owner.free_pid, raw_.owner.free_tgid));
    else
      sub_line("by", "not recorded by this kernel");
    if (has(PageField::kFreeTsNsec)) sub_line("at", time(raw_.owner.free_ts_nsec));
    if (has(PageField::kFreeSide)) stack(raw_.owner.free_handle);
  }

  void allocation(std::string_view key, const pobpf_owner& owner) {
    line(key, has(PageField::kOrder) ? pages(owner.order) : "of an order that is not known");
    if (has(PageField::kGfpMask)) sub_line("gfp", gfp(owner.gfp_mask));
    std::vector<std::string> ids;
    if (has(PageField::kPid)) ids.push_back(fmt::format("pid {}", owner.pid));
    if (has(PageField::kTgid)) ids.push_back(fmt::format("tgid {}", owner.tgid));
    std::string by = fmt::format("{}", fmt::join(ids, ", "));
    if (has(PageField::kComm))
      by += fmt::format("{}({})", by.empty() ? "" : " ", bounded(owner.comm, sizeof(owner.comm)));
    if (!by.empty()) sub_line("by", by);
    if (has(PageField::kTsNsec)) sub_line("at", time(owner.ts_nsec));
    if (has(PageField::kHandle)) stack(owner.handle);
  }

  [[nodiscard]] std::string gfp(std::uint32_t mask) const {
    const KernelFacts& facts = source_.facts;
    std::string text;
    append_gfp_mask(text, mask, facts);
    if (const unsigned migratetype = gfp_migratetype(mask, facts);
        migratetype != kUnknownMigratetype)
      text += ", migratetype " + name_or_number(facts.migratetype_names, migratetype);
    return text;
  }

  void head_of_allocation() {
    const pobpf_owner& head = raw_.owner_head;
    const pobpf_owner& own = raw_.owner;
    const auto key = fmt::format("PFN {:#x}", report_.first_pfn);
    if ((head.bits & POBPF_OWNER_ALLOCATED) == 0)
      line("head", key + " is not allocated (any more)");
    else if (head.handle == own.handle && head.ts_nsec == own.ts_nsec && head.order == own.order &&
             head.pid == own.pid)
      line("head", key + ", the same allocation");
    else
      allocation("head", head);
  }

  /// In seconds of local_clock(), as dmesg has them.
  [[nodiscard]] std::string time(std::uint64_t ns) const {
    if (ns == 0) return "early boot, when no clock ran";
    std::string text = seconds(ns) + " s";
    if (dump_.now_ns && *dump_.now_ns >= ns)
      text += fmt::format(", {} s {}", seconds(*dump_.now_ns - ns),
                          dump_.recorded ? "before the recording" : "ago");
    return text;
  }

  void stack(std::uint32_t handle) {
    if (handle == 0) {
      sub_line("stack", "was not saved");
      return;
    }
    auto found = source_.context.stack(handle);
    if (!found) {
      sub_line("stack", fmt::format("handle {} cannot be read", handle));
      failed(found.error());
      return;
    }
    sub_line("stack", fmt::format("handle {}", handle));
    for (const Frame& frame : (*found)->frames) {
      out_ += "      ";
      append_escaped(out_, frame.symbol);
      out_ += '\n';
    }
  }

  std::string& out_;
  const PageDump& dump_;
  const pobpf_page_dump& raw_;
  const PageReportSource& source_;
  PageReport report_;
  Status status_;
};

}  // namespace

Status append_page_report(std::string& out, const PageDump& dump, const PageReportSource& source) {
  return TextReport(out, dump, source).run();
}

}  // namespace pobpf
