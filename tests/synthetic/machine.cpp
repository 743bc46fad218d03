// SPDX-License-Identifier: GPL-2.0-only
#include "synthetic/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "kernel/libbpf_log.h"
#include "kernel/program_ids.h"
#include "kernel/sections.h"
#include "reader/session_on.h"
#include "reader/view.h"

namespace pobpf::synthetic {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kHasMemMap = 1ULL << 1;
constexpr std::uint64_t kIsEarly = 1ULL << 3;
constexpr std::uint64_t kPresentBits = 1ULL << 0 | 1ULL << 2;  // SECTION_MARKED_PRESENT, _IS_ONLINE
constexpr std::uint64_t kMemMapMask = ~0x3fULL;
constexpr unsigned kPageblockBits = 8;
constexpr unsigned kPageblockIsolateBit = 1U << 4;
constexpr std::uint64_t kPageExtInvalid = 1;
// depot_stack_handle_t since 6.9: pool_index_plus_1:17, offset:10, extra:5
constexpr unsigned kHandleOffsetShift = 17;
constexpr std::uint32_t kPoolBytes = 16384;
constexpr std::uint32_t kMaxPools = 8191;
constexpr std::uint32_t kStackAlign = 16;
constexpr std::uint32_t kCssOnline = 1U << 1;
constexpr std::uint32_t kPidSlots = 64;  // XA_CHUNK_SIZE
constexpr std::uint32_t kPidTypes = 4;
constexpr std::uint32_t kPidTypeTgid = 1;
// PGTY_buddy of 6.12 and later; what the walker is told, so what it looks for
constexpr std::uint32_t kBuddyMask = 0xff000000U;
constexpr std::uint32_t kBuddyValue = 0xf0000000U;

template <typename T>
void put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof(value));
}

template <typename T>
T get(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// One for all machines of a process: it takes a tenth of a second to make.
Result<std::shared_ptr<const CompletedBtf>> shared_btf() {
  static const Result<std::shared_ptr<const CompletedBtf>> shared =
      CompletedBtf::make().map([](CompletedBtf&& made) {
        return std::shared_ptr<const CompletedBtf>(std::make_shared<CompletedBtf>(std::move(made)));
      });
  return shared;
}

KernelFacts text_facts() {
  KernelFacts facts;
  facts.gfp_names = {{0x140dca, "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO"},
                     {0x100cca, "GFP_HIGHUSER_MOVABLE"},
                     {0xcc0, "GFP_KERNEL"},
                     {0x40000, "__GFP_COMP"},
                     {0x100, "__GFP_ZERO"}};
  facts.page_flag_names = {{1ULL << 0, "locked"}, {1ULL << 3, "uptodate"}, {1ULL << 4, "dirty"},
                           {1ULL << 5, "lru"},    {1ULL << 6, "head"},     {1ULL << 8, "active"}};
  facts.page_flag_fields = {{0, 0, 0, "section"},
                            {kNodeBits, kNodeShift, (1U << kNodeBits) - 1, "node"},
                            {kZoneBits, kZoneShift, (1U << kZoneBits) - 1, "zone"},
                            {0, 0, 0, "lastcpupid"},
                            {0, 0, 0, "kasantag"}};
  facts.zone_names = {"DMA", "DMA32", "Normal", "Movable", "Device"};
  facts.migratetype_names = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate"};
  facts.migrate_reason_names = {"compaction", "memory_failure", "memory_hotplug"};
  facts.text_layout.emplace();
  facts.pageblock_order = kPageblockOrder;
  facts.max_page_order = kMaxPageOrder;
  return facts;
}

}  // namespace

Machine::Machine(std::shared_ptr<const CompletedBtf> btf, KernelBtf types,
                 std::uint64_t max_sections)
    : btf_(std::move(btf)), types_(std::move(types)), max_sections_(max_sections) {
  sections_.resize(max_sections);
}

Result<std::unique_ptr<Machine>> Machine::make(std::uint64_t max_sections) {
  route_libbpf_log();
  if (max_sections == 0 || max_sections > kMaxSections)
    return fail(ErrorKind::kUsage, fmt::format("a machine has 1 to {} sections", kMaxSections));
  auto btf = shared_btf();
  if (!btf) return fail(std::move(btf).error());
  auto types = KernelBtf::load_file((*btf)->path());
  if (!types) return fail(std::move(types).error());
  std::unique_ptr<Machine> machine(new Machine(*btf, *std::move(types), max_sections));
  if (auto status = machine->find_offsets(); !status) return fail(std::move(status).error());
  if (auto status = machine->make_tables(); !status) return fail(std::move(status).error());
  return machine;
}

