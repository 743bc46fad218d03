// SPDX-License-Identifier: GPL-2.0-only
// Differences between kernels that CO-RE does not tell are decided here, by the presence of types,
// enumerators and symbols, never by version.
#include "kernel/machine_facts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "kernel/page_block.h"
#include "kernel/sections.h"
#include "kernel/text_layout.h"
#include "util/report_hint.h"

namespace pobpf {
namespace {

Error unknown_layout(const std::string& what) {
  return Error{ErrorKind::kUnsupported, "this kernel's memory layout is not known: " + what,
               kReportKernel, 0};
}

/// v6.8: "mm,page_owner: record and dump free_pid and free_tgid" came behind both changes of the
/// text, and as far as is known nobody has taken it without them.
bool tells_text_layout(const KernelBtf& btf) {
  return btf.offset_of("page_owner", "free_pid").has_value();
}

/// Prints the lines about cgroups.
constexpr const char* kChargePrinter = "print_page_owner_memcg";

/// Stops at the first fact that cannot be had and keeps the reason.
class Discovery {
 public:
  Discovery(const KernelBtf& btf, KernelMemory& memory) : btf_(btf), memory_(memory) {}

  Result<MachineFacts> run(const FactNeeds& needs);
  Result<KernelFacts> run_names();

 private:
  Status page_owner();
  Status section_bits();
  Status memory_model();
  Status buddy_and_pageblock();
  Status names();
  void text_layout();
  Status page_flag_fields();
  Status nodes();
  Status zone_names();
  Status processes();
  Status stack_depot();
  [[nodiscard]] Status plausible() const;
  [[nodiscard]] Status plausible_names() const;

  [[nodiscard]] Result<std::uint64_t> address(const std::string& symbol) const {
    if (auto found = memory_.symbol(symbol)) return *found;
    return fail(ErrorKind::kUnsupported, "the kernel's symbol table has no " + symbol,
                "use a kernel built with CONFIG_KALLSYMS_ALL=y");
  }
  [[nodiscard]] Result<std::uint64_t> variable(const std::string& symbol, std::size_t size) const {
    auto at = address(symbol);
    if (!at) return at;
    return memory_.read_number(*at, size);
  }
  [[nodiscard]] Result<std::uint32_t> offset(const std::string& type, const char* member) const {
    if (auto found = btf_.offset_of(type, member)) return *found;
    return fail(unknown_layout(fmt::format("struct {} has no member {}", type, member)));
  }
  [[nodiscard]] Result<std::vector<FlagName>> flag_table(const std::string& symbol) const;
  [[nodiscard]] Result<std::vector<std::string>> string_array(const std::string& symbol,
                                                              std::uint64_t count,
                                                              bool may_have_holes) const;

