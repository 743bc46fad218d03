// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/block_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/page_limits.h"
#include "snapshot/contradiction.h"
#include "snapshot/format.h"
#include "snapshot/numbers.h"
#include "snapshot/text_list.h"

namespace pobpf {
namespace {

/// Length of a table whose columns, those that are there, must have one length.
class TableLength {
 public:
  /// Whether the column is there.
  bool add(std::size_t size) {
    if (size == 0) return false;
    if (length_ != 0 && size != length_) is_uneven_ = true;
    length_ = size;
    return true;
  }
  bool add(int size) { return add(static_cast<std::size_t>(size)); }
  [[nodiscard]] std::size_t get() const { return length_; }
  [[nodiscard]] bool is_uneven() const { return is_uneven_; }

 private:
  std::size_t length_ = 0;
  bool is_uneven_ = false;
};

/// Calls `put(page, value)` for each page, once all is known to fit: a value a page, all at most
/// `max`.
template <typename Page, typename Put>
Status expand(const snapshot::Column& column, const char* name, std::uint32_t max,
              std::vector<Page>& pages, Put&& put) {
  const bool has_runs = column.run_size() != 0;
  auto nr_pages = static_cast<std::size_t>(column.value_size());
  if (has_runs) {
    if (column.run_size() != column.value_size())
      return contradiction(fmt::format("the column {} has {} values and {} runs", name,
                                       column.value_size(), column.run_size()));
    nr_pages = 0;
    for (const std::uint32_t run : column.run()) {
      if (run == 0 || run > pages.size() - nr_pages)
        return contradiction(fmt::format("the runs of the column {} do not fit its pages", name));
      nr_pages += run;
    }
  }
  if (nr_pages != pages.size())
    return contradiction(
        fmt::format("the column {} has {} values for {} pages", name, nr_pages, pages.size()));
  for (const std::uint32_t value : column.value())
    if (value > max)
      return contradiction(fmt::format("the column {} has an impossible value", name));

  auto page = pages.begin();
  for (int i = 0; i < column.value_size(); ++i) {
    const auto end = page + (has_runs ? static_cast<std::ptrdiff_t>(column.run(i)) : 1);
    for (; page != end; ++page) put(*page, column.value(i));
  }
  return {};
}

template <typename Page, typename Put>
Status expand_index(const snapshot::Column& column, const char* name, std::size_t length,
                    std::vector<Page>& pages, Put&& put) {
  if (length == 0)
    return contradiction(fmt::format("the column {} refers to an empty table", name));
  if (length > kBlockPagesMax)
    return contradiction(fmt::format("the column {} refers to a table that is too long", name));
  return expand(column, name, static_cast<std::uint32_t>(length - 1), pages,
                [&](Page& page, std::uint32_t value) { put(page, static_cast<int>(value)); });
}

constexpr PageFields kOfSite = PageField::kHandle | PageField::kOrder | PageField::kGfpMask;
constexpr PageFields kOfTask = PageField::kPid | PageField::kTgid | PageField::kComm;

/// Fields that there are columns of.
PageFields known_fields(const snapshot::Pages& message) {
  const std::pair<PageField, bool> columns[] = {
      {PageField::kHandle, message.has_site() && message.sites().handle_size() != 0},
      {PageField::kOrder, message.has_site() && message.sites().order_size() != 0},
      {PageField::kGfpMask, message.has_site() && message.sites().gfp_mask_size() != 0},
      {PageField::kPid, message.has_task() && message.tasks().pid_size() != 0},
      {PageField::kTgid, message.has_task() && message.tasks().tgid_size() != 0},
      {PageField::kComm, message.has_task() && !message.tasks().comm().empty()},
      {PageField::kTsNsec, message.has_ts_nsec()},
      {PageField::kFreeTsNsec, message.has_was_freed()},
      {PageField::kFlags, message.has_flags() && !message.has_flag_names_only()},
      {PageField::kFlagNames, message.has_flags() && message.has_flag_names_only()},
      {PageField::kPageblockMigratetype, message.has_pageblock_migratetype()},
      {PageField::kLastMigrateReason, message.has_last_migrate_reason()},
      {PageField::kMemcg, message.has_charge()},
      {PageField::kPfn, message.has_gap()},
      {PageField::kKind, message.has_kind()},
      {PageField::kFreeSide, message.has_free_side()},
      {PageField::kProcess, message.has_process()}};
  PageFields fields = 0;
  for (const auto& [field, is_there] : columns)
    if (is_there) fields = fields | field;
  return fields;
}

class Decoder {
 public:
  Decoder(const snapshot::Pages& message, DecodedBlock& block, PageFields wanted)
      : message_(message),
        wanted_(wanted),
        pages_(block.pages),
        details_(block.details),
        fields_(block.fields) {}

