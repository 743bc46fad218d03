// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_session.h"

#include <fmt/format.h>

#include <utility>

namespace pobpf {
namespace {

/// The pages of the file, a block at a time.
class FileReader final : public PageReader {
 public:
  FileReader(SnapshotReader& reader, pobpf_mode mode) : reader_(reader), mode_(mode) {}

  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    auto block = reader_.next();
    if (!block) return fail(std::move(block).error());
    at_end = *block == nullptr;
    if (at_end) {
      const auto& footer = reader_.footer();
      if (footer && footer->account) account_ = *footer->account;
      if (reader_.nr_groups() != 0 && reader_.nr_pages() == 0)
        return fail(ErrorKind::kFailed,
                    fmt::format("the snapshot has only sums ({}), and no pages to show",
                                reader_.nr_groups()),
                    "it was imported from a text that summed up already");
      return std::span<const pobpf_page>();
    }
    fields_ = (*block)->fields;
    account_.pages += (*block)->pages.size();
    account_.emitted += (*block)->pages.size();
    return std::span<const pobpf_page>((*block)->pages);
  }
  void set_read_bytes(std::size_t /*nr_bytes*/) override {}
  /// Of the recording, once all is read; until then, or if that is lost, of the pages so far.
  [[nodiscard]] const Account& account() const override { return account_; }
  /// In bytes of the file.
  [[nodiscard]] Progress progress() const override {
    return {reader_.bytes_read(), reader_.file_bytes()};
  }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }
  [[nodiscard]] PageFields fields() const override { return fields_; }

 private:
  SnapshotReader& reader_;
  pobpf_mode mode_;
  PageFields fields_ = 0;
  Account account_;
};

bool is_filtered(const FilterSpec& filter) {
  return filter.needs_filter_object() || filter.nodes || !filter.pfns.is_empty();
}

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
      {"nodes", format_nodelist(memory_nodes_)}};
  if (header.wall_clock_ns)
    lines.emplace_back("recorded at", fmt::format("{} ns since 1970", *header.wall_clock_ns));
  if (header.local_clock_ns)
    lines.emplace_back("local clock", fmt::format("{} ns", *header.local_clock_ns));
  return lines;
}

Result<std::unique_ptr<PageReader>> SnapshotSession::open_reader(const ReaderView& view) {
  if (is_filtered(view.filter))
    return fail(ErrorKind::kFailed, "filters of snapshots are not there yet",
                "filter when recording");
  if (std::exchange(has_reader_, true))
    return fail(ErrorKind::kFailed, "the snapshot was read already", "open it again");
  return std::make_unique<FileReader>(*reader_, view.mode);
}

Result<GroupSums> SnapshotSession::sum_groups(const ReaderView& /*view*/,
                                              const SumRequest& /*request*/,
                                              const ProgressCallback& /*on_progress*/) {
  return fail(ErrorKind::kFailed, "sums of snapshots are not there yet", "report the pages");
}

}  // namespace pobpf