  const KernelBtf& btf_;
  KernelMemory& memory_;
  MachineFacts facts_;
};

// NOLINTBEGIN(bugprone-macro-parentheses): a name cannot stand in parentheses
#define POBPF_TRY(name, expression)                                  \
  auto name##_result = (expression);                                 \
  if (!name##_result) return fail(std::move(name##_result).error()); \
  const auto name = *std::move(name##_result)
// NOLINTEND(bugprone-macro-parentheses)

Status Discovery::page_owner() {
  if (!btf_.size_of("page_owner"))
    return fail(ErrorKind::kUnsupported, "this kernel was built without page_owner",
                "use a kernel built with CONFIG_PAGE_OWNER=y");
  POBPF_TRY(ops, address("page_owner_ops"));
  POBPF_TRY(offset_at, offset("page_ext_operations", "offset"));
  POBPF_TRY(owner_offset, memory_.read_number(ops + offset_at, sizeof(std::uint64_t)));
  POBPF_TRY(size, variable("page_ext_size", sizeof(std::uint64_t)));
  const bool is_inited = [&] {
    const auto key = memory_.symbol("page_owner_inited");
    if (!key) return true;
    // struct static_key_false starts with struct static_key, which starts with its counter
    const auto enabled = memory_.read_number(*key, sizeof(std::uint32_t));
    return !enabled || *enabled != 0;
  }();
  if (size == 0 || owner_offset == 0 || !is_inited)
    return fail(ErrorKind::kUnsupported, "page_owner is compiled in but off",
                "boot with page_owner=on, then run pobpf again");
  if (owner_offset + *btf_.size_of("page_owner") > size)
    return fail(unknown_layout(
        fmt::format("page_owner at {} does not fit a page_ext of {} bytes", owner_offset, size)));
  facts_.layout.page_owner_offset = owner_offset;
  facts_.layout.page_ext_size = size;

  const auto owner_bit = btf_.enum_value("page_ext_flags", "PAGE_EXT_OWNER");
  const auto allocated_bit = btf_.enum_value("page_ext_flags", "PAGE_EXT_OWNER_ALLOCATED");
  if (!owner_bit || !allocated_bit || *owner_bit > 31 || *allocated_bit > 31)
    return fail(unknown_layout("no PAGE_EXT_OWNER bits"));
  facts_.layout.owner_bit = 1U << *owner_bit;
  facts_.layout.owner_allocated_bit = 1U << *allocated_bit;

  facts_.missing_fields = missing_fields(btf_);
  return {};
}

Status Discovery::section_bits() {
  auto& layout = facts_.layout;
  const auto has_mem_map = btf_.any_enum_value("SECTION_HAS_MEM_MAP_BIT");
  const auto is_early = btf_.any_enum_value("SECTION_IS_EARLY_BIT");
  const auto last = btf_.any_enum_value("SECTION_MAP_LAST_BIT");
  if (has_mem_map && is_early && last && *last <= 16) {
    layout.section_has_mem_map = 1ULL << *has_mem_map;
    layout.section_is_early = 1ULL << *is_early;
    layout.section_map_mask = ~((1ULL << *last) - 1);
    return {};
  }
  if (has_mem_map || is_early || last) return fail(unknown_layout("the SECTION_*_BIT enumerators"));
  // before v6.0: macros of linux/mmzone.h, of which these never changed. There are five or less. A
  // struct page of 64 bytes or more, times the pages of a section, leaves six bits free.
  layout.section_has_mem_map = 1ULL << 1;
  layout.section_is_early = 1ULL << 3;  // v5.3
  layout.section_map_mask = ~((1ULL << 6) - 1);
  return {};
}

Status Discovery::memory_model() {
  auto& layout = facts_.layout;
  const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const auto page_shift = static_cast<std::uint32_t>(std::countr_zero(page_bytes));
  POBPF_TRY(max_pfn, variable("max_pfn", sizeof(std::uint64_t)));
  POBPF_TRY(min_low_pfn, variable("min_low_pfn", sizeof(std::uint64_t)));
  facts_.max_pfn = max_pfn;
  facts_.min_low_pfn = min_low_pfn;

  const auto mem_section = memory_.symbol("mem_section");
  const auto section_bytes = btf_.size_of("mem_section");
  if (!mem_section || !section_bytes)
    return fail(ErrorKind::kUnsupported, "this kernel's memory model is not SPARSEMEM",
                "use a kernel built with CONFIG_SPARSEMEM_EXTREME=y");
  if (!btf_.offset_of("mem_section", "page_ext"))
    return fail(unknown_layout("mem_section has no page_ext"));
  layout.section_root_shift =
      static_cast<std::uint32_t>(std::countr_zero(page_bytes / *section_bytes));

  if (auto status = section_bits(); !status) return status;

  // SECTION_SIZE_BITS is a macro. A subsection is 2 MiB on every architecture (SUBSECTION_SHIFT),
  // and a section has one bit for each, 64 or more in whole words on x86 and arm64.
  constexpr std::uint32_t kSubsectionShift = 21;
  const auto subsection_words = btf_.array_length("mem_section_usage", "subsection_map");
  constexpr std::uint32_t kSectionSizeBitsX86Arm64 = 27;
  std::uint32_t section_size_bits = kSectionSizeBitsX86Arm64;
  if (subsection_words) {
    if (!std::has_single_bit(*subsection_words))
      return fail(unknown_layout("the subsection map is not a power of two"));
    section_size_bits =
        kSubsectionShift + static_cast<std::uint32_t>(std::countr_zero(64 * *subsection_words));
    layout.pfn_subsection_shift = kSubsectionShift - page_shift;
  }
  layout.pfn_section_shift = section_size_bits - page_shift;

  POBPF_TRY(roots, memory_.read_number(*mem_section, sizeof(std::uint64_t)));
  if (roots >> 47 == 0)
    return fail(ErrorKind::kUnsupported, "this kernel's memory model is not SPARSEMEM_EXTREME",
                "use a kernel built with CONFIG_SPARSEMEM_EXTREME=y");
  layout.mem_section_roots = roots;
  if (max_pfn == 0) return fail(unknown_layout("max_pfn is 0"));
  layout.nr_section_roots =
      ((max_pfn - 1) >> layout.pfn_section_shift >> layout.section_root_shift) + 1;
  return {};
}

Status Discovery::buddy_and_pageblock() {
  auto& layout = facts_.layout;
  const auto nr_orders = btf_.array_length("zone", "free_area");
  if (!nr_orders || *nr_orders == 0 || *nr_orders > 17)
    return fail(unknown_layout("zone.free_area"));
  layout.max_page_order = *nr_orders - 1;
  facts_.text.max_page_order = layout.max_page_order;

  // v6.12: the top byte is the type (PGTY_buddy). v6.11: a bit that is cleared, 0x40000000 over
  // base 0x80000000. v6.10: the same with 0x80 over 0xf0000000, in an enum. Before: as macros.
  if (const auto type = btf_.enum_value("pagetype", "PGTY_buddy")) {
    layout.buddy_mask = 0xff000000U;
    layout.buddy_value = static_cast<std::uint32_t>(*type << 24);
  } else {
    const auto bit = btf_.enum_value("pagetype", "PG_buddy").value_or(0x80);
    const std::uint32_t base = bit == 0x40000000 ? 0x80000000U : 0xf0000000U;
    layout.buddy_mask = base | static_cast<std::uint32_t>(bit);
    layout.buddy_value = base;
  }

  // v6.17: isolation is a bit of its own and a block has 8 bits. Before: a migratetype, 4 bits.
  const auto isolate_type = btf_.enum_value("migratetype", "MIGRATE_ISOLATE");
  if (const auto isolate = btf_.enum_value("pageblock_bits", "PB_migrate_isolate")) {
    layout.pageblock_bits = 8;
    layout.pageblock_isolate_bit = 1U << *isolate;
    if (!isolate_type) return fail(unknown_layout("no MIGRATE_ISOLATE"));
    layout.migrate_isolate = static_cast<std::uint32_t>(*isolate_type);
  } else {
    layout.pageblock_bits = 4;
  }

  auto sections = read_sections(btf_, memory_, layout);
  if (!sections) return fail(std::move(sections).error());
  auto order = find_pageblock_order(btf_, memory_, layout, *sections);
  if (!order) return fail(std::move(order).error());
  layout.pageblock_order = order->order;
  facts_.pageblock_order_source = order->source;
  facts_.text.pageblock_order = layout.pageblock_order;
  facts_.present = std::move(sections->present);
  return {};
}

Result<std::vector<FlagName>> Discovery::flag_table(const std::string& symbol) const {
  POBPF_TRY(table, address(symbol));
  POBPF_TRY(mask_at, offset("trace_print_flags", "mask"));
  POBPF_TRY(name_at, offset("trace_print_flags", "name"));
  const std::uint64_t stride = btf_.size_of("trace_print_flags").value_or(16);
  std::vector<FlagName> names;
  // the kernel stops at the first NULL name, and so does this; no table has that many rows
  constexpr unsigned kRowsMax = 256;
  for (unsigned row = 0; row < kRowsMax; ++row) {
    POBPF_TRY(name, memory_.read_number(table + row * stride + name_at, 8));
    if (name == 0) return names;
    POBPF_TRY(mask, memory_.read_number(table + row * stride + mask_at, 8));
    POBPF_TRY(text, memory_.read_string(name));
    names.push_back({mask, text});
  }
  return fail(unknown_layout(symbol + " does not end"));
}

Result<std::vector<std::string>> Discovery::string_array(const std::string& symbol,
                                                         std::uint64_t count,
                                                         bool may_have_holes) const {
  POBPF_TRY(array, address(symbol));
  std::vector<std::string> strings;
  for (std::uint64_t i = 0; i < count; ++i) {
    POBPF_TRY(pointer, memory_.read_number(array + i * 8, 8));
    if (pointer == 0) {
      if (!may_have_holes) return fail(unknown_layout(symbol + " has a hole"));
      strings.emplace_back();
      continue;
    }
    POBPF_TRY(text, memory_.read_string(pointer));
    strings.push_back(text);
  }
  return strings;
}

Status Discovery::names() {
  auto& text = facts_.text;
  POBPF_TRY(gfp_names, flag_table("gfpflag_names"));
  POBPF_TRY(page_flag_names, flag_table("pageflag_names"));
  text.gfp_names = gfp_names;
  text.page_flag_names = page_flag_names;

  const auto nr_types = btf_.enum_value("migratetype", "MIGRATE_TYPES");
  const auto nr_reasons = btf_.enum_value("migrate_reason", "MR_TYPES");
  if (!nr_types || !nr_reasons || *nr_types > 16 || *nr_reasons > 64)
    return fail(unknown_layout("no MIGRATE_TYPES or MR_TYPES"));
  POBPF_TRY(migratetypes, string_array("migratetype_names", *nr_types, false));
  // "never" has no name in the table
  POBPF_TRY(reasons, string_array("migrate_reason_names", *nr_reasons, true));
  text.migratetype_names = migratetypes;
  text.migrate_reason_names = reasons;
  // v7.3: MR_NEVER. Before: -1.
  if (const auto never = btf_.enum_value("migrate_reason", "MR_NEVER"))
    text.migrate_reason_never = static_cast<int>(*never);
  if (const auto flag = memory_.symbol("page_group_by_mobility_disabled")) {
    POBPF_TRY(value, memory_.read_number(*flag, sizeof(std::uint32_t)));
    text.is_mobility_grouping_disabled = value != 0;
    facts_.layout.is_mobility_grouping_disabled = value != 0 ? 1 : 0;
  }
  return {};
}

/// No failure where it is not known, as only the text depends on it.
void Discovery::text_layout() {
  auto& text = facts_.text;
  if (tells_text_layout(btf_)) {
    text.text_layout.emplace().omits_charges = btf_.is_hidden(kChargePrinter);
    facts_.text_layout_source = "BTF";
    return;
  }
  const auto found = find_text_layout(
      {[this](const std::string& name) {
         return btf_.is_hidden(name) ? std::nullopt : memory_.symbol(name);
       },
       [this]() -> Result<std::vector<AddressRange>> {
         if (btf_.is_hidden("read_page_owner")) return std::vector<AddressRange>();
         return memory_.function_ranges();
       },
       [this](std::uint64_t address, std::size_t size) { return memory_.read(address, size); }},
      facts_.missing_fields);
  if (!found) {
    text.text_layout_gap = found.error().what;
    return;
  }
  text.text_layout = *found;
  // it is inlined, so that its string is seen although it is hidden
  if (btf_.is_hidden(kChargePrinter)) text.text_layout->omits_charges = true;
  facts_.text_layout_source = "the kernel's format strings";
}

Status Discovery::page_flag_fields() {
  POBPF_TRY(table, address("pff"));
  POBPF_TRY(width_at, offset("page_flags_fields", "width"));
  POBPF_TRY(shift_at, offset("page_flags_fields", "shift"));
  POBPF_TRY(mask_at, offset("page_flags_fields", "mask"));
  POBPF_TRY(name_at, offset("page_flags_fields", "name"));
  const std::uint64_t stride = btf_.size_of("page_flags_fields").value_or(32);
  // ARRAY_SIZE(pff) of lib/vsprintf.c: section, node, zone, lastcpupid, kasantag
  constexpr unsigned kRows = 5;
  for (unsigned row = 0; row < kRows; ++row) {
    const std::uint64_t at = table + row * stride;
    POBPF_TRY(width, memory_.read_number(at + width_at, 4));
    POBPF_TRY(shift, memory_.read_number(at + shift_at, 4));
    POBPF_TRY(mask, memory_.read_number(at + mask_at, 4));
    POBPF_TRY(name_address, memory_.read_number(at + name_at, 8));
    POBPF_TRY(name, memory_.read_string(name_address));
    // those that have default_flag_spec in pff[]
    const bool is_hex = name == "lastcpupid" || name == "kasantag";
    facts_.text.page_flag_fields.push_back(
        {static_cast<unsigned>(width), static_cast<unsigned>(shift), mask, name, is_hex});
  }
  if (const auto* node = facts_.text.field("node")) {
    facts_.layout.node_shift = node->shift;
    facts_.layout.node_mask = static_cast<std::uint32_t>(node->mask);
    facts_.max_nodes = 1U << node->width;
  }
  if (const auto* zone = facts_.text.field("zone")) {
    facts_.layout.zone_shift = zone->shift;
    facts_.layout.zone_mask = static_cast<std::uint32_t>(zone->mask);
  }
  return {};
}

Status Discovery::nodes() {
  if (facts_.max_nodes > POBPF_MAX_NODES) return fail(unknown_layout("more than 1,024 nodes"));
  const auto node_states = memory_.symbol("node_states");
  const auto n_memory = btf_.enum_value("node_states", "N_MEMORY");
  const auto mask_bytes = btf_.size_of("nodemask_t");
  if (!node_states || !n_memory || !mask_bytes || facts_.max_nodes == 1) {
    facts_.memory_nodes.set(0);
  } else {
    POBPF_TRY(mask, memory_.read(*node_states + *n_memory * *mask_bytes, *mask_bytes));
    for (unsigned nid = 0; nid < facts_.max_nodes && nid / 8 < mask.size(); ++nid)
      if ((mask[nid / 8] >> (nid % 8) & std::byte{1}) != std::byte{0}) facts_.memory_nodes.set(nid);
  }
  const auto node_data = memory_.symbol("node_data");
  POBPF_TRY(start_at, offset("pglist_data", "node_start_pfn"));
  POBPF_TRY(spanned_at, offset("pglist_data", "node_spanned_pages"));
  for (unsigned nid = 0; nid < facts_.max_nodes; ++nid) {
    if (!facts_.memory_nodes.test(nid)) continue;
    NodeSpan span{nid, {0, facts_.max_pfn}};
    if (node_data) {
      POBPF_TRY(pgdat, memory_.read_number(*node_data + std::uint64_t{nid} * 8, 8));
      POBPF_TRY(start, memory_.read_number(pgdat + start_at, 8));
      POBPF_TRY(spanned, memory_.read_number(pgdat + spanned_at, 8));
      span.pfns = {start, start + spanned};
    }
    facts_.node_spans.push_back(span);
  }
  return {};
}

/// Those that nodes have: struct zone names itself.
Status Discovery::zone_names() {
  const auto nr_zones = btf_.array_length("pglist_data", "node_zones");
  const auto zone_bytes = btf_.size_of("zone");
  const auto node_data = memory_.symbol("node_data");
  const auto one_node = memory_.symbol("contig_page_data");
  POBPF_TRY(zones_at, offset("pglist_data", "node_zones"));
  POBPF_TRY(name_at, offset("zone", "name"));
  if (!nr_zones || *nr_zones > 8 || !zone_bytes) return fail(unknown_layout("node_zones"));
  std::uint64_t pgdat = one_node.value_or(0);
  if (node_data && !facts_.node_spans.empty()) {
    POBPF_TRY(first, memory_.read_number(*node_data + facts_.node_spans.front().nid * 8ULL, 8));
    pgdat = first;
  }
  if (pgdat == 0) return fail(unknown_layout("no node"));
  for (std::uint64_t zone = 0; zone < *nr_zones; ++zone) {
    POBPF_TRY(name, memory_.read_number(pgdat + zones_at + zone * *zone_bytes + name_at, 8));
    POBPF_TRY(text, memory_.read_string(name));
    facts_.text.zone_names.push_back(text);
  }
  return {};
}

/// Finds what the filters on processes and ages need; 0 if this kernel does not have it.
Status Discovery::processes() {
  auto& layout = facts_.layout;
  layout.init_pid_ns = memory_.symbol("init_pid_ns").value_or(0);
  const auto tgid = btf_.enum_value("pid_type", "PIDTYPE_TGID");
  if (!tgid) return fail(unknown_layout("no PIDTYPE_TGID"));
  layout.pidtype_tgid = static_cast<std::uint32_t>(*tgid);
  const auto run_queues = memory_.symbol("runqueues");
  const auto clock = btf_.offset_of("rq", "clock");
  if (run_queues && clock) {
    layout.rq_clock = *run_queues + *clock;
    layout.per_cpu_offsets = memory_.symbol("__per_cpu_offset").value_or(0);
  }
  return {};
}

Status Discovery::stack_depot() {
  auto& layout = facts_.layout;
  auto pools = memory_.symbol("stack_pools");
  if (!pools) pools = memory_.symbol("stack_slabs");  // up to 6.2
  if (!pools)
    return fail(ErrorKind::kUnsupported, "the kernel's symbol table has no stack_pools",
                "use a kernel built with CONFIG_KALLSYMS_ALL=y");
  layout.stack_pools = *pools;
  // v6.17: a table allocated at boot, with its size. Before: a static array.
  if (memory_.symbol("stack_max_pools")) {
    POBPF_TRY(table, memory_.read_number(*pools, 8));
    layout.stack_pools = table;
  }
  // v6.9: pool_index_plus_1. v6.3: pool_index. Before: slabindex.
  auto index = btf_.bit_field("handle_parts", "pool_index_plus_1");
  layout.handle_pool_base = index ? 1 : 0;
  if (!index) index = btf_.bit_field("handle_parts", "pool_index");
  if (!index) index = btf_.bit_field("handle_parts", "slabindex");
  const auto offset_bits = btf_.bit_field("handle_parts", "offset");
  if (!index || !offset_bits) return fail(unknown_layout("union handle_parts"));
  layout.handle_pool_shift = index->shift;
  layout.handle_pool_mask = (1U << index->width) - 1;
  layout.handle_offset_shift = offset_bits->shift;
  layout.handle_offset_mask = (1U << offset_bits->width) - 1;
  return {};
}

/// A symbol of the same name somewhere else in the kernel would be read as garbage: the tables must
/// look like what they are.
Status Discovery::plausible_names() const {
  const auto is_name = [](const std::string& name) {
    return !name.empty() && name.size() < 64 && std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    });
  };
  const auto all_named = [&](const auto& rows) {
    return rows.size() > 8 && std::all_of(rows.begin(), rows.end(),
                                          [&](const auto& row) { return is_name(row.name); });
  };
  if (!all_named(facts_.text.gfp_names)) return fail(unknown_layout("gfpflag_names"));
  if (!all_named(facts_.text.page_flag_names)) return fail(unknown_layout("pageflag_names"));
  if (facts_.text.migratetype_names.at(0) != "Unmovable")
    return fail(unknown_layout("migratetype_names"));
  return {};
}

Status Discovery::plausible() const {
  if (auto status = plausible_names(); !status) return status;
  if (facts_.text.page_flag_fields.at(0).name != "section") return fail(unknown_layout("pff"));
  if (facts_.present.empty() || facts_.present.back().begin >= facts_.max_pfn)
    return fail(unknown_layout("sections do not match max_pfn"));
  return {};
}

Result<KernelFacts> Discovery::run_names() {
  if (auto status = names(); !status) return fail(std::move(status).error());
  if (auto status = plausible_names(); !status) return fail(std::move(status).error());
  return std::move(facts_.text);
}

Result<MachineFacts> Discovery::run(const FactNeeds& needs) {
  for (auto step :
       {&Discovery::page_owner, &Discovery::memory_model, &Discovery::buddy_and_pageblock,
        &Discovery::names, &Discovery::page_flag_fields, &Discovery::nodes, &Discovery::zone_names,
        &Discovery::stack_depot, &Discovery::processes})
    if (auto status = (this->*step)(); !status) return fail(std::move(status).error());
  if (auto status = plausible(); !status) return fail(std::move(status).error());
  if (needs.has_text) text_layout();
  // without it SymbolTable says what is missing
  if (needs.has_code)
    if (auto code = find_code(memory_)) facts_.code = *std::move(code);
  facts_.layout.memory_cgrp_subsys = memory_.symbol("memory_cgrp_subsys").value_or(0);
  facts_.cast_ids = make_cast_ids(btf_);
  facts_.page_types = make_page_types(btf_.enumerators("pagetype"));
  facts_.blockers = make_blocker_facts(btf_, facts_.page_types);
  facts_.programs = program_variant(btf_);
  facts_.symbol_sources = symbol_sources(btf_);
  facts_.symbol_source = memory_.symbol_source();
  return std::move(facts_);
}

std::string describe_text_layout(const MachineFacts& facts) {
  const auto& layout = facts.text.text_layout;
  if (!layout && facts.text.text_layout_gap.empty())
    return "not looked for, as no record is printed";
  if (!layout) return fmt::format("not known: {}", facts.text.text_layout_gap);
  return fmt::format("{} PFN, {} free_ts, {} lines about cgroups (from {})",
                     layout->is_pfn_decimal ? "decimal" : "hexadecimal",
                     layout->shows_free_ts ? "with" : "without",
                     layout->omits_charges ? "without" : "with", facts.text_layout_source);
}

}  // namespace

std::vector<std::string> fact_symbols(const KernelBtf& btf, const FactNeeds& needs) {
  std::vector<std::string> names = {"mem_section",
                                    "page_ext_size",
                                    "page_owner_ops",
                                    "page_owner_inited",
                                    "max_pfn",
                                    "min_low_pfn",
                                    "stack_pools",
                                    "stack_slabs",
                                    "stack_max_pools",
                                    "gfpflag_names",
                                    "pageflag_names",
                                    "pff",
                                    "migratetype_names",
                                    "migrate_reason_names",
                                    "page_group_by_mobility_disabled",
                                    "node_states",
                                    "node_data",
                                    "memory_cgrp_subsys",
                                    "contig_page_data",
                                    "init_pid_ns",
                                    "runqueues",
                                    "__per_cpu_offset",
                                    "pageblock_order"};
  if (needs.has_text && !tells_text_layout(btf))
    names.insert(names.end(),
                 {"print_page_owner", "read_page_owner", "__start_rodata", "__end_rodata"});
  if (needs.has_code) std::ranges::move(code_symbols(), std::back_inserter(names));
  return names;
}

std::vector<std::string> fact_types() {
  return {"page_owner",
          "page_ext_operations",
          "page_ext_flags",
          "mem_section",
          "zone",
          "mem_section_usage",
          "pagetype",
          "pageflags",
          "migratetype",
          "node_states",
          "pageblock_bits",
          "migrate_reason",
          "trace_print_flags",
          "nodemask_t",
          "page_flags_fields",
          "pglist_data",
          "handle_parts",
          "pid_type",
          "rq",
          "page",
          "page_ext",
          "bpf_rdonly_cast",
          "bpf_scc_info",
          "bpf_func_id",
          "bpf_prog_type",
          "bpf_iter_ksym",
          "bpf_iter_bpf_map_elem"};
}

std::vector<std::string> signs_of_feature(std::string_view feature) {
  struct Feature {
    std::string_view name;
    std::vector<std::string> signs;
  };
  const Feature features[] = {
      {"rdonly-cast", {"bpf_rdonly_cast"}},
      {"may-goto", {"bpf_scc_info"}},
      {"bpf-loop", {"BPF_FUNC_loop"}},
      {"kallsyms-lookup", {"BPF_FUNC_kallsyms_lookup_name"}},
      {"ksym-iterator", {"bpf_iter_ksym"}},
      {"task-name", {"page_owner.comm"}},
      {"thread-group", {"page_owner.tgid"}},
      {"charge-lines", {kChargePrinter}},
      {"free-pid", {"page_owner.free_pid"}},
      {"format-strings", {"print_page_owner", "read_page_owner"}},
      {"section-enumerators",
       {"SECTION_HAS_MEM_MAP_BIT", "SECTION_IS_EARLY_BIT", "SECTION_MAP_LAST_BIT"}},
  };
  for (const Feature& known : features)
    if (known.name == feature) return known.signs;
  return {};
}

Status check_requirements(const KernelBtf& btf) {
  const char* missing = nullptr;
  // newest first: v5.14, v5.13, v5.11, v5.9
  if (!btf.enum_value("bpf_prog_type", "BPF_PROG_TYPE_SYSCALL"))
    missing = "BPF programs that can be called";
  else if (!btf.enum_value("bpf_func_id", "BPF_FUNC_for_each_map_elem"))
    missing = "loops in BPF programs";
  else if (btf.size_of("page_owner") && !btf.offset_of("page_owner", "ts_nsec"))
    missing = "times and processes in the records of page_owner";
  else if (!btf.has_function("bpf_iter_bpf_map_elem"))
    missing = "BPF iterators over maps";
  else
    return {};
  return fail(ErrorKind::kUnsupported,
              fmt::format("this kernel is too old for pobpf: it has no {}", missing),
              "save what cat /sys/kernel/debug/page_owner prints, and read that with pobpf import");
}

PageFields missing_fields(const KernelBtf& btf) {
  PageFields missing = 0;
  if (!btf.offset_of("page_owner", "comm")) missing = missing | PageField::kComm;
  if (!btf.offset_of("page_owner", "tgid")) missing = missing | PageField::kTgid;
  return missing;
}

SymbolSources symbol_sources(const KernelBtf& btf) {
  return {.has_lookup = btf.enum_value("bpf_func_id", "BPF_FUNC_kallsyms_lookup_name").has_value(),
          .has_iterator = btf.has_function("bpf_iter_ksym")};
}

ProgramVariant program_variant(const KernelBtf& btf) {
  if (!btf.enum_value("bpf_func_id", "BPF_FUNC_loop")) return ProgramVariant::kForEach;
  if (!btf.has_function("bpf_rdonly_cast")) return ProgramVariant::kLoop;
  return btf.composite_id("bpf_scc_info") ? ProgramVariant::kMayGoto : ProgramVariant::kCast;
}

std::vector<std::string> name_symbols() {
  return {"gfpflag_names", "pageflag_names", "migratetype_names", "migrate_reason_names",
          "page_group_by_mobility_disabled"};
}

std::vector<std::string> name_types() {
  return {"migratetype", "migrate_reason", "trace_print_flags", "bpf_func_id", "bpf_iter_ksym"};
}

pobpf_cast_ids make_cast_ids(const KernelBtf& btf) {
  return {.page = btf.composite_id("page").value_or(0),
          .page_ext = btf.composite_id("page_ext").value_or(0),
          .page_owner = btf.composite_id("page_owner").value_or(0),
          .reserved = 0};
}

pobpf_blocker_facts make_blocker_facts(const KernelBtf& btf, const PageTypes& types) {
  // by enumerators, as the kernel's table has one name for flags that share a bit
  const auto flag = [&](const char* name) {
    const auto bit = btf.enum_value("pageflags", name);
    return bit && *bit < 64 ? std::uint64_t{1} << *bit : 0;
  };
  const std::uint64_t swapcache = flag("PG_swapcache");
  return {.reserved = flag("PG_reserved"),
          .lru = flag("PG_lru"),
          // v6.12: a type. Before: a flag.
          .slab = flag("PG_slab"),
          .swapcache = swapcache == 0 ? 0 : swapcache | flag("PG_swapbacked"),
          .private_bit = flag("PG_private"),
          .unevictable = flag("PG_unevictable") | flag("PG_mlocked"),
          .hwpoison = flag("PG_hwpoison"),
          // v6.17: a flag. Before: low bits of page->mapping.
          .movable_ops = flag("PG_movable_ops"),
          .type_slab = types.test_for("slab"),
          .type_large_kmalloc = types.test_for("large_kmalloc"),
          .type_table = types.test_for("table"),
          .type_hugetlb = types.test_for("hugetlb"),
          .type_offline = types.test_for("offline"),
          .type_zsmalloc = types.test_for("zsmalloc")};
}

Result<KernelFacts> discover_names(const KernelBtf& btf, KernelMemory& memory) {
  return Discovery(btf, memory).run_names();
}

std::vector<std::string> cma_symbols() { return {"cma_areas", "cma_area_count"}; }

std::vector<std::string> cma_types() {
  return {"cma", "cma_memrange", "bpf_func_id", "bpf_iter_ksym"};
}

Result<std::vector<CmaArea>> discover_cma_areas(const KernelBtf& btf, KernelMemory& memory) {
  const auto first = memory.symbol("cma_areas");
  const auto count_at = memory.symbol("cma_area_count");
  const auto area_bytes = btf.size_of("cma");
  const auto name_at = btf.offset_of("cma", "name");
  const auto name_bytes = btf.array_length("cma", "name");
  if (!first || !count_at || !area_bytes || !name_at || !name_bytes)
    return fail(ErrorKind::kUnsupported, "this kernel has no CMA",
                "use a kernel built with CONFIG_CMA=y, or name PFNs with --pfn");
  // v6.15: an area has ranges. Before: it is one.
  const auto ranges_at = btf.offset_of("cma", "ranges");
  const auto ranges_max = btf.array_length("cma", "ranges");
  const auto range_bytes = btf.size_of("cma_memrange");
  const auto nr_ranges_at = btf.offset_of("cma", "nranges");
  const bool has_ranges = ranges_at && ranges_max && range_bytes && nr_ranges_at;
  const char* const range_type = has_ranges ? "cma_memrange" : "cma";
  const auto base_at = btf.offset_of(range_type, "base_pfn");
  const auto pages_at = btf.offset_of(range_type, "count");
  if (!base_at || !pages_at) return fail(unknown_layout("struct cma"));
  POBPF_TRY(count, memory.read_number(*count_at, sizeof(std::uint32_t)));
  constexpr std::uint64_t kAreasMax = 1024;
  std::vector<CmaArea> areas;
  for (std::uint64_t i = 0; i < std::min(count, kAreasMax); ++i) {
    const std::uint64_t area = *first + i * *area_bytes;
    POBPF_TRY(name, memory.read_string(area + *name_at));
    areas.push_back({name.substr(0, *name_bytes), {}});
    std::uint64_t nr_ranges = 1;
    if (has_ranges) {
      POBPF_TRY(nr, memory.read_number(area + *nr_ranges_at, sizeof(std::uint32_t)));
      nr_ranges = std::min<std::uint64_t>(nr, *ranges_max);
    }
    for (std::uint64_t range = 0; range < nr_ranges; ++range) {
      const std::uint64_t at = area + (has_ranges ? *ranges_at + range * *range_bytes : 0);
      POBPF_TRY(base, memory.read_number(at + *base_at, sizeof(std::uint64_t)));
      POBPF_TRY(pages, memory.read_number(at + *pages_at, sizeof(std::uint64_t)));
      areas.back().pfns.push_back({base, base + pages});
    }
    areas.back().pfns = joined(std::move(areas.back().pfns));
  }
  return areas;
}

Result<MachineFacts> discover_facts(const KernelBtf& btf, KernelMemory& memory,
                                    const FactNeeds& needs) {
  return Discovery(btf, memory).run(needs);
}

std::vector<std::pair<std::string, std::string>> MachineFacts::describe() const {
  std::vector<std::string> spans;
  for (const auto& span : node_spans)
    spans.push_back(fmt::format("{}: {:#x}-{:#x}", span.nid, span.pfns.begin, span.pfns.end));
  return {
      {"symbols found through", symbol_source},
      {"PFNs", fmt::format("{:#x}-{:#x}", min_low_pfn, max_pfn)},
      {"nodes with memory", format_nodelist(memory_nodes)},
      {"node spans", fmt::format("{}", fmt::join(spans, ", "))},
      {"page_ext bytes", fmt::format("{}", layout.page_ext_size)},
      {"page_owner offset", fmt::format("{}", layout.page_owner_offset)},
      {"section pages", fmt::format("{}", 1ULL << layout.pfn_section_shift)},
      {"pageblock order",
       fmt::format("{} (from {})", layout.pageblock_order, pageblock_order_source)},
      {"text", describe_text_layout(*this)},
  };
}

}  // namespace pobpf
