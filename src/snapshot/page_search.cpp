// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/page_search.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "snapshot/format.h"

namespace pobpf {
namespace {

class PageSearch {
 public:
  explicit PageSearch(const std::vector<PfnRange>& pfns) {
    for (const PfnRange& range : joined(pfns))
      for (std::uint64_t pfn = range.begin; pfn < range.end; ++pfn) {
        pages_.emplace_back();
        pages_.back().pfn = pfn;
      }
  }

  void look_at(const DecodedBlock& block) {
    const bool has_order = has_field(block.fields, PageField::kOrder);
    for (std::size_t i = 0; i < block.pages.size(); ++i) {
      const pobpf_page& record = block.pages[i];
      const std::uint64_t end = end_pfn(record.pfn, has_order ? record.order : 0);
      if (pages_.empty() || end <= pages_.front().pfn || record.pfn > pages_.back().pfn) continue;
      auto page = std::lower_bound(
          pages_.begin(), pages_.end(), record.pfn,
          [](const RecordedPage& candidate, std::uint64_t pfn) { return candidate.pfn < pfn; });
      for (; page != pages_.end() && page->pfn < end; ++page)
        put(*page, record, block.details.empty() ? pobpf_page_detail{} : block.details[i],
            block.fields);
    }
  }

  [[nodiscard]] std::vector<RecordedPage> in_order_of(const std::vector<PfnRange>& pfns) const {
    std::vector<RecordedPage> result;
    for (const PfnRange& range : pfns) {
      auto page = std::lower_bound(
          pages_.begin(), pages_.end(), range.begin,
          [](const RecordedPage& candidate, std::uint64_t pfn) { return candidate.pfn < pfn; });
      for (; page != pages_.end() && page->pfn < range.end; ++page) result.push_back(*page);
    }
    return result;
  }

 private:
  static void put(RecordedPage& page, const pobpf_page& record, const pobpf_page_detail& detail,
                  PageFields fields) {
    if (page.fields != 0) ++page.nr_further_records;
    if (page.fields != 0 && !is_closer(record, page)) return;
    page.fields = fields;
    page.record = record;
    page.detail = detail;
  }

  /// Whether it tells more of the page than the record that there is.
  static bool is_closer(const pobpf_page& record, const RecordedPage& page) {
    if (page.record.pfn == page.pfn) return false;
    return record.pfn == page.pfn || record.order < page.record.order;
  }

  std::vector<RecordedPage> pages_;  // ascending, each once
};

}  // namespace

Result<std::vector<RecordedPage>> find_pages(SnapshotReader& reader,
                                             const std::vector<PfnRange>& pfns,
                                             const std::function<bool()>& is_cancelled) {
  PageSearch search(pfns);
  while (true) {
    if (is_cancelled()) return fail(ErrorKind::kFailed, "interrupted", {}, EINTR);
    auto block = reader.next();
    if (!block) return fail(std::move(block).error());
    if (*block == nullptr) return search.in_order_of(pfns);
    if (!has_field((*block)->fields, PageField::kPfn))
      return fail(ErrorKind::kFailed, "pages of the snapshot lack what is looked for: PFN",
                  "pobpf report lists all of them");
    search.look_at(**block);
  }
}

}  // namespace pobpf
