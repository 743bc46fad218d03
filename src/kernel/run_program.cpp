// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/run_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "kernel/libbpf_log.h"

namespace pobpf {

Status run_program(const bpf_program* program) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  const int error = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
  if (error != 0)
    return fail(libbpf_error(fmt::format("running {}", bpf_program__name(program)), error));
  return {};
}

}  // namespace pobpf
