// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "snapshot/page_blockers.h"
#include "snapshot/page_filter.h"

namespace pobpf {
namespace {

/// Null: the block has none.
const pobpf_page_detail* detail_of(const DecodedBlock& block, std::size_t i) {
  return block.details.empty() ? nullptr : &block.details[i];
}

/// The blocks of a file, and what becomes of their pages under a filter.
class FilteredBlocks {
 public:
  FilteredBlocks(SnapshotReader& reader, PageFilter filter, FreedPages freed_pages)
      : reader_(reader), filter_(std::move(filter)), freed_pages_(freed_pages) {
    start_.is_of_walk = false;
  }

  /// The next block; null at the end.
  Result<const DecodedBlock*> next() {
    auto block = reader_.next();
    if (!block) return block;
    if (*block == nullptr) {
      const auto& footer = reader_.footer();
      if (footer && footer->account) start_ = *footer->account;
      if (!takes_sums_ && reader_.nr_groups() != 0 && reader_.nr_pages() == 0)
        return fail(ErrorKind::kFailed,
                    fmt::format("the snapshot has only sums ({}), and no pages to show",
                                reader_.nr_groups()),
                    "it was imported from a text that summed up already");
      return block;
    }
    if (!filter_.is_empty())
      if (auto status = filter_.check_fields((*block)->fields); !status)
        return fail(std::move(status).error());
    start_.pages += (*block)->pages.size();
    start_.emitted += (*block)->pages.size();
    return block;
  }

  /// False if the page is counted as not shown.
  bool passes(const pobpf_page& page, const pobpf_page_detail* detail) {
    if (freed_pages_ == FreedPages::kLeaveOut && is_freed(page)) {
      ++dropped_.freed;
      return false;
    }
    if (filter_.is_empty()) return true;
    pobpf_filter filter{};
    switch (filter_.judge(page, detail, filter)) {
      case PageFilter::Verdict::kWanted:
        return true;
      case PageFilter::Verdict::kFiltered:
        ++dropped_.filtered.at(filter);
        break;
      case PageFilter::Verdict::kOutside:
        ++dropped_.outside;
        break;
      case PageFilter::Verdict::kUnknown:
        ++dropped_.errors;
        break;
    }
    return false;
  }

  /// Whether passes() is to be asked.
  [[nodiscard]] bool is_filtering(const DecodedBlock& block) const {
    return !filter_.is_empty() ||
           (freed_pages_ == FreedPages::kLeaveOut && std::ranges::any_of(block.pages, is_freed));
  }

  /// Sums without pages are added to `sums`, which must live as long.
  void add_sums_to(PageSums& sums) {
    takes_sums_ = true;
    reader_.set_on_groups([this, &sums](const DecodedGroups& groups) -> Status {
      const auto& records = groups.records;
      if (!filter_.is_empty())
        if (auto status = filter_.check_fields(records.fields); !status) return status;
      const auto at = [](const std::vector<std::uint64_t>& numbers, std::size_t i) {
        return numbers.empty() ? std::nullopt : std::optional(numbers[i]);
      };
      sums.limit_groups(reader_.budget().groups_max());
      for (std::size_t i = 0; i < records.pages.size(); ++i) {
        if (is_freed(records.pages[i])) continue;
        pobpf_filter filter{};
        if (!filter_.is_empty() &&
            filter_.judge(records.pages[i], nullptr, filter) != PageFilter::Verdict::kWanted)
          continue;
        if (auto status = sums.add_sum(records.pages[i], records.fields,
                                       at(groups.nr_allocations, i), at(groups.nr_pages, i));
            !status)
          return status;
      }
      return {};
    });
  }