Status Machine::find_offsets() {
  struct Wanted {
    std::uint32_t& offset;
    const char* type;
    const char* member;  // null: the size
  };
  auto& o = offsets_;
  const Wanted wanted[] = {
      {o.section_bytes, "mem_section", nullptr},
      {o.mem_map, "mem_section", "section_mem_map"},
      {o.usage, "mem_section", "usage"},
      {o.page_ext, "mem_section", "page_ext"},
      {o.subsection_map, "mem_section_usage", "subsection_map"},
      {o.pageblock_flags, "mem_section_usage", "pageblock_flags"},
      {o.page_bytes, "page", nullptr},
      {o.page_type, "page", "page_type"},
      {o.private_word, "page", "private"},
      {o.compound_head, "page",
       types_.offset_of("page", "compound_info") ? "compound_info" : "compound_head"},
      {o.memcg_data, "page", "memcg_data"},
      {o.mapping, "page", "mapping"},
      {o.refcount, "page", "_refcount"},
      {o.owner, "page_ext", nullptr},
      {o.page_ext_bytes, "page_owner", nullptr},
      {o.order, "page_owner", "order"},
      {o.last_migrate_reason, "page_owner", "last_migrate_reason"},
      {o.gfp_mask, "page_owner", "gfp_mask"},
      {o.handle, "page_owner", "handle"},
      {o.ts_nsec, "page_owner", "ts_nsec"},
      {o.free_ts_nsec, "page_owner", "free_ts_nsec"},
      {o.comm, "page_owner", "comm"},
      {o.pid, "page_owner", "pid"},
      {o.tgid, "page_owner", "tgid"},
      {o.free_handle, "page_owner", "free_handle"},
      {o.free_pid, "page_owner", "free_pid"},
      {o.free_tgid, "page_owner", "free_tgid"},
      {o.record_size, "stack_record", "size"},
      {o.record_handle, "stack_record", "handle"},
      {o.record_entries, "stack_record", "entries"},
      {o.css_ss, "cgroup_subsys_state", "ss"},
      {o.css_cgroup, "cgroup_subsys_state", "cgroup"},
      {o.css_flags, "cgroup_subsys_state", "flags"},
      {o.cgroup_kn, "cgroup", "kn"},
      {o.kn_id, "kernfs_node", "id"},
      {o.kn_name, "kernfs_node", "name"},
      {o.kn_parent, "kernfs_node",
       types_.offset_of("kernfs_node", "__parent") ? "__parent" : "parent"},
      {o.ns_idr, "pid_namespace", "idr"},
      {o.idr_root, "idr", "idr_rt"},
      {o.root_head, "xarray", "xa_head"},
      {o.node_slots, "xa_node", "slots"},
      {o.pid_tasks, "pid", "tasks"},
      {o.start_time, "task_struct", "start_time"},
      {o.start_boottime, "task_struct", "start_boottime"},
      {o.pid_links, "task_struct", "pid_links"},
  };
  for (const Wanted& entry : wanted) {
    const auto found = entry.member == nullptr ? types_.size_of(entry.type)
                                               : types_.offset_of(entry.type, entry.member);
    if (!found)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("this kernel has no {} {}", entry.type,
                              entry.member == nullptr ? "" : entry.member));
    entry.offset = *found;
  }
  // struct page_owner is the only client, right behind the flags
  o.page_ext_bytes += o.owner;
  return {};
}

Status Machine::make_tables() {
  const std::uint64_t per_root = kPageBytes / offsets_.section_bytes;
  root_blocks_.resize((max_sections_ + per_root - 1) / per_root);
  for (const auto& [block, nr_bytes] :
       {std::pair{&roots_, root_blocks_.size() * 8}, std::pair{&pools_, std::size_t{kMaxPools} * 8},
        std::pair{&memory_subsys_, std::size_t{64}},
        std::pair{&root_cgroup_kn_, std::size_t{kPageBytes}}}) {
    auto made = memory_.allocate(nr_bytes);
    if (!made) return fail(std::move(made).error());
    *block = *made;
  }
  // its name is an empty string, but is one
  put(root_cgroup_kn_.user + offsets_.kn_id, kRootCgroup);
  put(root_cgroup_kn_.user + offsets_.kn_name, root_cgroup_kn_.kernel + kPageBytes - 1);
  return {};
}

