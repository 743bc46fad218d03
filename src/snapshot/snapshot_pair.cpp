// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_pair.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>

#include "snapshot/page_sums.h"
#include "util/hash_map.h"

namespace pobpf {
namespace {

/// The pages of a snapshot, one after the other.
class Cursor {
 public:
  Cursor(std::unique_ptr<PageReader> reader, const PageSums& sums)
      : reader_(std::move(reader)), sums_(sums) {}

  /// To the first page, or to the next.
  Status advance() {
    if (has_page_) {
      last_pfn_ = page().pfn;
      ++at_;
    }
    while (at_ == pages_.size() && !is_at_end_) {
      auto pages = reader_->next(is_at_end_);
      if (!pages) return fail(std::move(pages).error());
      pages_ = *pages;
      at_ = 0;
      if (pages_.empty()) continue;
      if (auto status = sums_.check_fields(reader_->fields()); !status) return status;
      constexpr PageFields kOfPlace = PageField::kPfn | PageField::kTsNsec;
      is_in_order_ = is_in_order_ && (reader_->fields() & kOfPlace) == kOfPlace;
    }
    const bool is_first = !has_page_;
    has_page_ = at_ < pages_.size();
    if (has_page_ && !is_first && page().pfn <= last_pfn_) is_in_order_ = false;
    return {};
  }

  [[nodiscard]] bool has_page() const { return has_page_; }
  [[nodiscard]] const pobpf_page& page() const { return pages_[at_]; }
  /// Null where it is not known.
  [[nodiscard]] const pobpf_page_detail* detail() const {
    const auto details = reader_->details();
    return details.empty() ? nullptr : &details[at_];
  }
  /// All pages so far have a PFN, each a larger one than that before.
  [[nodiscard]] bool is_in_order() const { return is_in_order_; }
  [[nodiscard]] const Account& account() const { return reader_->account(); }
  [[nodiscard]] Progress progress() const { return reader_->progress(); }

 private:
  std::unique_ptr<PageReader> reader_;
  const PageSums& sums_;
  std::span<const pobpf_page> pages_;
  std::size_t at_ = 0;
  std::uint64_t last_pfn_ = 0;
  bool is_at_end_ = false;
  bool has_page_ = false;
  bool is_in_order_ = true;
};

/// Adds up what stayed by both of its groups.
class StayedSums {
 public:
  explicit StayedSums(std::size_t nr_pairs_max) : nr_pairs_max_(nr_pairs_max) {}

  void add(std::uint32_t group_before, std::uint32_t group_after, std::uint64_t nr_pages) {
    const std::uint64_t pair = std::uint64_t{group_before} << 32U | group_after;
    if (const auto found = pages_.find(pair); found != pages_.end())
      found->second += nr_pages;
    else if (pages_.size() < nr_pairs_max_)
      pages_.emplace(pair, nr_pages);
    else
      is_full_ = true;
  }
  /// Not everything was added.
  [[nodiscard]] bool is_full() const { return is_full_; }
  [[nodiscard]] std::vector<StayedPages> all() const {
    std::vector<StayedPages> stayed;
    stayed.reserve(pages_.size());
    for (const auto& [pair, nr_pages] : pages_)
      stayed.push_back(
          {static_cast<std::uint32_t>(pair >> 32U), static_cast<std::uint32_t>(pair), nr_pages});
    return stayed;
  }

 private:
  std::size_t nr_pairs_max_;
  HashMap<std::uint64_t, std::uint64_t> pages_;
  bool is_full_ = false;
};

bool is_same_allocation(const pobpf_page& a, const pobpf_page& b) {
  return a.pfn == b.pfn && a.order == b.order && a.ts_nsec == b.ts_nsec;
}

std::string why_not_comparable(const SnapshotHeader& before, const SnapshotHeader& after) {
  if (before.boot_id.empty() || after.boot_id.empty())
    return "it is not known whether both are of one boot";
  return before.boot_id == after.boot_id ? std::string() : "the machine was booted in between";
}

}  // namespace

Result<PairSums> sum_pair(SnapshotSession& before, SnapshotSession& after, const ReaderView& view,
                          const SumRequest& request, const ProgressCallback& on_progress) {
  PageSums sums_before(request, before.facts(), before.page_types());
  PageSums sums_after(request, after.facts(), after.page_types());
  // As many as both have groups, as most groups keep their pages; few groups may exchange theirs.
  constexpr std::size_t kNrPairsMin = 65536;
  StayedSums stayed(std::max(kNrPairsMin, 2 * std::size_t{request.groups_max}));
  auto reader_before = before.open_reader(view, FreedPages::kLeaveOut);
  if (!reader_before) return fail(std::move(reader_before).error());
  auto reader_after = after.open_reader(view, FreedPages::kLeaveOut);
  if (!reader_after) return fail(std::move(reader_after).error());
  Cursor old_pages(*std::move(reader_before), sums_before);
  Cursor new_pages(*std::move(reader_after), sums_after);

  for (Cursor* cursor : {&old_pages, &new_pages})
    if (auto status = cursor->advance(); !status) return fail(std::move(status).error());
  constexpr std::uint64_t kPagesAStep = 65536;
  for (std::uint64_t nr_pages = 0; old_pages.has_page() || new_pages.has_page(); ++nr_pages) {
    if (nr_pages % kPagesAStep == 0)
      for (auto status : {before.limit(sums_before), after.limit(sums_after)})
        if (!status) return fail(std::move(status).error());
    if (nr_pages % kPagesAStep == 0 && on_progress) {
      const Progress a = old_pages.progress();
      const Progress b = new_pages.progress();
      if (!on_progress({a.windows_done + b.windows_done, a.windows_total + b.windows_total}))
        return fail(ErrorKind::kFailed, "interrupted");
    }
    const bool takes_old = old_pages.has_page() &&
                           (!new_pages.has_page() || old_pages.page().pfn <= new_pages.page().pfn);
    const bool takes_new = new_pages.has_page() &&
                           (!old_pages.has_page() || new_pages.page().pfn <= old_pages.page().pfn);
    if (takes_old) sums_before.add(old_pages.page(), old_pages.detail());
    if (takes_new) {
      const std::uint64_t size = sums_after.add(new_pages.page(), new_pages.detail());
      if (takes_old && is_same_allocation(old_pages.page(), new_pages.page()))
        stayed.add(sums_before.group(), sums_after.group(), size);
    }
    if (takes_old)
      if (auto status = old_pages.advance(); !status) return fail(std::move(status).error());
    if (takes_new)
      if (auto status = new_pages.advance(); !status) return fail(std::move(status).error());
  }
  for (auto status : {before.limit(sums_before), after.limit(sums_after)})
    if (!status) return fail(std::move(status).error());
  PairSums pair;
  for (auto [sums, result, cursor] : {std::tuple(&sums_before, &pair.before, &old_pages),
                                      {&sums_after, &pair.after, &new_pages}}) {
    auto taken = sums->take();
    if (!taken) return fail(std::move(taken).error());
    *result = *std::move(taken);
    result->account = cursor->account();
  }
  pair.why_not_stayed = why_not_comparable(before.header(), after.header());
  if (pair.why_not_stayed.empty() && !(old_pages.is_in_order() && new_pages.is_in_order()))
    pair.why_not_stayed = "their pages are not in the order of memory";
  if (pair.why_not_stayed.empty() && stayed.is_full())
    pair.why_not_stayed = "pages changed between more groups than --max-groups gives room for";
  if (pair.why_not_stayed.empty()) pair.stayed = stayed.all();
  return pair;
}

}  // namespace pobpf