  Status decode() {
    struct Part {
      PageFields fields;
      Status (Decoder::*read)();
    };
    // PFNs are kept by order
    const Part parts[] = {{kOfSite | PageField::kPfn, &Decoder::read_sites},
                          {kOfTask, &Decoder::read_tasks},
                          {PageFields{} | PageField::kPfn, &Decoder::read_pfns},
                          {PageFields{} | PageField::kTsNsec, &Decoder::read_times},
                          {PageFields{} | PageField::kFreeTsNsec, &Decoder::read_free_times},
                          {PageField::kFlags | PageField::kFlagNames, &Decoder::read_flags},
                          {PageField::kPageblockMigratetype | PageField::kLastMigrateReason,
                           &Decoder::read_migration},
                          {PageFields{} | PageField::kMemcg, &Decoder::read_charges},
                          {PageFields{} | PageField::kKind, &Decoder::read_kinds},
                          {PageFields{} | PageField::kFreeSide, &Decoder::read_free_sides},
                          {PageFields{} | PageField::kProcess, &Decoder::read_processes}};
    fields_ = known_fields(message_);
    for (const Part& part : parts) {
      if ((wanted_ & part.fields) == 0) continue;
      if (auto status = (this->*part.read)(); !status) return status;
    }
    return read_states();
  }

 private:
  Status read_states() {
    if (!message_.has_is_freed()) return {};
    return expand(message_.is_freed(), "is_freed", 1, pages_,
                  [](pobpf_page& page, std::uint32_t value) {
                    if (value != 0) page.kind = POBPF_ITEM_FREED_PAGE;
                  });
  }

  Status read_sites() {
    if (!message_.has_site()) return {};
    const auto& sites = message_.sites();
    TableLength length;
    const bool has_handle = length.add(sites.handle_size());
    const bool has_order = length.add(sites.order_size());
    const bool has_gfp_mask = length.add(sites.gfp_mask_size());
    if (length.is_uneven()) return contradiction("the columns of its sites differ in length");
    if (std::any_of(sites.order().begin(), sites.order().end(),
                    [](std::uint32_t order) { return order > kOrderMax; }))
      return contradiction("it has an order that no kernel has");
    return expand_index(message_.site(), "site", length.get(), pages_,
                        [&](pobpf_page& page, int site) {
                          if (has_handle) page.handle = sites.handle(site);
                          if (has_order) page.order = static_cast<std::uint16_t>(sites.order(site));
                          if (has_gfp_mask) page.gfp_mask = sites.gfp_mask(site);
                        });
  }

  Status read_tasks() {
    if (!message_.has_task()) return {};
    const auto& tasks = message_.tasks();
    TableLength length;
    const bool has_pid = length.add(tasks.pid_size());
    const bool has_tgid = length.add(tasks.tgid_size());
    const bool has_comm = length.add(nr_texts_of(tasks.comm()));
    if (length.is_uneven()) return contradiction("the columns of its tasks differ in length");
    std::vector<std::string_view> comms;
    if (has_comm && length.get() <= kBlockPagesMax) {
      if (!is_list_of(tasks.comm(), length.get(), kCommBytesMax))
        return contradiction("the name of a task is too long");
      for (std::string_view list = tasks.comm(); !list.empty();) comms.push_back(take_text(list));
    }
    return expand_index(
        message_.task(), "task", length.get(), pages_, [&](pobpf_page& page, int task) {
          if (has_pid) page.pid = tasks.pid(task);
          if (has_tgid) page.tgid = tasks.tgid(task);
          if (!has_comm) return;
          const std::string_view comm = comms[static_cast<std::size_t>(task)];
          std::memcpy(page.comm, comm.data(), std::min(comm.size(), sizeof(page.comm)));
        });
  }

