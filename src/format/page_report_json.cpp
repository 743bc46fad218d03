// SPDX-License-Identifier: GPL-2.0-only
// JSON of `pobpf page`; docs/json.md is the contract. Keys that the listing has too mean the same.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/json_members.h"
#include "format/page_report_formatter.h"
#include "model/flag_text.h"
#include "util/bounded.h"

namespace pobpf {
namespace {

/// Null for an empty text.
std::optional<std::string_view> text_or_null(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

class JsonReport {
 public:
  JsonReport(const PageDump& dump, const PageReportSource& source, JsonWriter& json)
      : dump_(dump),
        raw_(dump.raw),
        source_(source),
        report_(make_page_report(dump, source.facts, source.names.types)),
        json_(json) {}

  Status run() {
    json_.member("pfn", report_.pfn);
    json_.member("state", page_state_name(report_.state));
    json_.member("changed", dump_.has_changed);
    if (dump_.nr_further_records != 0) json_.member("further_records", dump_.nr_further_records);
    if (dump_.recorded) {
      if (has_struct_page(report_.state)) write_record();
    } else if (has_struct_page(report_.state)) {
      write_struct_page();
    }
    return std::move(status_);
  }

 private:
  void failed(const Error& error) {
    if (status_) status_ = fail(error);
  }
  [[nodiscard]] bool has(PageField field) const {
    return has_field(dump_.recorded.value_or(dump_.live_fields), field);
  }
  /// `write` writes the members of the object.
  template <typename Write>
  void object_or_null(std::string_view name, bool is_there, Write&& write) {
    if (is_there)
      json_.object(name, write);
    else
      json_.member(name, nullptr);
  }

  void write_struct_page() {
    json_.member("first_pfn", report_.first_pfn);
    json_.member("free_order", report_.state == PageState::kFree ? std::optional(raw_.buddy_order)
                                                                 : std::nullopt);
    json_.member("kind", report_.kind);
    json_.member("page_type", text_or_null(report_.page_type));
    write_zone();
    write_pageblock();
    json_.member("flags", fmt::format("{:#x}", raw_.page.flags));
    json_.member("page_flags", page_flag_parts(raw_.page.flags, source_.facts).names);
    json_.member("refcount", report_.refcount);
    json_.member("mapcount", report_.mapcount);
    write_mapping();
    json_.member("slab_cache", text_or_null(bounded(raw_.slab_cache, sizeof(raw_.slab_cache))));
    object_or_null("compound", report_.is_compound, [&] { write_compound(); });
    json_.member("slab_memcg", (raw_.memcg_flags & POBPF_MEMCG_SLAB) != 0);
    write_charge();
    object_or_null("allocation", report_.has_owner, [&] { write_allocation(raw_.owner); });
    object_or_null(
        "head_allocation",
        report_.state == PageState::kTail && (raw_.owner_head.bits & POBPF_OWNER_ALLOCATED) != 0,
        [&] { write_allocation(raw_.owner_head); });
    object_or_null("free", report_.has_free, [&] { write_last_free(); });
  }

  /// All that a snapshot has of the allocation.
  void write_record() {
    const KernelFacts& facts = source_.facts;
    const bool is_first = report_.pfn == report_.first_pfn;
    json_.member("first_pfn", report_.first_pfn);
    if (has(PageField::kKind)) json_.member("kind", report_.kind);
    if (has(PageField::kKind)) json_.member("page_type", text_or_null(report_.page_type));
    if (has(PageField::kFlags) && !facts.texts) write_zone();
    if (has(PageField::kPageblockMigratetype) &&
        facts.pageblock(report_.pfn) == facts.pageblock(report_.first_pfn))
      write_pageblock();
    // those of the first page say nothing of others
    if (is_first) write_recorded_flags();
    if (has(PageField::kMemcg))
      json_.member("slab_memcg", (raw_.memcg_flags & POBPF_MEMCG_SLAB) != 0);
    if (has(PageField::kMemcg)) write_charge();
    object_or_null("allocation", is_first, [&] { write_allocation(raw_.owner); });
    object_or_null("head_allocation", !is_first, [&] { write_allocation(raw_.owner); });
    if (has(PageField::kFreeSide) || has(PageField::kFreeTsNsec))
      object_or_null("free", report_.has_free, [&] { write_last_free(); });
  }

  void write_recorded_flags() {
    const KernelFacts& facts = source_.facts;
    if (has(PageField::kFlags)) json_.member("flags", fmt::format("{:#x}", raw_.page.flags));
    if (has_page_flag_names(raw_.page.flags, *dump_.recorded, facts))
      json_.member("page_flags", page_flag_parts(raw_.page.flags, facts).names);
  }

  void write_zone() {
    const KernelFacts& facts = source_.facts;
    json_.member("nid", page_flag_field(raw_.page.flags, "node", facts));
    const auto zone = page_flag_field(raw_.page.flags, "zone", facts);
    json_.member("zone", zone);
    json_.member("zone_name", name_at(source_.names.zones, static_cast<std::int64_t>(zone)));
  }

  void write_pageblock() {
    const KernelFacts& facts = source_.facts;
    if (const auto block = facts.pageblock(report_.pfn)) json_.member("pageblock", *block);
    json_.member("pageblock_migratetype",
                 name_at(facts.migratetype_names, raw_.pageblock_migratetype));
  }

  void write_mapping() {
    const bool has_inode = (raw_.bits & POBPF_DUMP_INODE) != 0;
    const bool is_mapped = report_.kind == "anonymous" || report_.kind == "ksm";
    object_or_null("mapping", has_inode || is_mapped, [&] {
      json_.member("index", report_.index);
      if (!has_inode) return;
      json_.member("inode", raw_.inode);
      json_.member("filesystem", text_or_null(bounded(raw_.filesystem, sizeof(raw_.filesystem))));
      json_.member("superblock", text_or_null(bounded(raw_.s_id, sizeof(raw_.s_id))));
      json_.member("file_name", text_or_null(bounded(raw_.file_name, sizeof(raw_.file_name))));
    });
  }

  void write_compound() {
    json_.member("pfn", raw_.compound_pfn);
    json_.member("order", raw_.compound_order);
    json_.member("flags", fmt::format("{:#x}", raw_.head.flags));
    json_.member("page_flags", page_flag_parts(raw_.head.flags, source_.facts).names);
    json_.member("entire_mapcount", report_.entire_mapcount);
    if ((raw_.bits & POBPF_DUMP_NO_PINCOUNT) == 0) json_.member("pincount", raw_.pincount);
  }

  void write_charge() {
    if ((raw_.bits & POBPF_DUMP_NO_CGROUP) != 0) {
      failed({ErrorKind::kFailed,
              fmt::format("the cgroup of PFN {:#x} is not known", report_.pfn),
              {},
              0});
      json_.object("memcg", [&] { json_.member("name", nullptr); });
      return;
    }
    if ((raw_.memcg_flags & POBPF_MEMCG_CHARGED) == 0) {
      json_.member("memcg", nullptr);
      return;
    }
    auto name = source_.context.cgroup_name(raw_.cgroup_id);
    auto path = source_.context.cgroup_path(raw_.cgroup_id);
    if (!name || !path) failed(name ? path.error() : name.error());
    JsonCharge charge{.cgroup_id = raw_.cgroup_id, .memcg_flags = raw_.memcg_flags};
    if (name) charge.name = *name;
    if (path) charge.path = whole_path(*path);
    write_memcg(json_, charge, source_.facts);
  }

  void write_allocation(const pobpf_owner& owner) {
    if (has(PageField::kOrder)) {
      json_.member("order", owner.order);
      json_.member("nr_pages", owner.order < 64 ? 1ULL << owner.order : 0);
    }
    if (has(PageField::kGfpMask)) write_gfp(json_, owner.gfp_mask, source_.facts);
    if (has(PageField::kPid)) json_.member("pid", owner.pid);
    if (has(PageField::kTgid)) json_.member("tgid", owner.tgid);
    if (has(PageField::kComm)) write_comm(json_, bounded(owner.comm, sizeof(owner.comm)));
    if (has(PageField::kTsNsec)) write_time(owner.ts_nsec);
    if (has(PageField::kLastMigrateReason))
      write_migrate_reason(json_, owner.last_migrate_reason, source_.facts);
    if (has(PageField::kHandle)) write_stack(owner.handle);
  }

  void write_last_free() {
    const pobpf_owner& owner = raw_.owner;
    const bool has_pid = (owner.bits & POBPF_OWNER_FREE_PID) != 0;
    if (has(PageField::kFreeSide)) {
      json_.member("pid", has_pid ? std::optional(owner.free_pid) : std::nullopt);
      json_.member("tgid", has_pid ? std::optional(owner.free_tgid) : std::nullopt);
    }
    if (has(PageField::kFreeTsNsec)) write_time(owner.free_ts_nsec);
    if (has(PageField::kFreeSide)) write_stack(owner.free_handle);
  }

  void write_time(std::uint64_t ns) {
    const bool has_age = ns != 0 && dump_.now_ns && *dump_.now_ns >= ns;
    json_.member("ts_nsec", ns);
    json_.member("age_nsec", has_age ? std::optional(*dump_.now_ns - ns) : std::nullopt);
  }

  void write_stack(std::uint32_t handle) {
    json_.member("handle", handle);
    json_.key("stack");
    if (handle == 0) return json_.value(nullptr);
    auto found = source_.context.stack(handle);
    if (found) return write_frames(json_, **found);
    failed(found.error());
    json_.value(nullptr);
  }

  const PageDump& dump_;
  const pobpf_page_dump& raw_;
  const PageReportSource& source_;
  PageReport report_;
  JsonWriter& json_;
  Status status_;
};

}  // namespace

Status append_page_report_json(std::string& out, const PageDump& dump,
                               const PageReportSource& source) {
  Status status;
  append_json(out, [&](JsonWriter& json) { status = JsonReport(dump, source, json).run(); });
  return status;
}

}  // namespace pobpf
