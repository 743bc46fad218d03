// SPDX-License-Identifier: GPL-2.0-only
// The running kernel's stack depot and symbol names, through the programs of
// bpf/stack_programs.bpf.h.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernel/run_program.h"
#include "pobpf/names.h"
#include "reader/own_programs.h"
#include "stacks/stack_table.h"
#include "util/report_hint.h"

namespace pobpf {

/// `Skeleton` is that of an object that includes bpf/stack_programs.bpf.h. Not thread-safe.
template <typename Skeleton>
class KernelStacks final : public StackSource {
 public:
  KernelStacks(const Skeleton& skeleton, OwnPrograms own_programs)
      : skeleton_(skeleton), own_programs_(std::move(own_programs)) {}

  Result<std::vector<std::uint64_t>> frames(std::uint32_t handle) override {
    auto& request = skeleton_.bss->stack_request;
    request.handle = handle;
    if (auto status = run_program(skeleton_.progs.read_stack); !status)
      return fail(std::move(status).error());
    if (request.nr_frames < 0 || request.nr_frames > POBPF_MAX_FRAMES)
      return fail(ErrorKind::kFailed, fmt::format("the stack depot has no stack {}", handle),
                  kReportKernel);
    return std::vector<std::uint64_t>(request.frames, request.frames + request.nr_frames);
  }

  Result<std::vector<std::string>> symbols(std::span<const std::uint64_t> addresses) override {
    auto& request = skeleton_.bss->name_request;
    std::vector<std::string> names;
    while (names.size() < addresses.size()) {
      const auto batch = addresses.subspan(
          names.size(), std::min<std::size_t>(POBPF_NAMES_MAX, addresses.size() - names.size()));
      std::copy(batch.begin(), batch.end(), request.addresses);
      request.nr_addresses = static_cast<__u32>(batch.size());
      if (auto status = run_program(skeleton_.progs.name_addresses); !status)
        return fail(std::move(status).error());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        names.emplace_back(request.symbols[i], strnlen(request.symbols[i], POBPF_SYMBOL_BYTES));
        if (own_programs_.contains(names.back())) names.back() = fmt::format("{:#x}", batch[i]);
      }
    }
    return names;
  }

 private:
  const Skeleton& skeleton_;
  OwnPrograms own_programs_;
};

}  // namespace pobpf