  Status read_pfns() {
    if (!message_.has_gap()) return {};
    const bool has_order = has_field(fields_, PageField::kOrder);
    std::vector<std::int64_t> gaps;
    if (!read_numbers(message_.gap(), pages_.size(), gaps))
      return contradiction("the column gap does not fit its pages");
    std::uint64_t next_pfn = 0;
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      pages_[i].pfn = plus(next_pfn, gaps[i]);
      next_pfn = end_pfn(pages_[i].pfn, has_order ? pages_[i].order : 0);
    }
    return {};
  }

  Status read_times() {
    if (!message_.has_ts_nsec()) return {};
    std::vector<std::uint64_t> times;
    if (!read_differences(message_.ts_nsec(), pages_.size(), times))
      return contradiction("the column ts_nsec does not fit its pages");
    for (std::size_t i = 0; i < pages_.size(); ++i) pages_[i].ts_nsec = times[i];
    return {};
  }

  Status read_free_times() {
    if (!message_.has_was_freed()) return {};
    std::vector<pobpf_page*> freed;
    auto status = expand(message_.was_freed(), "was_freed", 1, pages_,
                         [&](pobpf_page& page, std::uint32_t was_freed) {
                           if (was_freed != 0) freed.push_back(&page);
                         });
    if (!status) return status;
    std::vector<std::uint64_t> times;
    if (!read_differences(message_.free_ts_nsec(), freed.size(), times))
      return contradiction("the column free_ts_nsec does not fit its pages");
    for (std::size_t i = 0; i < freed.size(); ++i) freed[i]->free_ts_nsec = times[i];
    return {};
  }

  Status read_flags() {
    if (!message_.has_flags()) return {};
    return expand_index(
        message_.flags(), "flags", static_cast<std::size_t>(message_.flag_words_size()), pages_,
        [&](pobpf_page& page, int word) { page.flags = message_.flag_words(word); });
  }

  Status read_migration() {
    if (message_.has_pageblock_migratetype()) {
      auto status = expand(message_.pageblock_migratetype(), "pageblock_migratetype", UINT8_MAX,
                           pages_, [](pobpf_page& page, std::uint32_t value) {
                             page.pageblock_migratetype = static_cast<std::uint8_t>(value);
                           });
      if (!status) return status;
    }
    if (!message_.has_last_migrate_reason()) return {};
    return expand(message_.last_migrate_reason(), "last_migrate_reason", UINT16_MAX, pages_,
                  [](pobpf_page& page, std::uint32_t value) {
                    page.last_migrate_reason = static_cast<std::int16_t>(from_zigzag(value));
                  });
  }

  Status read_charges() {
    if (!message_.has_charge()) return {};
    const auto& charges = message_.charges();
    if (charges.cgroup_id_size() != charges.flags_size())
      return contradiction("the columns of its charges differ in length");
    if (std::any_of(charges.flags().begin(), charges.flags().end(),
                    [](std::uint32_t flags) { return flags > UINT8_MAX; }))
      return contradiction("it has an impossible charge");
    return expand_index(message_.charge(), "charge", static_cast<std::size_t>(charges.flags_size()),
                        pages_, [&](pobpf_page& page, int charge) {
                          page.cgroup_id = charges.cgroup_id(charge);
                          page.memcg_flags = static_cast<std::uint8_t>(charges.flags(charge));
                        });
  }