Result<Block> Machine::section_block(std::uint64_t section_nr) {
  const std::uint64_t per_root = kPageBytes / offsets_.section_bytes;
  Block& root = root_blocks_.at(section_nr / per_root);
  if (root.user == nullptr) {
    auto made = memory_.allocate(kPageBytes);
    if (!made) return made;
    root = *made;
    put(roots_.user + section_nr / per_root * 8, root.kernel);
  }
  const std::uint64_t at = section_nr % per_root * offsets_.section_bytes;
  return Block{root.user + at, root.kernel + at};
}

void Machine::write_section(std::uint64_t section_nr, const Section& section, bool is_early) {
  const std::uint64_t first = section_nr << kSectionShift;
  // as SECTION_NR_TO_PFN() biases them: entries are found by the absolute PFN
  put(section.self.user + offsets_.mem_map, (section.pages.kernel - first * offsets_.page_bytes) |
                                                kHasMemMap | kPresentBits |
                                                (is_early ? kIsEarly : 0));
  put(section.self.user + offsets_.usage, section.usage.kernel);
  put(section.self.user + offsets_.page_ext,
      section.page_exts.kernel - first * offsets_.page_ext_bytes);
  sections_.at(section_nr) = section;
}

Status Machine::add_section(std::uint64_t section_nr, bool is_early) {
  Section section;
  auto self = section_block(section_nr);
  if (!self) return fail(std::move(self).error());
  section.self = *self;
  const std::size_t bitmap_bytes = (kSectionPages >> kPageblockOrder) * kPageblockBits / 8;
  for (const auto& [block, nr_bytes] :
       {std::pair{&section.usage, std::size_t{offsets_.pageblock_flags} + bitmap_bytes},
        std::pair{&section.pages, std::size_t{kSectionPages} * offsets_.page_bytes},
        std::pair{&section.page_exts, std::size_t{kSectionPages} * offsets_.page_ext_bytes}}) {
    auto made = memory_.allocate(nr_bytes);
    if (!made) return fail(std::move(made).error());
    *block = *made;
  }
  write_section(section_nr, section, is_early);
  return {};
}

Status Machine::add_alias(std::uint64_t section_nr, std::uint64_t of_section_nr) {
  auto self = section_block(section_nr);
  if (!self) return fail(std::move(self).error());
  Section section = sections_.at(of_section_nr).value();
  section.self = *self;
  write_section(section_nr, section, true);
  return {};
}

void Machine::remove_section(std::uint64_t section_nr) {
  put(sections_.at(section_nr).value().self.user + offsets_.mem_map, std::uint64_t{0});
}

void Machine::set_subsection(std::uint64_t section_nr, unsigned index, bool is_present) {
  std::byte* word =
      sections_.at(section_nr).value().usage.user + offsets_.subsection_map + index / 64 * 8;
  const std::uint64_t bit = 1ULL << (index % 64);
  put(word, is_present ? get<std::uint64_t>(word) | bit : get<std::uint64_t>(word) & ~bit);
}

void Machine::set_page_ext(std::uint64_t section_nr, PageExt state) {
  const Section& section = sections_.at(section_nr).value();
  std::uint64_t base =
      section.page_exts.kernel - (section_nr << kSectionShift) * offsets_.page_ext_bytes;
  if (state == PageExt::kInvalid) base |= kPageExtInvalid;
  if (state == PageExt::kNone) base = 0;
  std::atomic_ref(*reinterpret_cast<std::uint64_t*>(section.self.user + offsets_.page_ext))
      .store(base);
}

void Machine::set_page_ext_address(std::uint64_t section_nr, std::uint64_t address) {
  put(sections_.at(section_nr).value().self.user + offsets_.page_ext,
      address - (section_nr << kSectionShift) * offsets_.page_ext_bytes);
}

std::byte* Machine::page_at(std::uint64_t pfn) const {
  return sections_[pfn >> kSectionShift]->pages.user +
         (pfn & (kSectionPages - 1)) * offsets_.page_bytes;
}

std::byte* Machine::ext_at(std::uint64_t pfn) const {
  return sections_[pfn >> kSectionShift]->page_exts.user +
         (pfn & (kSectionPages - 1)) * offsets_.page_ext_bytes;
}

