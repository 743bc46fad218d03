// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/program_ids.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <atomic>
#include <cerrno>
#include <span>
#include <vector>

#include "kernel/libbpf_log.h"

namespace pobpf {
namespace {

std::atomic<std::uint32_t> iterator_id;
std::atomic<std::uint32_t> rdonly_cast_id;

/// The call that rdonly_cast() of bpf/kernel_compat.bpf.h leaves open.
bool is_open_call(const bpf_insn& insn) {
  return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_KFUNC_CALL &&
         insn.imm == 0;
}

int prepare(bpf_program* program, bpf_prog_load_opts* options, long /*cookie*/) {
  // only now: libbpf reads the kernel's type information if it sees such a program earlier
  if (const int error = bpf_program__set_type(program, BPF_PROG_TYPE_TRACING); error != 0)
    return error;
  options->expected_attach_type = BPF_TRACE_ITER;
  options->attach_btf_id = iterator_id;
  const std::span insns(bpf_program__insns(program), bpf_program__insn_cnt(program));
  std::vector<bpf_insn> filled(insns.begin(), insns.end());
  for (bpf_insn& insn : filled) {
    if (!is_open_call(insn)) continue;
    if (rdonly_cast_id == 0) return -ESRCH;
    insn.imm = static_cast<std::int32_t>(rdonly_cast_id);
  }
  return bpf_program__set_insns(program, filled.data(), filled.size());
}

}  // namespace

Status set_program_ids(const KernelBtf& btf) {
  iterator_id = btf.function_id("bpf_iter_bpf_map_elem").value_or(0);
  rdonly_cast_id = btf.function_id("bpf_rdonly_cast").value_or(0);
  static const int handler = [] {
    LIBBPF_OPTS(libbpf_prog_handler_opts, options);
    options.prog_prepare_load_fn = prepare;
    return libbpf_register_prog_handler("pobpf/bpf_map_elem", BPF_PROG_TYPE_SYSCALL,
                                        static_cast<bpf_attach_type>(0), &options);
  }();
  if (handler < 0) return fail(libbpf_error("registering the iterator programs", handler));
  return {};
}

}  // namespace pobpf
