// SPDX-License-Identifier: GPL-2.0-only
// JSON lines, one object a page; docs/json.md is the contract.
#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "format/json_value.h"
#include "format/page_formatter.h"
#include "format/text_cache.h"
#include "model/flag_text.h"
#include "util/escape.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;

class JsonFormatter final : public PageFormatter {
 public:
  JsonFormatter(const KernelFacts& facts, pobpf_mode mode) : facts_(facts), mode_(mode) {}

  void set_fields(PageFields fields) override { fields_ = fields; }

  using PageFormatter::append;
  Status append(const pobpf_page& page, const pobpf_page_detail* detail, PageContext& context,
                std::string& out) override {
    unknown_.reset();
    Json object = Json::object();
    // an ordered object copies all its members each time it grows
    object.get_ref<Json::object_t&>().reserve(32);
    const bool has_order = has(PageField::kOrder);
    if (has(PageField::kPfn)) object["pfn"] = page.pfn;
    if (has_order) object["order"] = page.order;
    if (has_order) object["nr_pages"] = 1ULL << page.order;
    if (is_freed(page)) object["freed"] = true;
    if (has(PageField::kHandle)) object["handle"] = page.handle;
    if (has(PageField::kPid)) object["pid"] = page.pid;
    if (has(PageField::kTgid)) object["tgid"] = page.tgid;
    if (has(PageField::kComm)) add_comm(page, object);
    if (has(PageField::kTsNsec)) object["ts_nsec"] = page.ts_nsec;
    if (has(PageField::kFreeTsNsec)) object["free_ts_nsec"] = page.free_ts_nsec;
    if (has(PageField::kGfpMask)) add_gfp(page, object);
    if (has(PageField::kPageblockMigratetype)) {
      const auto block = facts_.pageblock(page.pfn);
      if (has(PageField::kPfn) && block) object["pageblock"] = *block;
      object["pageblock_migratetype"] =
          name_or_null(facts_.migratetype_names, page.pageblock_migratetype);
    }
    if (has(PageField::kFlags)) object["flags"] = fmt::format("{:#x}", page.flags);
    if (has(PageField::kFlags) || has(PageField::kFlagNames)) add_flags(page, object);
    if (has(PageField::kLastMigrateReason))
      object["last_migrate_reason"] =
          page.last_migrate_reason == facts_.migrate_reason_never
              ? Json(nullptr)
              : name_or_null(facts_.migrate_reason_names, page.last_migrate_reason);
    if (has(PageField::kMemcg)) {
      object["slab_memcg"] = (page.memcg_flags & POBPF_MEMCG_SLAB) != 0;
      add_memcg(page, context, object);
    }
    const bool has_free_side = detail != nullptr && has(PageField::kFreeSide);
    if (has_free_side) add_free_side(*detail, object);
    const std::string* free_stack = nullptr;
    const std::string* stack = nullptr;
    if (has_free_side && detail->free_handle != 0)
      free_stack = frames_of(detail->free_handle, context, free_stacks_);
    if (has(PageField::kHandle)) stack = frames_of(page.handle, context, stacks_);
    out += json_text(object);
    // stacks were dumped once for all pages that have them; they go in as the last members
    append_member(out, "free_stack", free_stack);
    append_member(out, "stack", stack);
    out += '\n';
    if (unknown_) return fail(*unknown_);
    return {};
  }

 private:
  [[nodiscard]] bool has(PageField field) const { return has_field(fields_, field); }

  void add_gfp(const pobpf_page& page, Json& object) const {
    object["gfp_mask"] = page.gfp_mask;
    const unsigned migratetype = gfp_migratetype(page.gfp_mask, facts_);
    if (has_gfp_names(page.gfp_mask, facts_)) {
      std::string names;
      append_gfp_names(names, page.gfp_mask, facts_);
      object["gfp_flags"] = split_flag_names(names);
    }
    if (!facts_.texts || migratetype != kUnknownMigratetype)
      object["migratetype"] = name_or_null(facts_.migratetype_names, migratetype);
  }

  void add_flags(const pobpf_page& page, Json& object) const {
    if (facts_.texts && !facts_.texts->page_flags.contains(page.flags)) return;
    const PageFlagParts parts = page_flag_parts(page.flags, facts_);
    object["page_flags"] = parts.names;
    // the names of %pGp, but "node" goes by the name that everybody filters by
    for (const auto& [name, value] : parts.fields) object[name == "node" ? "nid" : name] = value;
    if (!facts_.texts && facts_.field("node") == nullptr) object["nid"] = 0;
  }

  static void add_comm(const pobpf_page& page, Json& object) {
    const auto* bytes = reinterpret_cast<const char*>(page.comm);
    const std::string_view comm(bytes, strnlen(bytes, sizeof(page.comm)));
    object["comm"] = comm;
    if (is_utf8(comm)) return;
    std::string hex;
    for (const char c : comm)
      fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
    object["comm_hex"] = hex;
  }

  void note(Error error) {
    if (!unknown_) unknown_ = std::move(error);
  }

  void add_memcg(const pobpf_page& page, PageContext& context, Json& object) {
    if (is_charge_unknown(page.memcg_flags)) {
      object["memcg"] = {{"name", nullptr}};
      return;
    }
    if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) {
      object["memcg"] = nullptr;
      return;
    }
    auto name = context.cgroup_name(page.cgroup_id);
    Json memcg{{"name", name ? Json(*name) : Json(nullptr)}};
    if (!name) note(std::move(name).error());
    // a text does not say it
    if (!facts_.texts) memcg["id"] = page.cgroup_id;
    memcg["online"] = (page.memcg_flags & POBPF_MEMCG_OFFLINE) == 0;
    memcg["via_objcg"] = (page.memcg_flags & POBPF_MEMCG_OBJCG) != 0;
    object["memcg"] = std::move(memcg);
  }

  static void add_free_side(const pobpf_page_detail& detail, Json& object) {
    object["free_handle"] = detail.free_handle;
    // what was never freed was freed by nobody
    if (detail.free_handle == 0 || detail.has_free_pid == 0) return;
    object["free_pid"] = detail.free_pid;
    object["free_tgid"] = detail.free_tgid;
  }

  static void append_member(std::string& out, std::string_view name, const std::string* value) {
    if (value == nullptr) return;
    out.back() = ',';
    out.append("\"").append(name).append("\":").append(*value).append("}");
  }

  /// The array of frames, "null" if they cannot be read; null if stacks are not wanted.
  const std::string* frames_of(std::uint32_t handle, PageContext& context,
                               TextCache<std::uint32_t>& texts) {
    static const std::string unreadable = "null";
    if (mode_ == POBPF_MODE_HANDLE) return nullptr;
    auto stack = context.stack(handle);
    if (!stack) {
      note(std::move(stack).error());
      return &unreadable;
    }
    return &texts.get(handle, [&](std::string& made) { made = json_text(json_frames(**stack)); });
  }

  const KernelFacts& facts_;
  pobpf_mode mode_;
  PageFields fields_ = kAllPageFields;
  std::optional<Error> unknown_;  // what the record refers to and could not be read
  // one each, as a text is valid until the next one is asked for
  TextCache<std::uint32_t> stacks_;
  TextCache<std::uint32_t> free_stacks_;
};

}  // namespace

std::unique_ptr<PageFormatter> make_json_formatter(const KernelFacts& facts, pobpf_mode mode) {
  return std::make_unique<JsonFormatter>(facts, mode);
}

}  // namespace pobpf
