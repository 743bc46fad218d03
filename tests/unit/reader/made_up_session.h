// SPDX-License-Identifier: GPL-2.0-only
// A session with a kernel that is made up: pages, sums, stacks, cgroups and facts are what a test
// gives.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../format/kernel_facts_samples.h"
#include "reader/session.h"

namespace pobpf::test {

/// Pages in windows of 100.
class PagesReader final : public PageReader {
 public:
  PagesReader(std::span<const pobpf_page> pages, pobpf_mode mode, const Account& beside)
      : rest_(pages), mode_(mode), beside_(beside) {}
  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    const auto pages = rest_.first(std::min<std::size_t>(100, rest_.size()));
    rest_ = rest_.subspan(pages.size());
    at_end = rest_.empty();
    account_.windows += 1;
    account_.pages += pages.size();
    account_.emitted += pages.size();
    if (at_end) account_.add(beside_);
    return pages;
  }
  void set_read_bytes(std::size_t /*nr_bytes*/) override {}
  [[nodiscard]] const Account& account() const override { return account_; }
  [[nodiscard]] Progress progress() const override { return {account_.windows, 0}; }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }

 private:
  std::span<const pobpf_page> rest_;
  pobpf_mode mode_;
  Account beside_;
  Account account_;
};

/// Its pages never change, and all readers have all of them.
class MadeUpSession final : public Session {
 public:
  MadeUpSession() { kernel.text_layout.emplace(); }
  Result<const Stack*> stack(std::uint32_t handle) override { return context.stack(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    return context.cgroup_name(cgroup_id);
  }
  Result<std::string> cgroup_path(std::uint64_t cgroup_id) override {
    return context.cgroup_path(cgroup_id);
  }
  [[nodiscard]] const KernelFacts& facts() const override { return kernel; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return nodes; }
  [[nodiscard]] unsigned max_nodes() const override { return 64; }
  [[nodiscard]] std::vector<NodeSpan> node_spans() const override { return spans; }
  [[nodiscard]] Result<std::uint64_t> now_ns() const override { return std::uint64_t{1} << 40; }
  [[nodiscard]] std::uint64_t page_bytes() const override { return 4096; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return {};
  }
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) override {
    return std::make_unique<PagesReader>(pages, view.mode, beside);
  }
  Result<Account> read_blockers(const ReaderView& /*view*/, const BlockerRequest& /*request*/,
                                const BlockerSink& sink,
                                const ProgressCallback& /*on_progress*/) override {
    for (const WindowBlockers& window : windows) sink(window);
    return beside;
  }
  /// The first of `looks`, which is taken away.
  Result<GroupSums> sum_groups(const ReaderView& /*view*/, const SumRequest& request,
                               const ProgressCallback& on_progress) override {
    requests.push_back(request);
    if (looks.empty()) return fail(ErrorKind::kFailed, "no sums");
    if (on_progress && !on_progress({1, 2})) return fail(ErrorKind::kFailed, "interrupted");
    GroupSums sums = std::move(looks.front());
    looks.pop_front();
    return sums;
  }
  [[nodiscard]] const PageTypes& page_types() const override { return types; }
  [[nodiscard]] std::size_t row_bytes_max() const override { return row_bytes; }

  std::vector<pobpf_page> pages;
  Account beside;                       ///< what the last window accounts for besides its pages
  std::vector<WindowBlockers> windows;  ///< of read_blockers()
  std::deque<GroupSums> looks;
  std::vector<SumRequest> requests;  ///< of the looks so far
  samples::MadeUpContext context;
  KernelFacts kernel;
  PageTypes types;
  NodeSet nodes{1};
  std::vector<NodeSpan> spans;
  std::size_t row_bytes = SIZE_MAX;
};

inline GroupSum sum_of(std::uint32_t handle, std::uint64_t pages, std::uint64_t allocations,
                       std::uint64_t time_sum = 0) {
  GroupSum group;
  group.key.handle = handle;
  group.sum = {pages, allocations, {0, time_sum}};
  return group;
}

}  // namespace pobpf::test
