// SPDX-License-Identifier: GPL-2.0-only
// JSON lines, one object a page; docs/json.md is the contract.
#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "format/escape.h"
#include "format/page_formatter.h"
#include "model/flag_text.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;

Json split_names(const std::string& names) {
  Json list = Json::array();
  for (std::size_t at = 0; at < names.size();) {
    const std::size_t end = std::min(names.find('|', at), names.size());
    list.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return list;
}

Json name_or_null(const std::vector<std::string>& names, long index) {
  if (index < 0 || static_cast<std::size_t>(index) >= names.size()) return nullptr;
  const std::string& name = names[static_cast<std::size_t>(index)];
  return name.empty() ? Json(nullptr) : Json(name);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

class JsonFormatter final : public PageFormatter {
 public:
  JsonFormatter(const KernelFacts& facts, pobpf_mode mode) : facts_(facts), mode_(mode) {
    for (const FlagName& name : facts.page_flag_names) named_flags_ |= name.mask;
  }

  Status append(const pobpf_page& page, PageContext& context, std::string& out) override {
    Json object = Json::object();
    // an ordered object copies all its members each time it grows
    object.get_ref<Json::object_t&>().reserve(32);
    object["pfn"] = page.pfn;
    object["order"] = page.order;
    object["nr_pages"] = page.order < 64 ? 1ULL << page.order : 0;
    object["handle"] = page.handle;
    object["pid"] = page.pid;
    object["tgid"] = page.tgid;
    add_comm(page, object);
    object["ts_nsec"] = page.ts_nsec;
    object["free_ts_nsec"] = page.free_ts_nsec;
    object["gfp_mask"] = page.gfp_mask;
    std::string names;
    append_flag_names(names, page.gfp_mask, facts_.gfp_names);
    object["gfp_flags"] = split_names(names);
    object["migratetype"] =
        name_or_null(facts_.migratetype_names, gfp_migratetype(page.gfp_mask, facts_));
    object["pageblock"] = page.pfn >> facts_.pageblock_order;
    object["pageblock_migratetype"] =
        name_or_null(facts_.migratetype_names, page.pageblock_migratetype);
    object["flags"] = fmt::format("{:#x}", page.flags);
    names.clear();
    append_flag_names(names, page.flags & named_flags_, facts_.page_flag_names);
    object["page_flags"] = split_names(names);
    // the names of %pGp, but "node" goes by the name that everybody filters by
    for (const PageFlagField& field : facts_.page_flag_fields)
      if (field.width != 0)
        object[field.name == "node" ? "nid" : field.name] = page.flags >> field.shift & field.mask;
    if (facts_.field("node") == nullptr) object["nid"] = 0;
    object["last_migrate_reason"] =
        page.last_migrate_reason == facts_.migrate_reason_never
            ? Json(nullptr)
            : name_or_null(facts_.migrate_reason_names, page.last_migrate_reason);
    object["slab_memcg"] = (page.memcg_flags & POBPF_MEMCG_SLAB) != 0;
    if (auto status = add_memcg(page, context, object); !status) return status;
    const std::string* stack = nullptr;
    if (mode_ != POBPF_MODE_HANDLE) {
      auto text = stack_text(page.handle, context);
      if (!text) return fail(std::move(text).error());
      stack = *text;
    }
    out += dump(object);
    if (stack != nullptr) {
      // the stack was dumped once for all pages that have it; it goes in as the last member
      out.back() = ',';
      out += *stack;
    }
    out += '\n';
    return {};
  }

 private:
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

  static Status add_memcg(const pobpf_page& page, PageContext& context, Json& object) {
    if ((page.memcg_flags & POBPF_MEMCG_CHARGED) == 0) {
      object["memcg"] = nullptr;
      return {};
    }
    auto name = context.cgroup_name(page.cgroup_id);
    if (!name) return fail(std::move(name).error());
    object["memcg"] = {{"name", *name},
                       {"id", page.cgroup_id},
                       {"online", (page.memcg_flags & POBPF_MEMCG_OFFLINE) == 0},
                       {"via_objcg", (page.memcg_flags & POBPF_MEMCG_OBJCG) != 0}};
    return {};
  }

  /// Cgroup names and symbols are the kernel's bytes: what is no UTF-8 is replaced. All else beyond
  /// ASCII is \uXXXX, as JSON would let DEL, C1 and changes of direction reach a terminal.
  static std::string dump(const Json& object) {
    constexpr bool kAsciiOnly = true;
    return object.dump(-1, ' ', kAsciiOnly, Json::error_handler_t::replace);
  }

  /// `"stack":[...]}`: the object {"stack": ...} without its opening brace.
  Result<const std::string*> stack_text(std::uint32_t handle, PageContext& context) {
    if (const auto known = stack_texts_.find(handle); known != stack_texts_.end())
      return &known->second;
    auto stack = context.stack(handle);
    if (!stack) return fail(std::move(stack).error());
    Json frames = Json::array();
    for (const Frame& frame : (*stack)->frames)
      frames.push_back(
          {{"address", fmt::format("{:#x}", frame.address)}, {"symbol", frame.symbol}});
    const Json object{{"stack", std::move(frames)}};
    return &stack_texts_.emplace(handle, dump(object).substr(1)).first->second;
  }

  const KernelFacts& facts_;
  pobpf_mode mode_;
  std::uint64_t named_flags_ = 0;
  std::unordered_map<std::uint32_t, std::string> stack_texts_;
};

}  // namespace

std::unique_ptr<PageFormatter> make_json_formatter(const KernelFacts& facts, pobpf_mode mode) {
  return std::make_unique<JsonFormatter>(facts, mode);
}

}  // namespace pobpf