  /// That of the recording once all is read (until then, or if that is lost, that of the pages so
  /// far), with what was dropped here under its own reason.
  [[nodiscard]] Account account() const {
    Account account = start_;
    account.emitted -= dropped_.nr_filtered() + dropped_.outside + dropped_.errors + dropped_.freed;
    // as the live account has it: pages that no window covers
    account.pages -= dropped_.outside;
    account.outside += dropped_.outside;
    account.errors += dropped_.errors;
    account.freed += dropped_.freed;
    for (std::size_t i = 0; i < account.filtered.size(); ++i)
      account.filtered.at(i) += dropped_.filtered.at(i);
    return account;
  }
  /// In bytes of the file.
  [[nodiscard]] Progress progress() const { return {reader_.bytes_read(), reader_.file_bytes()}; }

 private:
  SnapshotReader& reader_;
  PageFilter filter_;
  FreedPages freed_pages_;
  Account start_;
  Account dropped_;
  bool takes_sums_ = false;
};

class FileReader final : public PageReader {
 public:
  FileReader(FilteredBlocks blocks, pobpf_mode mode) : blocks_(std::move(blocks)), mode_(mode) {}

  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    details_ = {};
    auto block = blocks_.next();
    if (!block) return fail(std::move(block).error());
    at_end = *block == nullptr;
    if (at_end) {
      account_ = blocks_.account();
      return std::span<const pobpf_page>();
    }
    fields_ = (*block)->fields;
    const auto pages = blocks_.is_filtering(**block) ? filtered(**block) : whole(**block);
    account_ = blocks_.account();
    return pages;
  }
  void set_read_bytes(std::size_t /*nr_bytes*/) override {}
  [[nodiscard]] const Account& account() const override { return account_; }
  [[nodiscard]] Progress progress() const override { return blocks_.progress(); }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }
  [[nodiscard]] PageFields fields() const override { return fields_; }
  [[nodiscard]] std::span<const pobpf_page_detail> details() const override { return details_; }

 private:
  std::span<const pobpf_page> whole(const DecodedBlock& block) {
    details_ = block.details;
    return block.pages;
  }
  std::span<const pobpf_page> filtered(const DecodedBlock& block) {
    wanted_pages_.clear();
    wanted_details_.clear();
    for (std::size_t i = 0; i < block.pages.size(); ++i) {
      if (!blocks_.passes(block.pages[i], detail_of(block, i))) continue;
      wanted_pages_.push_back(block.pages[i]);
      if (!block.details.empty()) wanted_details_.push_back(block.details[i]);
    }
    details_ = wanted_details_;
    return wanted_pages_;
  }

  FilteredBlocks blocks_;
  pobpf_mode mode_;
  PageFields fields_ = 0;
  std::vector<pobpf_page> wanted_pages_;
  std::vector<pobpf_page_detail> wanted_details_;
  std::span<const pobpf_page_detail> details_;
  Account account_;
};

}  // namespace

SnapshotSession::SnapshotSession(std::unique_ptr<SnapshotReader> reader)
    : reader_(std::move(reader)) {
  for (const NodeSpan& node : reader_->header().nodes) memory_nodes_.set(node.nid);
}

Result<std::unique_ptr<SnapshotSession>> SnapshotSession::open(const std::filesystem::path& path,
                                                               DamagePolicy policy) {
  auto reader = SnapshotReader::open(path, policy);
  if (!reader) return fail(std::move(reader).error());
  if (!(*reader)->header().facts)
    return fail(ErrorKind::kFailed,
                fmt::format("{} lacks the names that its kernel prints", path.string()),
                "a newer pobpf may show it");
  // make_unique() cannot reach the constructor
  return std::unique_ptr<SnapshotSession>(new SnapshotSession(*std::move(reader)));
}