void Machine::allocate(std::uint64_t pfn, const Allocation& a) {
  for (std::uint64_t i = 0; i < 1ULL << a.order; ++i) {
    std::byte* page = page_at(pfn + i);
    put(page, page_flags(a.nid, a.zone, a.page_flags));
    put(page + offsets_.page_type, a.page_type);
    put(page + offsets_.private_word, std::uint64_t{0});
    put(page + offsets_.memcg_data, a.memcg_data);
    put(page + offsets_.mapping, a.mapping);
    put(page + offsets_.refcount, i == 0 ? a.refcount : 0);
    std::byte* owner = owner_at(pfn + i);
    put(owner + offsets_.order, static_cast<std::uint16_t>(a.order));
    put(owner + offsets_.last_migrate_reason, a.last_migrate_reason);
    put(owner + offsets_.gfp_mask, a.gfp_mask);
    put(owner + offsets_.handle, a.handle);
    put(owner + offsets_.ts_nsec, a.ts_nsec);
    put(owner + offsets_.free_ts_nsec, a.free_ts_nsec);
    put(owner + offsets_.pid, a.pid);
    put(owner + offsets_.tgid, a.tgid);
    put(owner + offsets_.free_handle, a.free_handle);
    put(owner + offsets_.free_pid, a.free_pid);
    put(owner + offsets_.free_tgid, a.free_tgid);
    std::array<char, POBPF_COMM_BYTES> comm{};
    a.comm.copy(comm.data(), comm.size());
    put(owner + offsets_.comm, comm);
    put(ext_at(pfn + i), kExtOwner | kExtOwnerAllocated);
  }
}

void Machine::release(std::uint64_t pfn, unsigned order) {
  for (std::uint64_t i = 0; i < 1ULL << order; ++i) put(ext_at(pfn + i), kExtOwner);
}

void Machine::reallocate(std::uint64_t pfn, const Allocation& a,
                         const std::function<void()>& pause) {
  const auto store = [](std::byte* at, auto value) {
    std::atomic_ref(*reinterpret_cast<decltype(value)*>(at)).store(value);
  };
  std::byte* const owner = owner_at(pfn);
  store(ext_at(pfn), kExtOwner);
  store(owner + offsets_.free_ts_nsec, a.free_ts_nsec);
  store(owner + offsets_.handle, a.handle);
  store(owner + offsets_.order, static_cast<std::uint16_t>(a.order));
  store(owner + offsets_.gfp_mask, a.gfp_mask);
  store(owner + offsets_.last_migrate_reason, a.last_migrate_reason);
  store(owner + offsets_.pid, a.pid);
  store(owner + offsets_.tgid, a.tgid);
  store(owner + offsets_.ts_nsec, a.ts_nsec);
  pause();
  std::array<char, POBPF_COMM_BYTES> comm{};
  a.comm.copy(comm.data(), comm.size());
  for (std::size_t i = 0; i < comm.size(); i += sizeof(std::uint64_t))
    store(owner + offsets_.comm + i,
          get<std::uint64_t>(reinterpret_cast<const std::byte*>(comm.data() + i)));
  store(ext_at(pfn), kExtOwner | kExtOwnerAllocated);
}

void Machine::free_block(std::uint64_t pfn, std::uint64_t order) {
  put(page_at(pfn) + offsets_.page_type, kBuddyValue | 0x00ffffffU);
  put(page_at(pfn) + offsets_.private_word, order);
}

void Machine::set_pageblock(std::uint64_t pfn, unsigned migratetype, bool is_isolated) {
  static_assert(kPageblockBits == 8, "a byte a block");
  const Section& section = sections_.at(pfn >> kSectionShift).value();
  put(section.usage.user + offsets_.pageblock_flags +
          ((pfn & (kSectionPages - 1)) >> kPageblockOrder),
      static_cast<std::uint8_t>(migratetype | (is_isolated ? kPageblockIsolateBit : 0)));
}

void Machine::set_page_flags(std::uint64_t pfn, std::uint64_t flags) { put(page_at(pfn), flags); }

void Machine::set_tail(std::uint64_t pfn, std::uint64_t head_pfn) {
  const Section& section = sections_[head_pfn >> kSectionShift].value();
  const std::uint64_t head =
      section.pages.kernel + (head_pfn & (kSectionPages - 1)) * offsets_.page_bytes;
  put(page_at(pfn) + offsets_.compound_head, head | 1);
}

