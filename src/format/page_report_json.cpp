// SPDX-License-Identifier: GPL-2.0-only
// JSON of `pobpf page`; docs/json.md is the contract. Keys that the listing has too mean the same.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "format/json_value.h"
#include "format/page_report_formatter.h"
#include "model/flag_text.h"
#include "util/bounded.h"
#include "util/escape.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const void* bytes, std::size_t size) {
  const auto text = bounded(bytes, size);
  return text.empty() ? Json(nullptr) : Json(text);
}

Json names_of(std::uint64_t flags, const std::vector<FlagName>& names) {
  Json list = Json::array();
  for (const FlagName& name : names) {
    if (flags == 0) break;
    if ((flags & name.mask) != name.mask) continue;
    list.push_back(name.name);
    flags &= ~name.mask;
  }
  if (flags != 0) list.push_back(fmt::format("{:#x}", flags));
  return list;
}

class JsonReport {
 public:
  JsonReport(const PageDump& dump, const PageReportSource& source)
      : dump_(dump),
        raw_(dump.raw),
        source_(source),
        report_(make_page_report(dump, source.facts, source.names.types)) {}

  Status run(std::string& out) {
    Json object{{"pfn", report_.pfn},
                {"state", page_state_name(report_.state)},
                {"changed", dump_.has_changed}};
    if (dump_.nr_further_records != 0) object["further_records"] = dump_.nr_further_records;
    if (dump_.recorded) {
      if (has_struct_page(report_.state)) add_record(object);
    } else if (has_struct_page(report_.state)) {
      add_struct_page(object);
    }
    out += json_text(object);
    out += '\n';
    return std::move(status_);
  }

 private:
  void failed(const Error& error) {
    if (status_) status_ = fail(error);
  }
  [[nodiscard]] bool has(PageField field) const {
    return !dump_.recorded || has_field(*dump_.recorded, field);
  }

  void add_struct_page(Json& object) {
    object["first_pfn"] = report_.first_pfn;
    object["free_order"] =
        report_.state == PageState::kFree ? Json(raw_.buddy_order) : Json(nullptr);
    object["kind"] = report_.kind;
    object["page_type"] = page_type();
    add_zone(object);
    add_pageblock(object);
    object["flags"] = fmt::format("{:#x}", raw_.page.flags);
    object["page_flags"] = page_flags(raw_.page.flags);
    object["refcount"] = report_.refcount;
    object["mapcount"] = report_.mapcount;
    object["mapping"] = mapping();
    object["slab_cache"] = text_or_null(raw_.slab_cache, sizeof(raw_.slab_cache));
    object["compound"] = compound();
    object["slab_memcg"] = (raw_.memcg_flags & POBPF_MEMCG_SLAB) != 0;
    object["memcg"] = memcg();
    object["allocation"] = report_.has_owner ? allocation(raw_.owner) : Json(nullptr);
    object["head_allocation"] =
        report_.state == PageState::kTail && (raw_.owner_head.bits & POBPF_OWNER_ALLOCATED) != 0
            ? allocation(raw_.owner_head)
            : Json(nullptr);
    object["free"] = report_.has_free ? last_free() : Json(nullptr);
  }

  /// All that a snapshot has of the allocation.
  void add_record(Json& object) {
    const KernelFacts& facts = source_.facts;
    const bool is_first = report_.pfn == report_.first_pfn;
    object["first_pfn"] = report_.first_pfn;
    if (has(PageField::kKind)) object["kind"] = report_.kind;
    if (has(PageField::kKind)) object["page_type"] = page_type();
    if (has(PageField::kFlags) && !facts.texts) add_zone(object);
    if (has(PageField::kPageblockMigratetype) &&
        facts.pageblock(report_.pfn) == facts.pageblock(report_.first_pfn))
      add_pageblock(object);
    // those of the first page say nothing of others
    if (is_first) add_recorded_flags(object);
    if (has(PageField::kMemcg)) object["slab_memcg"] = (raw_.memcg_flags & POBPF_MEMCG_SLAB) != 0;
    if (has(PageField::kMemcg)) object["memcg"] = memcg();
    object["allocation"] = is_first ? allocation(raw_.owner) : Json(nullptr);
    object["head_allocation"] = is_first ? Json(nullptr) : allocation(raw_.owner);
    if (has(PageField::kFreeSide) || has(PageField::kFreeTsNsec))
      object["free"] = report_.has_free ? last_free() : Json(nullptr);
  }

  void add_recorded_flags(Json& object) const {
    const KernelFacts& facts = source_.facts;
    if (has(PageField::kFlags)) object["flags"] = fmt::format("{:#x}", raw_.page.flags);
    if (has_page_flag_names(raw_.page.flags, *dump_.recorded, facts))
      object["page_flags"] = page_flag_parts(raw_.page.flags, facts).names;
  }

  [[nodiscard]] Json page_type() const {
    return report_.page_type.empty() ? Json(nullptr) : Json(report_.page_type);
  }

  void add_zone(Json& object) const {
    const KernelFacts& facts = source_.facts;
    object["nid"] = page_flag_field(raw_.page.flags, "node", facts);
    const auto zone = page_flag_field(raw_.page.flags, "zone", facts);
    object["zone"] = zone;
    object["zone_name"] = name_or_null(source_.names.zones, static_cast<std::int64_t>(zone));
  }

  void add_pageblock(Json& object) const {
    const KernelFacts& facts = source_.facts;
    if (const auto block = facts.pageblock(report_.pfn)) object["pageblock"] = *block;
    object["pageblock_migratetype"] =
        name_or_null(facts.migratetype_names, raw_.pageblock_migratetype);
  }

