// SPDX-License-Identifier: GPL-2.0-only
// A session with made-up stacks, cgroups and facts, for what is made of its sums.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pobpf/reader.h"

namespace pobpf::test {

class MadeUpSession final : public Session {
 public:
  Result<const Stack*> stack(std::uint32_t handle) override {
    const auto found = stacks.find(handle);
    if (found == stacks.end()) return fail(ErrorKind::kFailed, "no such stack");
    return &found->second;
  }
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override {
    const auto found = cgroups.find(cgroup_id);
    if (found == cgroups.end()) return fail(ErrorKind::kFailed, "no such cgroup");
    return std::string_view(found->second);
  }
  [[nodiscard]] const KernelFacts& facts() const override { return kernel; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return nodes_; }
  [[nodiscard]] unsigned max_nodes() const override { return 64; }
  [[nodiscard]] Result<std::uint64_t> now_ns() const override { return std::uint64_t{1} << 40; }
  [[nodiscard]] std::uint64_t page_bytes() const override { return 4096; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return {};
  }
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& /*view*/) override {
    return fail(ErrorKind::kFailed, "no pages");
  }
  /// The first of `looks`, which is taken away.
  Result<GroupSums> sum_groups(const ReaderView& /*view*/, const SumRequest& request,
                               const ProgressCallback& on_progress) override {
    requests.push_back(request);
    if (looks.empty()) return fail(ErrorKind::kFailed, "no sums");
    if (!on_progress({1, 2})) return fail(ErrorKind::kFailed, "interrupted");
    GroupSums sums = std::move(looks.front());
    looks.pop_front();
    return sums;
  }
  [[nodiscard]] const PageTypes& page_types() const override { return types; }

  void add_stack(std::uint32_t handle, const std::vector<std::string>& symbols) {
    Stack stack;
    for (const std::string& symbol : symbols) stack.frames.push_back({0xffff, symbol});
    stacks[handle] = std::move(stack);
  }

  std::deque<GroupSums> looks;
  std::vector<SumRequest> requests;
  std::map<std::uint32_t, Stack> stacks;
  std::map<std::uint64_t, std::string> cgroups;
  KernelFacts kernel;
  PageTypes types;

 private:
  NodeSet nodes_{1};
};

inline GroupSum sum_of(std::uint32_t handle, std::uint64_t pages, std::uint64_t allocations,
                       std::uint64_t ts_sum = 0) {
  GroupSum group;
  group.key.handle = handle;
  group.sum = {pages, allocations, ts_sum};
  return group;
}

inline void set_comm(GroupSum& group, std::string_view comm) {
  std::memcpy(group.key.comm, comm.data(), std::min(comm.size(), sizeof(group.key.comm)));
}

}  // namespace pobpf::test