  Status read_kinds() {
    if (!message_.has_kind()) return {};
    const auto& kinds = message_.kinds();
    if (kinds.page_type_size() != kinds.flags_size() || kinds.mapping_size() != kinds.flags_size())
      return contradiction("the columns of its kinds differ in length");
    details_.resize(pages_.size());
    return expand_index(message_.kind(), "kind", static_cast<std::size_t>(kinds.flags_size()),
                        details_, [&](pobpf_page_detail& detail, int kind) {
                          detail.kind_flags = kinds.flags(kind);
                          detail.page_type = kinds.page_type(kind);
                          const std::uint32_t mapping = kinds.mapping(kind);
                          if (mapping <= POBPF_MAPPING_FILE)
                            detail.mapping = static_cast<std::uint8_t>(mapping);
                        });
  }

  Status read_free_sides() {
    if (!message_.has_free_side()) return {};
    const auto& sides = message_.free_sides();
    const bool has_pid = sides.pid_size() != 0;
    const int nr_pids = has_pid ? sides.handle_size() : 0;
    if (sides.pid_size() != nr_pids || sides.tgid_size() != nr_pids)
      return contradiction("the columns of its free sides differ in length");
    details_.resize(pages_.size());
    return expand_index(message_.free_side(), "free_side",
                        static_cast<std::size_t>(sides.handle_size()), details_,
                        [&](pobpf_page_detail& detail, int side) {
                          detail.free_handle = sides.handle(side);
                          if (!has_pid) return;
                          detail.has_free_pid = 1;
                          detail.free_pid = sides.pid(side);
                          detail.free_tgid = sides.tgid(side);
                        });
  }

  Status read_processes() {
    if (!message_.has_process()) return {};
    details_.resize(pages_.size());
    return expand(message_.process(), "process", UINT32_MAX, details_,
                  [](pobpf_page_detail& detail, std::uint32_t state) {
                    if (state <= POBPF_PROCESS_REUSED)
                      detail.process_state = static_cast<std::uint8_t>(state);
                  });
  }

  const snapshot::Pages& message_;
  PageFields wanted_;
  std::vector<pobpf_page>& pages_;
  std::vector<pobpf_page_detail>& details_;
  PageFields& fields_;
};

}  // namespace

Status decode_groups(const snapshot::Groups& message, DecodedGroups& groups) {
  if (auto status = decode_block(message.record(), groups.records); !status) return status;
  const std::size_t nr_groups = groups.records.pages.size();
  groups.nr_allocations.clear();
  groups.nr_pages.clear();
  groups.labels.clear();
  std::vector<std::int64_t> numbers;
  for (auto [has_column, column, values] :
       {std::tuple(message.has_nr_allocations(), &message.nr_allocations(), &groups.nr_allocations),
        {message.has_nr_pages(), &message.nr_pages(), &groups.nr_pages}}) {
    if (!has_column) continue;
    if (!read_numbers(*column, nr_groups, numbers))
      return contradiction("the columns of its groups differ in length");
    values->assign(numbers.begin(), numbers.end());
  }
  if (message.label().empty()) return {};
  if (!is_list_of(message.label(), nr_groups, kNameBytesMax))
    return contradiction("the labels of its groups are too long, or not as many as they");
  for (std::string_view list = message.label(); !list.empty();)
    groups.labels.emplace_back(take_text(list));
  return {};
}

Status decode_block(const snapshot::Pages& message, DecodedBlock& block, PageFields wanted) {
  block.pages.clear();
  block.details.clear();
  block.fields = 0;
  if (message.nr_pages() == 0 || message.nr_pages() > kBlockPagesMax)
    return contradiction(fmt::format("it says that it has {} pages, where 1 to {} are possible",
                                     message.nr_pages(), kBlockPagesMax));
  pobpf_page empty{};
  empty.kind = POBPF_ITEM_PAGE;
  block.pages.assign(message.nr_pages(), empty);
  return Decoder(message, block, wanted).decode();
}

}  // namespace pobpf