  [[nodiscard]] Json page_flags(std::uint64_t flags) const {
    std::uint64_t named = 0;
    for (const FlagName& name : source_.facts.page_flag_names) named |= name.mask;
    return names_of(flags & named, source_.facts.page_flag_names);
  }

  [[nodiscard]] Json mapping() const {
    if ((raw_.bits & POBPF_DUMP_INODE) != 0)
      return {{"index", report_.index},
              {"inode", raw_.inode},
              {"filesystem", text_or_null(raw_.filesystem, sizeof(raw_.filesystem))},
              {"superblock", text_or_null(raw_.s_id, sizeof(raw_.s_id))},
              {"file_name", text_or_null(raw_.file_name, sizeof(raw_.file_name))}};
    if (report_.kind == "anonymous" || report_.kind == "ksm") return {{"index", report_.index}};
    return nullptr;
  }

  [[nodiscard]] Json compound() const {
    if (!report_.is_compound) return nullptr;
    return {{"pfn", raw_.compound_pfn},
            {"order", raw_.compound_order},
            {"flags", fmt::format("{:#x}", raw_.head.flags)},
            {"page_flags", page_flags(raw_.head.flags)},
            {"entire_mapcount", report_.entire_mapcount},
            {"pincount", raw_.pincount}};
  }

  Json memcg() {
    if ((raw_.bits & POBPF_DUMP_NO_CGROUP) != 0) {
      failed({ErrorKind::kFailed,
              fmt::format("the cgroup of PFN {:#x} is not known", report_.pfn),
              {},
              0});
      return Json{{"name", nullptr}};
    }
    if ((raw_.memcg_flags & POBPF_MEMCG_CHARGED) == 0) return nullptr;
    auto name = source_.context.cgroup_name(raw_.cgroup_id);
    if (!name) failed(name.error());
    Json object{{"name", name ? Json(*name) : Json(nullptr)}};
    // a text does not say it
    if (!source_.facts.texts) object["id"] = raw_.cgroup_id;
    object["online"] = (raw_.memcg_flags & POBPF_MEMCG_OFFLINE) == 0;
    object["via_objcg"] = (raw_.memcg_flags & POBPF_MEMCG_OBJCG) != 0;
    return object;
  }

  Json allocation(const pobpf_owner& owner) {
    const KernelFacts& facts = source_.facts;
    Json object = Json::object();
    if (has(PageField::kOrder)) {
      object["order"] = owner.order;
      object["nr_pages"] = owner.order < 64 ? 1ULL << owner.order : 0;
    }
    if (has(PageField::kGfpMask)) add_gfp(owner.gfp_mask, object);
    if (has(PageField::kPid)) object["pid"] = owner.pid;
    if (has(PageField::kTgid)) object["tgid"] = owner.tgid;
    if (has(PageField::kComm)) add_comm(owner, object);
    if (has(PageField::kTsNsec)) {
      object["ts_nsec"] = owner.ts_nsec;
      object["age_nsec"] = age(owner.ts_nsec);
    }
    if (has(PageField::kLastMigrateReason))
      object["last_migrate_reason"] =
          owner.last_migrate_reason == facts.migrate_reason_never
              ? Json(nullptr)
              : name_or_null(facts.migrate_reason_names, owner.last_migrate_reason);
    if (has(PageField::kHandle)) {
      object["handle"] = owner.handle;
      object["stack"] = stack(owner.handle);
    }
    return object;
  }

  void add_gfp(std::uint32_t mask, Json& object) const {
    const KernelFacts& facts = source_.facts;
    object["gfp_mask"] = mask;
    if (has_gfp_names(mask, facts)) {
      std::string names;
      append_gfp_names(names, mask, facts);
      object["gfp_flags"] = split_flag_names(names);
    }
    const unsigned migratetype = gfp_migratetype(mask, facts);
    if (migratetype != kUnknownMigratetype)
      object["migratetype"] = name_or_null(facts.migratetype_names, migratetype);
  }

  static void add_comm(const pobpf_owner& owner, Json& object) {
    const auto comm = bounded(owner.comm, sizeof(owner.comm));
    object["comm"] = comm;
    if (is_utf8(comm)) return;
    std::string hex;
    for (const char c : comm)
      fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
    object["comm_hex"] = hex;
  }

  Json last_free() {
    const pobpf_owner& owner = raw_.owner;
    const bool has_pid = (owner.bits & POBPF_OWNER_FREE_PID) != 0;
    Json object = Json::object();
    if (has(PageField::kFreeSide)) {
      object["pid"] = has_pid ? Json(owner.free_pid) : Json(nullptr);
      object["tgid"] = has_pid ? Json(owner.free_tgid) : Json(nullptr);
    }
    if (has(PageField::kFreeTsNsec)) {
      object["ts_nsec"] = owner.free_ts_nsec;
      object["age_nsec"] = age(owner.free_ts_nsec);
    }
    if (has(PageField::kFreeSide)) {
      object["handle"] = owner.free_handle;
      object["stack"] = stack(owner.free_handle);
    }
    return object;
  }

  [[nodiscard]] Json age(std::uint64_t ns) const {
    if (ns == 0 || !dump_.now_ns || *dump_.now_ns < ns) return nullptr;
    return *dump_.now_ns - ns;
  }

  Json stack(std::uint32_t handle) {
    if (handle == 0) return nullptr;
    auto found = source_.context.stack(handle);
    if (!found) {
      failed(found.error());
      return nullptr;
    }
    return json_frames(**found);
  }

  const PageDump& dump_;
  const pobpf_page_dump& raw_;
  const PageReportSource& source_;
  PageReport report_;
  Status status_;
};

}  // namespace

Status append_page_report_json(std::string& out, const PageDump& dump,
                               const PageReportSource& source) {
  return JsonReport(dump, source).run(out);
}

}  // namespace pobpf