ListingSource listing_source_of(const SnapshotHeader& header) {
  const auto text = [](const std::string& value) {
    return value.empty() ? ListingFact() : ListingFact(value);
  };
  const auto number = [](std::optional<std::uint64_t> value) {
    return value ? ListingFact(*value) : ListingFact();
  };
  const auto if_not_0 = [](std::uint64_t value) {
    return value == 0 ? ListingFact() : ListingFact(value);
  };
  return {*header.facts,
          header.page_types,
          header.nodes,
          {{"pobpf_version", text(header.pobpf_version)},
           {"kernel_release", text(header.kernel_release)},
           {"kernel_version", text(header.kernel_version)},
           {"machine", text(header.machine)},
           {"hostname", text(header.hostname)},
           {"command_line", text(header.command_line)},
           {"boot_id", text(header.boot_id)},
           {"filters", text(header.filters)},
           {"page_size", if_not_0(header.page_size)},
           {"wall_clock_ns", number(header.wall_clock_ns)},
           {"local_clock_ns", number(header.local_clock_ns)},
           {"max_nodes", if_not_0(header.max_nodes)}}};
}

ListingDamage SnapshotSession::damage() const {
  const SnapshotLosses& losses = reader_->losses();
  ListingDamage damage;
  damage.is_empty = losses.is_empty();
  damage.nr_places = losses.nr_places;
  if (losses.nr_places != 0) damage.nr_pages = losses.nr_pages;
  return damage;
}

std::vector<std::pair<std::string, std::string>> SnapshotSession::describe() const {
  const SnapshotHeader& header = reader_->header();
  std::vector<std::pair<std::string, std::string>> lines = {
      {"recorded by", "pobpf " + header.pobpf_version},
      {"host", header.hostname},
      {"kernel", header.kernel_release + " " + header.kernel_version},
      {"machine", header.machine},
      {"command line", header.command_line},
      {"boot id", header.boot_id},
      {"filters", header.filters.empty() ? "none" : header.filters},
      {"reason", header.reason.empty() ? "somebody asked for it" : header.reason},
      {"nodes", format_nodelist(memory_nodes_)}};
  if (header.wall_clock_ns)
    lines.emplace_back("recorded at", fmt::format("{} ns since 1970", *header.wall_clock_ns));
  if (header.local_clock_ns)
    lines.emplace_back("local clock", fmt::format("{} ns", *header.local_clock_ns));
  return lines;
}

Result<std::uint64_t> SnapshotSession::now_ns() const {
  const auto& clock = reader_->header().local_clock_ns;
  if (!clock)
    return fail(ErrorKind::kFailed, "the snapshot does not say when it was recorded",
                "sort by something else than age");
  return *clock;
}

std::uint64_t SnapshotSession::page_bytes() const {
  constexpr std::uint64_t kUsual = 4096;
  const std::uint64_t recorded = reader_->header().page_size;
  return recorded == 0 ? kUsual : recorded;
}

Status SnapshotSession::limit(PageSums& sums) {
  sums.limit_groups(reader_->budget().groups_max());
  // each may become a row with its stack
  for (; nr_limited_groups_ < sums.groups().size(); ++nr_limited_groups_)
    if (auto status = reader_->show_stack(sums.groups()[nr_limited_groups_].key.handle); !status)
      return status;
  return {};
}

Status SnapshotSession::take_turn() {
  if (!std::exchange(is_taken_, true)) return {};
  return fail(ErrorKind::kFailed, "the snapshot was read already", "open it again");
}

Result<std::unique_ptr<PageReader>> SnapshotSession::open_reader(const ReaderView& view) {
  return open_reader(view, FreedPages::kShow);
}

Result<std::unique_ptr<PageReader>> SnapshotSession::open_reader(const ReaderView& view,
                                                                 FreedPages freed_pages) {
  auto filter = PageFilter::make(view.filter, reader_->header(), *this);
  if (!filter) return fail(std::move(filter).error());
  if (auto status = take_turn(); !status) return fail(std::move(status).error());
  return std::make_unique<FileReader>(FilteredBlocks(*reader_, *std::move(filter), freed_pages),
                                      view.mode);
}

