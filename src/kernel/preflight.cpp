// SPDX-License-Identifier: GPL-2.0-only
// Each check looks at one thing that pobpf depends on and says it in words. The order is the order
// in which a user has to mend things: the kernel, how it was booted, then privileges.
#include "kernel/preflight.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "kernel/btf.h"
#include "kernel/command_line.h"
#include "kernel/kallsyms.h"
#include "kernel/kernel_config.h"
#include "kernel/machine_facts.h"
#include "model/kernel_release.h"
#include "util/fd.h"
#include "util/file.h"

namespace pobpf {
namespace {

constexpr std::uint64_t capability_bit(unsigned capability) { return 1ULL << capability; }

bool has_capability(const Machine& machine, unsigned capability) {
  // CAP_SYS_ADMIN implies both of those that were split off it (kernel: bpf_capable())
  return (machine.effective_capabilities &
          (capability_bit(capability) | capability_bit(CAP_SYS_ADMIN))) != 0;
}

std::string error_text(int error) { return std::generic_category().message(error); }

/// The files that several checks look at, read once.
struct Evidence {
  Evidence(const Machine& machine, PreflightDepth depth)
      : config(KernelConfig::load(machine.root, machine.release)),
        command_line(read(machine, "proc/cmdline")) {
    const auto path = machine.root / "sys/kernel/btf/vmlinux";
    if (const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); !fd)
      btf_errno = errno;
    else if (depth == PreflightDepth::kQuick && config && config->is_built_in("CONFIG_PAGE_OWNER"))
      is_btf_left_to_session = true;
    else if (auto loaded = KernelBtf::load_file(path))
      btf.emplace(std::move(*loaded));
    else
      btf_errno = loaded.error().os_errno != 0 ? loaded.error().os_errno : EINVAL;
    if (btf)
      for (const std::string& name : machine.hidden_names) btf->hide(name);
    std::error_code error;
    has_proc = std::filesystem::exists(machine.root / "proc/self", error);
    has_sys = std::filesystem::exists(machine.root / "sys/kernel", error);
    // that of a kernel has at least a line end
    if (command_line && command_line->empty())
      command_line = fail(ErrorKind::kFailed, "/proc/cmdline is empty, as if something hid it");
    if (command_line) parameters = parse_command_line(*command_line);
  }

  static Result<std::string> read(const Machine& machine, const char* path) {
    constexpr std::size_t kMaxBytes = 1024UL * 1024;
    return read_file(machine.root / path, kMaxBytes);
  }