void Machine::set_owner_order(std::uint64_t pfn, std::uint16_t order) {
  put(owner_at(pfn) + offsets_.order, order);
}

void Machine::set_handle(std::uint64_t pfn, std::uint32_t handle) {
  put(owner_at(pfn) + offsets_.handle, handle);
}

void Machine::set_ext_flags(std::uint64_t pfn, std::uint64_t flags) { put(ext_at(pfn), flags); }

bool Machine::is_valid(std::uint64_t pfn) const {
  if (pfn >= max_pfn() || !sections_[pfn >> kSectionShift]) return false;
  const Section& section = *sections_[pfn >> kSectionShift];
  const auto map = get<std::uint64_t>(section.self.user + offsets_.mem_map);
  if ((map & kHasMemMap) == 0) return false;
  if ((map & kIsEarly) != 0) return true;
  const std::uint64_t index = (pfn & (kSectionPages - 1)) >> kSubsectionShift;
  return (get<std::uint64_t>(section.usage.user + offsets_.subsection_map + index / 64 * 8) >>
              (index % 64) &
          1) != 0;
}

bool Machine::has_page_ext(std::uint64_t section_nr) const {
  const auto base =
      get<std::uint64_t>(sections_.at(section_nr).value().self.user + offsets_.page_ext);
  return base != 0 && (base & kPageExtInvalid) == 0;
}

ExtView Machine::ext(std::uint64_t pfn) const {
  const std::byte* owner = owner_at(pfn);
  ExtView view;
  view.flags = get<std::uint64_t>(ext_at(pfn));
  view.order = get<std::uint16_t>(owner + offsets_.order);
  view.last_migrate_reason = get<std::int16_t>(owner + offsets_.last_migrate_reason);
  view.gfp_mask = get<std::uint32_t>(owner + offsets_.gfp_mask);
  view.handle = get<std::uint32_t>(owner + offsets_.handle);
  view.ts_nsec = get<std::uint64_t>(owner + offsets_.ts_nsec);
  view.free_ts_nsec = get<std::uint64_t>(owner + offsets_.free_ts_nsec);
  view.pid = get<std::int32_t>(owner + offsets_.pid);
  view.tgid = get<std::int32_t>(owner + offsets_.tgid);
  view.comm = get<std::array<std::uint8_t, POBPF_COMM_BYTES>>(owner + offsets_.comm);
  return view;
}

PageView Machine::page(std::uint64_t pfn) const {
  const std::byte* page = page_at(pfn);
  return {get<std::uint64_t>(page), get<std::uint64_t>(page + offsets_.private_word),
          get<std::uint32_t>(page + offsets_.page_type)};
}

bool Machine::is_buddy(std::uint64_t pfn) const {
  return (page(pfn).page_type & kBuddyMask) == kBuddyValue;
}

unsigned Machine::pageblock_migratetype(std::uint64_t pfn) const {
  const Section& section = sections_.at(pfn >> kSectionShift).value();
  const auto bits = get<std::uint8_t>(section.usage.user + offsets_.pageblock_flags +
                                      ((pfn & (kSectionPages - 1)) >> kPageblockOrder));
  return (bits & kPageblockIsolateBit) != 0 ? kMigrateIsolate : bits & 7U;
}

Result<std::uint32_t> Machine::add_stack(const std::vector<std::uint64_t>& frames) {
  const auto nr_bytes = static_cast<std::uint32_t>(
      (offsets_.record_entries + frames.size() * 8 + kStackAlign - 1) / kStackAlign * kStackAlign);
  if (nr_pools_ == 0 || pool_used_ + nr_bytes > kPoolBytes) {
    if (nr_pools_ == kMaxPools) return fail(ErrorKind::kFailed, "the stack depot is full");
    auto pool = memory_.allocate(kPoolBytes);
    if (!pool) return fail(std::move(pool).error());
    pool_ = *pool;
    put(pools_.user + std::size_t{nr_pools_} * 8, pool_.kernel);
    ++nr_pools_;
    pool_used_ = 0;
  }
  // pool_index_plus_1: the number of the last pool, counted from one
  const std::uint32_t handle = nr_pools_ | pool_used_ / kStackAlign << kHandleOffsetShift;
  std::byte* record = pool_.user + pool_used_;
  put(record + offsets_.record_size, static_cast<std::uint32_t>(frames.size()));
  put(record + offsets_.record_handle, handle);
  std::memcpy(record + offsets_.record_entries, frames.data(), frames.size() * 8);
  pool_used_ += nr_bytes;
  return handle;
}