Result<GroupSums> SnapshotSession::sum_groups(const ReaderView& view, const SumRequest& request,
                                              const ProgressCallback& on_progress) {
  auto filter = PageFilter::make(view.filter, reader_->header(), *this);
  if (!filter) return fail(std::move(filter).error());
  if (auto status = take_turn(); !status) return fail(std::move(status).error());
  PageSums sums(request, facts(), page_types());
  reader_->set_wanted(sums.wanted_fields() | filter->needed_fields());
  FilteredBlocks blocks(*reader_, *std::move(filter), FreedPages::kLeaveOut);
  blocks.add_sums_to(sums);
  while (true) {
    auto block = blocks.next();
    if (!block) return fail(std::move(block).error());
    if (auto status = limit(sums); !status) return fail(std::move(status).error());
    if (*block == nullptr) break;
    if (auto status = sums.check_fields((*block)->fields); !status)
      return fail(std::move(status).error());
    for (std::size_t i = 0; i < (*block)->pages.size(); ++i) {
      const pobpf_page& page = (*block)->pages[i];
      const pobpf_page_detail* detail = detail_of(**block, i);
      if (blocks.passes(page, detail)) sums.add(page, detail);
    }
    if (on_progress && !on_progress(blocks.progress()))
      return fail(ErrorKind::kFailed, "interrupted");
  }
  auto result = sums.take();
  if (result) result->account = blocks.account();
  return result;
}

namespace {

/// Where pages that pass a view can be; empty where that is not known.
std::vector<PfnRange> memory_of(const ReaderView& view, const std::vector<NodeSpan>& nodes) {
  // zones are known of pages with a record only
  if (!view.filter.zones.is_empty()) return {};
  std::vector<PfnRange> memory;
  for (const NodeSpan& node : nodes)
    if (!view.filter.nodes || view.filter.nodes->test(node.nid)) memory.push_back(node.pfns);
  memory = joined(std::move(memory));
  const auto& pfns = view.filter.pfns;
  if (!pfns.wanted.empty()) memory = intersection(memory, joined(pfns.wanted));
  if (!pfns.rejected.empty()) memory = intersection(memory, complement(joined(pfns.rejected)));
  return memory;
}

}  // namespace

Result<Account> SnapshotSession::read_blockers(const ReaderView& view,
                                               const BlockerRequest& request,
                                               const BlockerSink& sink,
                                               const ProgressCallback& on_progress) {
  auto filter = PageFilter::make(view.filter, reader_->header(), *this);
  if (!filter) return fail(std::move(filter).error());
  if (auto status = take_turn(); !status) return fail(std::move(status).error());
  PageBlockers blockers(request, memory_of(view, node_spans()), facts(), page_types(), sink);
  PageSums& sums = blockers.sums();
  reader_->set_wanted(sums.needed_fields() | filter->needed_fields() | PageField::kPfn |
                      PageField::kFlags | PageField::kKind | PageField::kPageblockMigratetype);
  FilteredBlocks blocks(*reader_, *std::move(filter), FreedPages::kLeaveOut);
  while (true) {
    auto block = blocks.next();
    if (!block) return fail(std::move(block).error());
    if (auto status = limit(sums); !status) return fail(std::move(status).error());
    if (*block == nullptr) break;
    if (auto status = sums.check_fields((*block)->fields); !status)
      return fail(std::move(status).error());
    const auto& details = (*block)->details;
    for (std::size_t i = 0; i < (*block)->pages.size(); ++i) {
      const pobpf_page& page = (*block)->pages[i];
      const pobpf_page_detail* detail = details.empty() ? nullptr : &details[i];
      if (!blocks.passes(page, detail)) continue;
      if (!blockers.add(page, detail))
        return fail(ErrorKind::kFailed, "pages of the snapshot are not in the order of memory",
                    "it was imported from a text in another order");
    }
    if (on_progress && !on_progress(blocks.progress()))
      return fail(ErrorKind::kFailed, "interrupted");
  }
  blockers.finish();
  return blocks.account();
}

}  // namespace pobpf
