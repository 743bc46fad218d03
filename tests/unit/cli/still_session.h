// SPDX-License-Identifier: GPL-2.0-only
// A kernel to record, which is none.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../snapshot/made_up_pages.h"
#include "pobpf/reader.h"

namespace pobpf::test {

/// Pages in windows of 100.
class PagesReader final : public PageReader {
 public:
  PagesReader(std::span<const pobpf_page> pages, pobpf_mode mode) : rest_(pages), mode_(mode) {}
  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    const auto pages = rest_.first(std::min<std::size_t>(100, rest_.size()));
    rest_ = rest_.subspan(pages.size());
    at_end = rest_.empty();
    account_.windows += 1;
    account_.pages += pages.size() + 3;
    account_.emitted += pages.size();
    account_.free += 3;
    return pages;
  }
  void set_read_bytes(std::size_t /*nr_bytes*/) override {}
  [[nodiscard]] const Account& account() const override { return account_; }
  [[nodiscard]] Progress progress() const override { return {account_.windows, 0}; }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }

 private:
  std::span<const pobpf_page> rest_;
  pobpf_mode mode_;
  Account account_;
};

/// A kernel whose pages never change.
class StillSession final : public Session {
 public:
  explicit StillSession(std::size_t nr_pages) : pages(test::RandomPages(11).take(nr_pages)) {
    test::fill(context);
  }
  Result<const Stack*> stack(std::uint32_t handle) override { return context.stack(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    return context.cgroup_name(cgroup_id);
  }
  [[nodiscard]] const KernelFacts& facts() const override { return kernel_facts; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return nodes_; }
  [[nodiscard]] unsigned max_nodes() const override { return 64; }
  [[nodiscard]] Result<std::uint64_t> now_ns() const override { return std::uint64_t{1} << 40; }
  [[nodiscard]] std::uint64_t page_bytes() const override { return 4096; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return {};
  }
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) override {
    return std::make_unique<PagesReader>(pages, view.mode);
  }
  Result<GroupSums> sum_groups(const ReaderView& /*view*/, const SumRequest& /*request*/,
                               const ProgressCallback& /*on_progress*/) override {
    return fail(ErrorKind::kFailed, "no sums");
  }
  [[nodiscard]] const PageTypes& page_types() const override { return page_types_; }
  [[nodiscard]] std::vector<NodeSpan> node_spans() const override { return spans; }

  std::vector<pobpf_page> pages;
  std::vector<NodeSpan> spans;
  samples::MadeUpContext context;
  KernelFacts kernel_facts = samples::android_6_12();

 private:
  PageTypes page_types_;
  NodeSet nodes_{1};
};

}  // namespace pobpf::test
