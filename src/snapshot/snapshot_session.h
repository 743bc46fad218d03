// SPDX-License-Identifier: GPL-2.0-only
// A snapshot in place of a running kernel, so that the same commands show both.
#pragma once

#include <filesystem>
#include <memory>

#include "reader/session.h"
#include "snapshot/page_sums.h"
#include "snapshot/snapshot_reader.h"

namespace pobpf {

/// How to treat records of pages that are free: their memory is not in use, but they are worth
/// showing.
enum class FreedPages { kShow, kLeaveOut };

/// `header` has facts, and must outlive the result.
[[nodiscard]] ListingSource listing_source_of(const SnapshotHeader& header);

class SnapshotSession final : public Session {
 public:
  /// kFailed if the file cannot be read or holds too little to show pages.
  static Result<std::unique_ptr<SnapshotSession>> open(const std::filesystem::path& path,
                                                       DamagePolicy policy);

  [[nodiscard]] const KernelFacts& facts() const override { return *reader_->header().facts; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return memory_nodes_; }
  [[nodiscard]] unsigned max_nodes() const override { return reader_->header().max_nodes; }
  [[nodiscard]] std::vector<NodeSpan> node_spans() const override {
    return reader_->header().nodes;
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override;
  [[nodiscard]] const PageTypes& page_types() const override {
    return reader_->header().page_types;
  }

  [[nodiscard]] ListingSource listing_source() const override {
    return listing_source_of(reader_->header());
  }
  [[nodiscard]] ListingDamage damage() const override;
  [[nodiscard]] bool is_counted() const override {
    return reader_->footer() && reader_->footer()->account;
  }

  [[nodiscard]] Result<std::uint64_t> now_ns() const override;
  [[nodiscard]] std::uint64_t page_bytes() const override;

  /// One of these, once: the file is read while the reader is, or while sums are made. kUsage for
  /// filters by what the recorded machine does not have (PageFilter), kFailed for fields that its
  /// pages lack.
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) override;
  /// Pages that are left out are counted as `freed`, before any filter.
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view, FreedPages freed_pages);
  Result<GroupSums> sum_groups(const ReaderView& view, const SumRequest& request,
                               const ProgressCallback& on_progress) override;
  Result<Account> read_blockers(const ReaderView& view, const BlockerRequest& request,
                                const BlockerSink& sink,
                                const ProgressCallback& on_progress) override;
  [[nodiscard]] bool knows_blocks() const override { return false; }

  [[nodiscard]] std::size_t row_bytes_max() const override {
    return reader_->budget().row_bytes_max();
  }
  /// Gives `sums`, which are of this snapshot, room for as many groups as there is room for so far;
  /// kFailed if those that they have show more than there may be shown.
  [[nodiscard]] Status limit(PageSums& sums);

  /// Knows the stacks of the pages that were read so far.
  Result<const Stack*> stack(std::uint32_t handle) override { return reader_->stack(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    return reader_->cgroup_name(cgroup_id);
  }
  Result<std::string> cgroup_path(std::uint64_t cgroup_id) override {
    return reader_->cgroup_path(cgroup_id);
  }
  std::vector<std::uint64_t> cgroups_above(std::uint64_t cgroup_id) override {
    return reader_->cgroups_above(cgroup_id);
  }

  [[nodiscard]] const SnapshotHeader& header() const { return reader_->header(); }
  /// Once all pages are read; no value if the file's end is lost.
  [[nodiscard]] const std::optional<SnapshotFooter>& footer() const { return reader_->footer(); }
  /// The parts that salvaging has left out, once all pages are read.
  [[nodiscard]] const SnapshotLosses& losses() const { return reader_->losses(); }

 private:
  explicit SnapshotSession(std::unique_ptr<SnapshotReader> reader);
  /// That the file is read the first time.
  [[nodiscard]] Status take_turn();

  std::unique_ptr<SnapshotReader> reader_;
  NodeSet memory_nodes_;
  bool is_taken_ = false;
  std::size_t nr_limited_groups_ = 0;
};

}  // namespace pobpf
