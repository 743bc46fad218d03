// SPDX-License-Identifier: GPL-2.0-only
#include "reader/program_ways.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <span>

namespace pobpf {
namespace {

struct Ways {
  std::set<std::string> reads;
  std::set<std::string> loops;

  void add(const bpf_insn& insn) {
    constexpr int kMayGoto = BPF_JMP | 0xe0;  // BPF_JCOND, since v6.9
    if (insn.code == kMayGoto) loops.insert("may_goto");
    if (insn.code != (BPF_JMP | BPF_CALL)) return;
    // the only function of the kernel that programs call
    if (insn.src_reg == BPF_PSEUDO_KFUNC_CALL) reads.insert("bpf_rdonly_cast");
    if (insn.src_reg != 0) return;
    if (insn.imm == BPF_FUNC_probe_read_kernel) reads.insert("bpf_probe_read_kernel");
    if (insn.imm == BPF_FUNC_loop) loops.insert("bpf_loop");
    if (insn.imm == BPF_FUNC_for_each_map_elem) loops.insert("bpf_for_each_map_elem");
  }
};

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_loaded(const MachineFacts& facts,
                                                                 const bpf_object* object) {
  Ways ways;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program)) continue;
    for (const bpf_insn& insn :
         std::span(bpf_program__insns(program), bpf_program__insn_cnt(program)))
      ways.add(insn);
  }
  auto lines = facts.describe();
  lines.emplace_back("kernel reads", fmt::format("{}", fmt::join(ways.reads, ", ")));
  if (!ways.loops.empty())
    lines.emplace_back("loops", fmt::format("{}", fmt::join(ways.loops, ", ")));
  return lines;
}

}  // namespace pobpf
