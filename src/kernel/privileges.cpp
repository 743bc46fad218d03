// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/privileges.h"

#include <spdlog/spdlog.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <system_error>
#include <type_traits>

namespace pobpf {
namespace {

struct CapabilitiesDeleter {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, CapabilitiesDeleter>;

constexpr std::initializer_list<cap_value_t> kOfFiles = {CAP_CHOWN, CAP_DAC_OVERRIDE,
                                                         CAP_DAC_READ_SEARCH, CAP_FOWNER};
constexpr std::initializer_list<cap_value_t> kOfReaders = {CAP_BPF, CAP_PERFMON};

bool is_permitted(cap_t capabilities, cap_value_t capability) {
  cap_flag_value_t value = CAP_CLEAR;
  return ::cap_get_flag(capabilities, capability, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

/// Moves what `from` permits into `to`, which permits nothing yet.
bool keep(cap_t from, cap_t to, std::initializer_list<cap_value_t> wanted) {
  for (const cap_value_t capability : wanted) {
    if (!is_permitted(from, capability)) continue;
    for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE})
      if (::cap_set_flag(to, set, 1, &capability, CAP_SET) != 0) return false;
  }
  return true;
}

bool shed(StillToCome what) {
  const Capabilities current(::cap_get_proc());
  const Capabilities kept(::cap_init());
  if (!current || !kept || !keep(current.get(), kept.get(), kOfFiles)) return false;
  if (what != StillToCome::kReading) {
    // CAP_SYS_ADMIN implies both (kernel: bpf_capable(), perfmon_capable()) and may be all there is
    const bool has_both =
        is_permitted(current.get(), CAP_BPF) && is_permitted(current.get(), CAP_PERFMON);
    if (!keep(current.get(), kept.get(), kOfReaders) ||
        (!has_both && !keep(current.get(), kept.get(), {CAP_SYS_ADMIN})))
      return false;
  }
  if (what == StillToCome::kReadersByKallsyms && !keep(current.get(), kept.get(), {CAP_SYSLOG}))
    return false;
  // empty inheritable and ambient sets go with it
  return ::cap_set_proc(kept.get()) == 0;
}

}  // namespace

void shed_privileges(StillToCome what) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !shed(what))
    spdlog::debug("capabilities are kept: {}", std::generic_category().message(errno));
}

}  // namespace pobpf