Result<std::uint64_t> Machine::add_cgroup(std::uint64_t id, std::string_view name, bool is_online,
                                          std::uint64_t above) {
  auto memcg = memory_.allocate(
      std::max({offsets_.css_ss, offsets_.css_cgroup, offsets_.css_flags}) + sizeof(std::uint64_t));
  auto cgroup = memory_.allocate(offsets_.cgroup_kn + sizeof(std::uint64_t));
  auto kn = memory_.allocate(std::max({offsets_.kn_id, offsets_.kn_name, offsets_.kn_parent}) +
                             sizeof(std::uint64_t));
  auto text = memory_.allocate(POBPF_PATH_NAME_BYTES);
  for (auto* made : {&memcg, &cgroup, &kn, &text})
    if (!*made) return fail(std::move(*made).error());
  // css is the first member of struct mem_cgroup, in all versions
  put(memcg->user + offsets_.css_ss, memory_subsys_.kernel);
  put(memcg->user + offsets_.css_cgroup, cgroup->kernel);
  put(memcg->user + offsets_.css_flags, is_online ? kCssOnline : 0U);
  put(cgroup->user + offsets_.cgroup_kn, kn->kernel);
  put(kn->user + offsets_.kn_id, id);
  put(kn->user + offsets_.kn_name, text->kernel);
  put(kn->user + offsets_.kn_parent,
      above == 0 ? root_cgroup_kn_.kernel : cgroup_kns_.at(above).kernel);
  cgroup_kns_[id] = *kn;
  cgroup_names_[id] = *text;
  rename_cgroup(id, name);
  return memcg->kernel;
}

void Machine::rename_cgroup(std::uint64_t id, std::string_view name) {
  std::array<char, POBPF_PATH_NAME_BYTES> text{};
  name.copy(text.data(), text.size() - 1);
  put(cgroup_names_.at(id).user, text);
}

void Machine::hide_cgroup_name(std::uint64_t id) {
  constexpr std::uint64_t kUnreadable = 0xffff'ffff'ffe0'0000;
  put(cgroup_kns_.at(id).user + offsets_.kn_name, kUnreadable);
}

Status Machine::add_process(std::uint32_t tgid, std::uint64_t start_ns) {
  const std::uint32_t head = offsets_.ns_idr + offsets_.idr_root + offsets_.root_head;
  if (pid_ns_.user == nullptr) {
    for (auto [block, nr_bytes] :
         {std::pair{&pid_ns_, std::size_t{head} + sizeof(std::uint64_t)},
          std::pair{&pid_node_, offsets_.node_slots + kPidSlots * sizeof(std::uint64_t)}}) {
      auto made = memory_.allocate(nr_bytes);
      if (!made) return fail(std::move(made).error());
      *block = *made;
    }
    // xa_mk_node(); its shift is 0, as it has leaves only
    put(pid_ns_.user + head, pid_node_.kernel | 2);
  }
  auto pid = memory_.allocate(offsets_.pid_tasks + kPidTypes * sizeof(std::uint64_t));
  if (!pid) return fail(std::move(pid).error());
  auto task = memory_.allocate(
      std::max({offsets_.start_time, offsets_.start_boottime, offsets_.pid_links}) + 64);
  if (!task) return fail(std::move(task).error());
  put(task->user + offsets_.start_time, start_ns);
  put(task->user + offsets_.start_boottime, start_ns);
  put(pid->user + offsets_.pid_tasks + kPidTypeTgid * sizeof(std::uint64_t),
      task->kernel + offsets_.pid_links + std::uint64_t{kPidTypeTgid} * 16);
  put(pid_node_.user + offsets_.node_slots + tgid % kPidSlots * sizeof(std::uint64_t), pid->kernel);
  return {};
}