  std::optional<KernelConfig> config;
  Result<std::string> command_line;
  std::vector<KernelParameter> parameters;
  std::optional<KernelBtf> btf;
  int btf_errno = 0;
  bool has_proc = false;  // mounted
  bool has_sys = false;
  bool is_btf_left_to_session = false;  // readable, and the session parses it anyway
};

Check ok(const char* name, std::string detail) {
  return {name, CheckState::kOk, std::move(detail), {}};
}

Check missing(const char* name, std::string detail, std::string hint) {
  return {name, CheckState::kMissing, std::move(detail), std::move(hint)};
}

Check unknown(const char* name, std::string detail, std::string hint) {
  return {name, CheckState::kUnknown, std::move(detail), std::move(hint)};
}

Check check_kernel(const Machine& machine) {
  constexpr KernelVersion kOldestTested{6, 1};
  const std::string name = "Linux " + machine.release;
  const auto version = parse_release(machine.release);
  if (!version)
    return unknown("kernel", name + " has a version that cannot be read",
                   "pobpf is tested with Linux 6.1 and newer");
  if (*version < kOldestTested)
    return unknown("kernel", name + " is older than any kernel that pobpf is tested with",
                   "if pobpf fails here, use Linux 6.1 or newer");
  return ok("kernel", name);
}

/// Whether CONFIG_PAGE_OWNER is compiled in. The types in the kernel itself outweigh a file.
std::optional<bool> has_page_owner(const Evidence& evidence) {
  if (evidence.btf) return evidence.btf->size_of("page_owner").has_value();
  if (evidence.config) return evidence.config->is_built_in("CONFIG_PAGE_OWNER");
  return std::nullopt;
}

Check check_page_owner(const Evidence& evidence) {
  constexpr const char* kName = "page_owner";
  // a file of a configuration may be that of another kernel: the types outweigh it
  if (!evidence.has_sys)
    return unknown(kName, "/sys is not mounted, so the kernel's BTF cannot be read",
                   "mount sysfs on /sys");
  const auto is_built_in = has_page_owner(evidence);
  if (!is_built_in)
    return unknown(kName, "neither the kernel's configuration nor its BTF can be read",
                   "look for CONFIG_PAGE_OWNER=y in the configuration of this kernel");
  std::string source = "from its BTF";
  if (evidence.config && evidence.config->is_built_in("CONFIG_PAGE_OWNER") == *is_built_in)
    source = "from " + evidence.config->source();
  else if (evidence.config)
    source = "from its BTF, although " + evidence.config->source() + " says otherwise";
  if (*is_built_in) return ok(kName, "CONFIG_PAGE_OWNER is built in (" + source + ")");

  const bool is_asked_for = find_switch(evidence.parameters, "page_owner").value.value_or(false);
  return missing(kName,
                 (is_asked_for ? "page_owner=on is on the kernel command line, but this kernel was "
                                 "built without CONFIG_PAGE_OWNER ("
                               : "this kernel was built without CONFIG_PAGE_OWNER (") +
                     source + ")",
                 "boot a kernel that has it, as those of Fedora, RHEL and openSUSE do, with "
                 "page_owner=on on its command line");
}

Check check_page_owner_on(const Evidence& evidence) {
  constexpr const char* kName = "page_owner_on";
  // libbpf opens what it is given there as well
  if (!evidence.has_proc)
    return missing(kName, "/proc is not mounted, so that nothing tells how the kernel was booted",
                   "mount proc on /proc");
  if (!evidence.command_line)
    return unknown(kName, evidence.command_line.error().what, "mount proc on /proc");
  const auto found = find_switch(evidence.parameters, "page_owner");
  if (found.value.value_or(false)) return ok(kName, found.text + " is on the kernel command line");
  const bool is_built_in = has_page_owner(evidence).value_or(false);
  std::string detail = is_built_in ? "page_owner is built in but off"
                                   : "page_owner=on is not on the kernel command line";
  if (found.value)
    detail = "the kernel command line switches page_owner off with " + found.text;
  else if (!found.text.empty())
    detail = "the kernel does not understand " + found.text + " and leaves page_owner off";
  return missing(kName, detail, "boot with page_owner=on, then run pobpf again");
}

Check check_stack_depot(const Evidence& evidence) {
  constexpr const char* kName = "stack_depot";
  if (!evidence.command_line)
    return unknown(kName, evidence.command_line.error().what, "mount proc on /proc");
  const auto found = find_switch(evidence.parameters, "stack_depot_disable");
  if (found.value.value_or(false))
    return missing(kName, "the kernel was booted with " + found.text + " and records no stacks",
                   "boot without stack_depot_disable, then run pobpf again");
  return ok(kName, "not disabled, so that stacks are recorded");
}

Check check_btf(const Evidence& evidence) {
  constexpr const char* kName = "btf";
  if (evidence.btf || evidence.is_btf_left_to_session)
    return ok(kName, "/sys/kernel/btf/vmlinux can be read");
  if (evidence.btf_errno == EACCES || evidence.btf_errno == EPERM)
    return missing(kName, "/sys/kernel/btf/vmlinux must not be read by this user",
                   "run pobpf as root");
  if (evidence.btf_errno == EOPNOTSUPP)
    return missing(kName,
                   "/sys/kernel/btf/vmlinux has kinds of types that this pobpf does not know",
                   "use a newer pobpf");
  if (evidence.btf_errno != ENOENT)
    return missing(kName,
                   "/sys/kernel/btf/vmlinux cannot be used: " + error_text(evidence.btf_errno),
                   "boot a kernel with valid BTF");
  if (!evidence.has_sys)
    return missing(kName, "/sys is not mounted, so the kernel's BTF cannot be read",
                   "mount sysfs on /sys");
  return missing(kName, "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                 "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

/// Whether the kernel's symbol table names a variable that every kernel has; no value if it cannot
/// be read. Addresses may be hidden, names are not.
std::optional<bool> has_data_symbols(const Machine& machine) {
  std::ifstream symbols(machine.root / "proc/kallsyms");
  bool has_any = false;
  for (std::string line; std::getline(symbols, line);) {
    has_any = true;
    if (line.ends_with(" init_task") || line.ends_with(" page_owner_ops")) return true;
  }
  return has_any ? std::optional(false) : std::nullopt;
}

Check check_kallsyms_all(const Evidence& evidence, const Machine& machine) {
  constexpr const char* kName = "kallsyms_all";
  const auto has_all = evidence.config
                           ? std::optional(evidence.config->is_built_in("CONFIG_KALLSYMS_ALL"))
                           : has_data_symbols(machine);
  const std::string source = evidence.config ? evidence.config->source() : "/proc/kallsyms";
  if (!has_all)
    return unknown(kName, "neither the kernel's configuration nor /proc/kallsyms can be read",
                   "look for CONFIG_KALLSYMS_ALL=y in the configuration of this kernel");
  if (*has_all) return ok(kName, "the kernel's variables have names (from " + source + ")");
  return missing(kName,
                 "this kernel was built without CONFIG_KALLSYMS_ALL, so that its variables cannot "
                 "be found (from " +
                     source + ")",
                 "boot a kernel built with CONFIG_KALLSYMS_ALL=y");
}

Check check_memory_model(const Evidence& evidence) {
  constexpr const char* kName = "memory_model";
  constexpr const char* kHint = "boot a kernel built with CONFIG_SPARSEMEM_EXTREME=y";
  if (evidence.config) {
    const std::string source = " (from " + evidence.config->source() + ")";
    if (evidence.config->is_built_in("CONFIG_SPARSEMEM_EXTREME"))
      return ok(kName, "SPARSEMEM_EXTREME" + source);
    const bool is_sparse = evidence.config->is_built_in("CONFIG_SPARSEMEM");
    return missing(kName,
                   std::string("this kernel keeps its pages in the ") +
                       (is_sparse ? "SPARSEMEM_STATIC" : "FLATMEM") +
                       " model, which pobpf cannot walk" + source,
                   kHint);
  }
  if (!evidence.btf)
    return unknown(kName, "neither the kernel's configuration nor its BTF can be read",
                   "look for CONFIG_SPARSEMEM_EXTREME=y in the configuration of this kernel");
  if (evidence.btf->size_of("mem_section_usage")) return ok(kName, "SPARSEMEM (from its BTF)");
  return missing(kName,
                 "this kernel keeps its pages in the FLATMEM model, which pobpf cannot walk "
                 "(from its BTF)",
                 kHint);
}

/// No value: there are no user namespaces here. The initial one maps every id to itself.
std::optional<bool> is_in_initial_user_namespace(const Machine& machine) {
  const auto map = Evidence::read(machine, "proc/self/uid_map");
  if (!map) return std::nullopt;
  std::istringstream words(*map);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  words >> inside >> outside >> count;
  return words && inside == 0 && outside == 0 && count == 4294967295;
}

Check check_bpf(const Evidence& evidence, const Machine& machine) {
  constexpr const char* kName = "bpf";
  // each map and program is one
  constexpr std::uint64_t kDescriptorsMin = 64;
  if (machine.descriptors_max < kDescriptorsMin)
    return missing(kName,
                   "this process may have only " + std::to_string(machine.descriptors_max) +
                       " files open, which are too few for BPF maps and programs",
                   "raise the limit: `ulimit -n 1024`, LimitNOFILE= in a systemd unit");
  const int error = machine.probe_bpf();
  if (error == 0) return ok(kName, "the bpf() system call works");
  const bool is_built_in = evidence.config && evidence.config->is_built_in("CONFIG_BPF_SYSCALL");
  if (error == ENOSYS && !is_built_in)
    return missing(kName, "this kernel has no bpf() system call",
                   "boot a kernel built with CONFIG_BPF_SYSCALL=y");
  const bool is_privileged =
      has_capability(machine, CAP_BPF) && is_in_initial_user_namespace(machine).value_or(true);
  if ((error == EPERM || error == EACCES) && !is_privileged)
    return unknown(kName, "bpf() cannot be tried without CAP_BPF", "see the check of capabilities");
  if (error == EPERM || error == ENOSYS)
    return missing(kName, "something forbids the bpf() system call: " + error_text(error),
                   "run pobpf outside the container or sandbox, or allow bpf() in it");
  if (error == EACCES)
    return missing(kName, "a security module (SELinux, AppArmor) forbids the bpf() system call",
                   "allow it in the policy, or run pobpf from an unconfined shell");
  return missing(kName, "the bpf() system call fails: " + error_text(error),
                 "solve this first; the kernel's log may say more");
}

Check check_user_namespace(const Machine& machine) {
  constexpr const char* kName = "user_namespace";
  if (is_in_initial_user_namespace(machine).value_or(true))
    return ok(kName, "the initial one, where capabilities count");
  return missing(kName,
                 "this process is in a user namespace (a rootless container?), where capabilities "
                 "do not count for BPF",
                 "run pobpf outside of it");
}

Check check_capabilities(const Machine& machine) {
  constexpr const char* kName = "capabilities";
  const bool has_bpf = has_capability(machine, CAP_BPF);
  const bool has_perfmon = has_capability(machine, CAP_PERFMON);
  if (has_bpf && has_perfmon) return ok(kName, "CAP_BPF and CAP_PERFMON (no other is needed)");
  constexpr const char* kHint =
      "run pobpf with sudo, or give it both that it needs (`setcap cap_bpf,cap_perfmon=ep FILE`, "
      "AmbientCapabilities= in a systemd unit)";
  if (has_bpf) return missing(kName, "this process has no CAP_PERFMON", kHint);
  if (has_perfmon) return missing(kName, "this process has no CAP_BPF", kHint);
  return missing(kName, "this process has neither CAP_BPF nor CAP_PERFMON", kHint);
}

Check check_lockdown(const Machine& machine) {
  constexpr const char* kName = "lockdown";
  const auto state = Evidence::read(machine, "sys/kernel/security/lockdown");
  if (!state) {
    std::error_code error;
    // any other file there proves that securityfs is mounted, and lockdown is not in use
    if (std::filesystem::exists(machine.root / "sys/kernel/security/lsm", error))
      return ok(kName, "not in use");
    return unknown(kName, "securityfs is not mounted, so that lockdown cannot be told",
                   "mount it with `mount -t securityfs securityfs /sys/kernel/security` to see");
  }
  if (state->find("[confidentiality]") != std::string::npos)
    return missing(kName,
                   "the kernel is locked down to confidentiality, where nothing may read its "
                   "memory",
                   "boot without lockdown=confidentiality (integrity, which Secure Boot sets, "
                   "is fine)");
  if (state->find("[integrity]") != std::string::npos)
    return ok(kName, "integrity, which forbids debugfs but not pobpf");
  return ok(kName, "none");
}

/// Before v6.0 programs see no more addresses than /proc/kallsyms shows to this process.
bool needs_kallsyms(const Evidence& evidence) {
  return evidence.btf && !evidence.btf->enumerators("bpf_func_id").empty() &&
         !symbol_sources(*evidence.btf).has_iterator;
}

Check check_kptr_restrict(const Evidence& evidence, const Machine& machine) {
  if (needs_kallsyms(evidence)) {
    const auto ignore = [](const pobpf_symbol& /*symbol*/, std::string_view /*name*/) {};
    if (auto status = read_kallsyms(machine.root / "proc/kallsyms", ignore); !status)
      return missing("kptr_restrict", status.error().what, status.error().hint);
    return ok("kptr_restrict", "/proc/kallsyms shows this process the kernel's addresses");
  }
  auto value = Evidence::read(machine, "proc/sys/kernel/kptr_restrict");
  if (!value) return ok("kptr_restrict", "not known, and not needed");
  while (!value->empty() && value->back() == '\n') value->pop_back();
  return ok("kptr_restrict", *value +
                                 ", fine: pobpf reads addresses without /proc/kallsyms and "
                                 "without CAP_SYSLOG");
}

std::uint64_t own_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].effective | static_cast<std::uint64_t>(data[1].effective) << 32U;
}

int try_bpf() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = sizeof(std::uint64_t);
  attributes.max_entries = 1;
  const Fd map(
      static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes))));
  return map ? 0 : errno;
}

}  // namespace

Machine Machine::current() {
  utsname name{};
  ::uname(&name);
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  return {"/", own_capabilities(), name.release, descriptors.rlim_cur, try_bpf};
}

std::vector<Check> run_preflight(const Machine& machine, PreflightDepth depth) {
  const Evidence evidence(machine, depth);
  return {check_kernel(machine),         check_page_owner(evidence),
          check_page_owner_on(evidence), check_stack_depot(evidence),
          check_btf(evidence),           check_kallsyms_all(evidence, machine),
          check_memory_model(evidence),  check_bpf(evidence, machine),
          check_user_namespace(machine), check_capabilities(machine),
          check_lockdown(machine),       check_kptr_restrict(evidence, machine)};
}

Status preflight_status(const std::vector<Check>& checks) {
  for (const Check& check : checks)
    if (check.state == CheckState::kMissing && check.is_for_all)
      return fail(ErrorKind::kUnsupported, check.detail, check.hint);
  return {};
}

}  // namespace pobpf