Status Machine::set_local_clock(std::uint64_t ns) {
  if (local_clock_.user == nullptr) {
    constexpr std::size_t kCpusMax = 8192;
    for (auto [block, nr_bytes] :
         {std::pair{&local_clock_, sizeof(std::uint64_t)},
          std::pair{&per_cpu_offsets_, kCpusMax * sizeof(std::uint64_t)}}) {
      auto made = memory_.allocate(nr_bytes);
      if (!made) return fail(std::move(made).error());
      *block = *made;
    }
  }
  put(local_clock_.user, ns);
  return {};
}

Result<MachineFacts> Machine::facts() const {
  MachineFacts facts;
  facts.text = text_facts();
  auto& layout = facts.layout;
  layout.mem_section_roots = roots_.kernel;
  layout.nr_section_roots = root_blocks_.size();
  layout.section_map_mask = kMemMapMask;
  layout.section_has_mem_map = kHasMemMap;
  layout.section_is_early = kIsEarly;
  layout.page_ext_size = offsets_.page_ext_bytes;
  layout.page_owner_offset = offsets_.owner;
  layout.memory_cgrp_subsys = memory_subsys_.kernel;
  layout.stack_pools = pools_.kernel;
  layout.init_pid_ns = pid_ns_.kernel;
  layout.pidtype_tgid = kPidTypeTgid;
  layout.rq_clock = local_clock_.kernel;
  layout.per_cpu_offsets = per_cpu_offsets_.kernel;
  layout.section_root_shift =
      static_cast<std::uint32_t>(std::countr_zero(kPageBytes / offsets_.section_bytes));
  layout.pfn_section_shift = kSectionShift;
  layout.pfn_subsection_shift = kSubsectionShift;
  layout.max_page_order = kMaxPageOrder;
  layout.buddy_mask = kBuddyMask;
  layout.buddy_value = kBuddyValue;
  layout.node_shift = kNodeShift;
  layout.node_mask = (1U << kNodeBits) - 1;
  layout.zone_shift = kZoneShift;
  layout.zone_mask = (1U << kZoneBits) - 1;
  layout.owner_bit = kExtOwner;
  layout.owner_allocated_bit = kExtOwnerAllocated;
  layout.pageblock_order = kPageblockOrder;
  layout.pageblock_bits = kPageblockBits;
  layout.pageblock_isolate_bit = kPageblockIsolateBit;
  layout.migrate_isolate = kMigrateIsolate;
  layout.handle_pool_shift = 0;
  layout.handle_pool_mask = (1U << kHandleOffsetShift) - 1;
  layout.handle_pool_base = 1;
  layout.handle_offset_shift = kHandleOffsetShift;
  layout.handle_offset_mask = 0x3ff;

  facts.max_pfn = max_pfn();
  facts.max_nodes = 1U << kNodeBits;
  facts.node_spans = nodes_;
  if (nodes_.empty()) facts.node_spans.push_back({0, {0, max_pfn()}});
  for (const NodeSpan& node : facts.node_spans) facts.memory_nodes.set(node.nid);
  facts.cast_ids = make_cast_ids(types_);
  facts.page_types = make_page_types(types_.enumerators("pagetype"));
  facts.blockers = make_blocker_facts(types_, facts.page_types);
  facts.programs = program_variant(types_);
  facts.symbol_source = "the synthetic machine";
  facts.pageblock_order_source = facts.symbol_source;
  if (present_) {
    facts.present = *present_;
    return facts;
  }
  auto memory = KernelMemory::open({}, {});
  if (!memory) return fail(std::move(memory).error());
  auto sections = read_sections(types_, *memory, layout);
  if (!sections) return fail(std::move(sections).error());
  facts.present = std::move(sections->present);
  return facts;
}

Result<std::unique_ptr<Session>> Machine::open_session(const SessionOptions& options) const {
  auto made = facts();
  if (!made) return fail(std::move(made).error());
  auto types = KernelBtf::load_file(btf_->path());
  if (!types) return fail(std::move(types).error());
  hide_features(options, *types);
  made->missing_fields = missing_fields(*types);
  made->programs = program_variant(*types);
  made->symbol_sources = symbol_sources(*types);
  if (auto status = set_program_ids(types_); !status) return fail(std::move(status).error());
  return open_session_on(*std::move(made), options, *types);
}

const std::byte* Machine::section_pages(std::uint64_t section_nr) const {
  return sections_.at(section_nr).value().pages.user;
}

const std::byte* Machine::section_page_exts(std::uint64_t section_nr) const {
  return sections_.at(section_nr).value().page_exts.user;
}

}  // namespace pobpf::synthetic
