// SPDX-License-Identifier: GPL-2.0-only
// Each sentence here is output: what a user reads when pobpf cannot run.
#include "kernel/preflight.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "../util/temp_dir.h"
#include "gzip.h"
#include "libbpf_btf.h"

namespace pobpf {
namespace {

constexpr std::uint64_t bit(unsigned capability) { return 1ULL << capability; }

/// A kernel's BTF with nothing but these (empty) structs, the helpers that programs may call, and
/// functions.
std::string btf_with(const std::vector<std::string>& structs,
                     const std::vector<std::string>& helpers = {},
                     const std::vector<std::string>& functions = {}) {
  const test::Btf types(btf__new_empty());
  for (const auto& name : structs) btf__add_struct(types.get(), name.c_str(), 8);
  if (!helpers.empty()) btf__add_enum(types.get(), "bpf_func_id", 4);
  int number = 0;
  for (const auto& name : helpers) btf__add_enum_value(types.get(), name.c_str(), ++number);
  for (const auto& name : functions)
    btf__add_func(types.get(), name.c_str(), BTF_FUNC_STATIC, btf__add_func_proto(types.get(), 0));
  return test::bytes_of(types.get());
}

constexpr const char* kGoodConfig =
    "CONFIG_PAGE_OWNER=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM=y\n"
    "CONFIG_SPARSEMEM_EXTREME=y\nCONFIG_BPF_SYSCALL=y\n";

/// A machine on which everything is right; each test breaks one thing.
class Preflight : public ::testing::Test {
 protected:
  Preflight() {
    root.write("proc/config.gz", test::gzip(kGoodConfig));
    root.write("proc/cmdline", "root=/dev/vda ro page_owner=on\n");
    root.write("proc/kallsyms", "0000000000000000 T _stext\n0000000000000000 D init_task\n");
    root.write("proc/self/uid_map", "         0          0 4294967295\n");
    root.write("proc/sys/kernel/kptr_restrict", "1\n");
    root.write("sys/kernel/btf/vmlinux", btf_with({"page_owner", "mem_section_usage"}));
    root.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    machine.root = root.path();
    machine.release = "6.12.1-amd64";
    machine.effective_capabilities = bit(CAP_BPF) | bit(CAP_PERFMON);
    machine.probe_bpf = [] { return 0; };
  }

  void set_config(std::string_view text) const { root.write("proc/config.gz", test::gzip(text)); }
  void set_command_line(std::string_view text) const { root.write("proc/cmdline", text); }
  void set_bpf_error(int error) {
    machine.probe_bpf = [error] { return error; };
  }

  [[nodiscard]] Check check(std::string_view name) const {
    const auto checks = run_preflight(machine);
    const auto found = std::find_if(checks.begin(), checks.end(),
                                    [&](const Check& check) { return check.name == name; });
    if (found == checks.end()) std::abort();
    return *found;
  }

  void expect_ok(std::string_view name, std::string_view detail) const {
    const Check found = check(name);
    EXPECT_EQ(found.state, CheckState::kOk);
    EXPECT_EQ(found.detail, detail);
    EXPECT_EQ(found.hint, "");
  }
  void expect_missing(std::string_view name, std::string_view detail, std::string_view hint) const {
    const Check found = check(name);
    EXPECT_EQ(found.state, CheckState::kMissing);
    EXPECT_EQ(found.detail, detail);
    EXPECT_EQ(found.hint, hint);
    // and it stops pobpf, with this sentence
    const auto status = preflight_status(run_preflight(machine));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(status.error().what, detail);
    EXPECT_EQ(status.error().hint, hint);
  }
  void expect_unknown(std::string_view name, std::string_view detail, std::string_view hint) const {
    const Check found = check(name);
    EXPECT_EQ(found.state, CheckState::kUnknown);
    EXPECT_EQ(found.detail, detail);
    EXPECT_EQ(found.hint, hint);
    EXPECT_TRUE(preflight_status(run_preflight(machine)));
  }

  test::TempDir root;
  Machine machine;
};

TEST_F(Preflight, PassesOnAGoodMachine) {
  for (const Check& check : run_preflight(machine))
    EXPECT_EQ(check.state, CheckState::kOk) << check.name;
  EXPECT_TRUE(preflight_status(run_preflight(machine)));
}

TEST_F(Preflight, PrintsAllChecksInAFixedOrder) {
  std::vector<std::string> names;
  for (const Check& check : run_preflight(machine)) names.push_back(check.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"kernel", "page_owner", "page_owner_on", "stack_depot", "btf",
                                      "kallsyms_all", "memory_model", "bpf", "user_namespace",
                                      "capabilities", "lockdown", "kptr_restrict"}));
}

TEST_F(Preflight, SurvivesAMachineWithoutAnyFile) {
  root.remove("proc");
  root.remove("sys");
  machine.release = "";
  EXPECT_EQ(run_preflight(machine).size(), 12U);
}

TEST_F(Preflight, RunsOnThisMachine) {
  const Machine here = Machine::current();
  EXPECT_FALSE(here.release.empty());
  EXPECT_EQ(run_preflight(here).size(), 12U);
}

// kernel

TEST_F(Preflight, AcceptsTheOldestTestedKernel) {
  machine.release = "6.1.0-40-amd64";
  expect_ok("kernel", "Linux 6.1.0-40-amd64");
}

TEST_F(Preflight, DoesNotRefuseAnOlderKernel) {
  machine.release = "5.14.0-503.el9";
  expect_unknown("kernel",
                 "Linux 5.14.0-503.el9 is older than any kernel that pobpf is tested with",
                 "if pobpf fails here, use Linux 6.1 or newer");
}

// page_owner

TEST_F(Preflight, KernelWithoutPageOwner) {
  set_config("CONFIG_BPF_SYSCALL=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM_EXTREME=y\n");
  set_command_line("quiet\n");
  root.write("sys/kernel/btf/vmlinux", btf_with({"mem_section_usage"}));
  expect_missing("page_owner",
                 "this kernel was built without CONFIG_PAGE_OWNER (from /proc/config.gz)",
                 "boot a kernel that has it, as those of Fedora, RHEL and openSUSE do, with "
                 "page_owner=on on its command line");
  EXPECT_EQ(check("page_owner_on").detail, "page_owner=on is not on the kernel command line");
}

TEST_F(Preflight, ParameterGivenToAKernelWithoutPageOwner) {
  root.remove("proc/config.gz");
  root.write("sys/kernel/btf/vmlinux", btf_with({"mem_section_usage"}));
  expect_missing("page_owner",
                 "page_owner=on is on the kernel command line, but this kernel was built without "
                 "CONFIG_PAGE_OWNER (from its BTF)",
                 "boot a kernel that has it, as those of Fedora, RHEL and openSUSE do, with "
                 "page_owner=on on its command line");
}

TEST_F(Preflight, BtfOutweighsAWrongConfigFile) {
  set_config("CONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM_EXTREME=y\n");
  expect_ok(
      "page_owner",
      "CONFIG_PAGE_OWNER is built in (from its BTF, although /proc/config.gz says otherwise)");
}

TEST_F(Preflight, ConfigFileDecidesWithoutBtf) {
  root.remove("sys/kernel/btf");
  expect_ok("page_owner", "CONFIG_PAGE_OWNER is built in (from /proc/config.gz)");
}

TEST_F(Preflight, PageOwnerIsUnknownWithoutConfigAndBtf) {
  root.remove("proc/config.gz");
  root.remove("sys/kernel/btf");
  const Check found = check("page_owner");
  EXPECT_EQ(found.state, CheckState::kUnknown);
  EXPECT_EQ(found.detail, "neither the kernel's configuration nor its BTF can be read");
}

TEST_F(Preflight, PageOwnerIsOff) {
  set_command_line("root=/dev/vda ro\n");
  expect_missing("page_owner_on", "page_owner is built in but off",
                 "boot with page_owner=on, then run pobpf again");
}

TEST_F(Preflight, PageOwnerIsSwitchedOffLater) {
  set_command_line("page_owner=on page_owner=off\n");
  expect_missing("page_owner_on",
                 "the kernel command line switches page_owner off with page_owner=off",
                 "boot with page_owner=on, then run pobpf again");
}

TEST_F(Preflight, PageOwnerHasAValueThatTheKernelIgnores) {
  set_command_line("page_owner=enable\n");
  expect_missing("page_owner_on",
                 "the kernel does not understand page_owner=enable and leaves page_owner off",
                 "boot with page_owner=on, then run pobpf again");
}

TEST_F(Preflight, PageOwnerIsOnInAnotherSpelling) {
  set_command_line("page_owner=1\n");
  expect_ok("page_owner_on", "page_owner=1 is on the kernel command line");
}

TEST_F(Preflight, CommandLineCannotBeRead) {
  root.remove("proc/cmdline");
  expect_unknown("page_owner_on",
                 "reading " + (root / "proc/cmdline").string() + ": No such file or directory",
                 "mount proc on /proc");
}

/// Nothing of the kernel is blamed for what only the mounts lack.
TEST_F(Preflight, ProcIsNotMounted) {
  root.remove("proc");
  expect_missing("page_owner_on",
                 "/proc is not mounted, so that nothing tells how the kernel was booted",
                 "mount proc on /proc");
}

TEST_F(Preflight, CommandLineIsHidden) {
  set_command_line("");
  expect_unknown("page_owner_on", "/proc/cmdline is empty, as if something hid it",
                 "mount proc on /proc");
}

TEST_F(Preflight, StackDepotIsDisabled) {
  set_command_line("page_owner=on stack_depot_disable=on\n");
  expect_missing("stack_depot",
                 "the kernel was booted with stack_depot_disable=on and records no stacks",
                 "boot without stack_depot_disable, then run pobpf again");
}

TEST_F(Preflight, StackDepotIsNotDisabledByOff) {
  set_command_line("page_owner=on stack_depot_disable=off\n");
  expect_ok("stack_depot", "not disabled, so that stacks are recorded");
}

// BTF

TEST_F(Preflight, KernelWithoutBtf) {
  root.remove("sys/kernel/btf");
  expect_missing("btf", "this kernel has no BTF (/sys/kernel/btf/vmlinux)",
                 "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

TEST_F(Preflight, SysIsNotMounted) {
  root.remove("sys");
  expect_missing("btf", "/sys is not mounted, so the kernel's BTF cannot be read",
                 "mount sysfs on /sys");
}

TEST_F(Preflight, AConfigurationAloneIsNotBlamed) {
  root.remove("sys");
  set_config("CONFIG_BPF_SYSCALL=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM_EXTREME=y\n");
  expect_missing("btf", "/sys is not mounted, so the kernel's BTF cannot be read",
                 "mount sysfs on /sys");
}

TEST_F(Preflight, TooFewDescriptors) {
  machine.descriptors_max = 20;
  expect_missing("bpf",
                 "this process may have only 20 files open, which are too few for BPF maps and "
                 "programs",
                 "raise the limit: `ulimit -n 1024`, LimitNOFILE= in a systemd unit");
}

TEST_F(Preflight, DamagedBtf) {
  root.write("sys/kernel/btf/vmlinux", "this is not BTF");
  const Check found = check("btf");
  EXPECT_EQ(found.state, CheckState::kMissing);
  EXPECT_EQ(found.detail.find("/sys/kernel/btf/vmlinux cannot be used: "), 0U) << found.detail;
  EXPECT_EQ(found.hint, "boot a kernel with valid BTF");
}

TEST_F(Preflight, BtfMustNotBeRead) {
  std::filesystem::permissions(root / "sys/kernel/btf/vmlinux", std::filesystem::perms::none);
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0) ::setfsuid(kNobody);
  const Check found = check("btf");
  if (::geteuid() == 0) ::setfsuid(0);
  EXPECT_EQ(found.state, CheckState::kMissing);
  EXPECT_EQ(found.detail, "/sys/kernel/btf/vmlinux must not be read by this user");
  EXPECT_EQ(found.hint, "run pobpf as root");
}

// kernel symbols and memory model

TEST_F(Preflight, KernelWithoutKallsymsAll) {
  set_config("CONFIG_PAGE_OWNER=y\nCONFIG_SPARSEMEM_EXTREME=y\n");
  expect_missing(
      "kallsyms_all",
      "this kernel was built without CONFIG_KALLSYMS_ALL, so that its variables cannot be "
      "found (from /proc/config.gz)",
      "boot a kernel built with CONFIG_KALLSYMS_ALL=y");
}

TEST_F(Preflight, KallsymsDecidesWithoutConfig) {
  root.remove("proc/config.gz");
  expect_ok("kallsyms_all", "the kernel's variables have names (from /proc/kallsyms)");
  root.write("proc/kallsyms",
             "0000000000000000 T _stext\n0000000000000000 d init_task\t[module]\n");
  EXPECT_EQ(check("kallsyms_all").state, CheckState::kMissing);
  root.remove("proc/kallsyms");
  expect_unknown("kallsyms_all",
                 "neither the kernel's configuration nor /proc/kallsyms can be read",
                 "look for CONFIG_KALLSYMS_ALL=y in the configuration of this kernel");
}

TEST_F(Preflight, FlatMemory) {
  set_config("CONFIG_PAGE_OWNER=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_FLATMEM=y\n");
  expect_missing("memory_model",
                 "this kernel keeps its pages in the FLATMEM model, which pobpf cannot walk (from "
                 "/proc/config.gz)",
                 "boot a kernel built with CONFIG_SPARSEMEM_EXTREME=y");
}

TEST_F(Preflight, StaticSparseMemory) {
  set_config("CONFIG_PAGE_OWNER=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM=y\n");
  expect_missing(
      "memory_model",
      "this kernel keeps its pages in the SPARSEMEM_STATIC model, which pobpf cannot walk "
      "(from /proc/config.gz)",
      "boot a kernel built with CONFIG_SPARSEMEM_EXTREME=y");
}

TEST_F(Preflight, BtfTellsTheMemoryModelWithoutConfig) {
  root.remove("proc/config.gz");
  expect_ok("memory_model", "SPARSEMEM (from its BTF)");
  root.write("sys/kernel/btf/vmlinux", btf_with({"page_owner"}));
  expect_missing(
      "memory_model",
      "this kernel keeps its pages in the FLATMEM model, which pobpf cannot walk (from its "
      "BTF)",
      "boot a kernel built with CONFIG_SPARSEMEM_EXTREME=y");
}

// bpf() and privileges

TEST_F(Preflight, KernelWithoutBpf) {
  set_config("CONFIG_PAGE_OWNER=y\nCONFIG_KALLSYMS_ALL=y\nCONFIG_SPARSEMEM_EXTREME=y\n");
  set_bpf_error(ENOSYS);
  expect_missing("bpf", "this kernel has no bpf() system call",
                 "boot a kernel built with CONFIG_BPF_SYSCALL=y");
}

TEST_F(Preflight, SeccompForbidsBpf) {
  set_bpf_error(EPERM);
  expect_missing("bpf", "something forbids the bpf() system call: Operation not permitted",
                 "run pobpf outside the container or sandbox, or allow bpf() in it");
  // some filters say ENOSYS; a kernel that has bpf() does not
  set_bpf_error(ENOSYS);
  EXPECT_EQ(check("bpf").detail,
            "something forbids the bpf() system call: Function not implemented");
}

TEST_F(Preflight, SecurityModuleForbidsBpf) {
  set_bpf_error(EACCES);
  expect_missing("bpf", "a security module (SELinux, AppArmor) forbids the bpf() system call",
                 "allow it in the policy, or run pobpf from an unconfined shell");
}

TEST_F(Preflight, BpfFailsOtherwise) {
  set_bpf_error(ENOMEM);
  expect_missing("bpf", "the bpf() system call fails: Cannot allocate memory",
                 "solve this first; the kernel's log may say more");
}

TEST_F(Preflight, BpfCannotBeTriedWithoutPrivileges) {
  set_bpf_error(EPERM);
  machine.effective_capabilities = 0;
  EXPECT_EQ(check("bpf").state, CheckState::kUnknown);
  EXPECT_EQ(check("bpf").detail, "bpf() cannot be tried without CAP_BPF");
  // then the capabilities are what the user hears of
  EXPECT_EQ(preflight_status(run_preflight(machine)).error().what,
            "this process has neither CAP_BPF nor CAP_PERFMON");
}

constexpr const char* kCapabilityHint =
    "run pobpf with sudo, or give it both that it needs (`setcap cap_bpf,cap_perfmon=ep FILE`, "
    "AmbientCapabilities= in a systemd unit)";

TEST_F(Preflight, NoCapabilities) {
  machine.effective_capabilities = 0;
  expect_missing("capabilities", "this process has neither CAP_BPF nor CAP_PERFMON",
                 kCapabilityHint);
}

TEST_F(Preflight, CapBpfOnly) {
  machine.effective_capabilities = bit(CAP_BPF);
  expect_missing("capabilities", "this process has no CAP_PERFMON", kCapabilityHint);
}

TEST_F(Preflight, CapPerfmonOnly) {
  machine.effective_capabilities = bit(CAP_PERFMON) | bit(CAP_SYSLOG);
  expect_missing("capabilities", "this process has no CAP_BPF", kCapabilityHint);
}

TEST_F(Preflight, CapSysAdminImpliesBoth) {
  machine.effective_capabilities = bit(CAP_SYS_ADMIN);
  expect_ok("capabilities", "CAP_BPF and CAP_PERFMON (no other is needed)");
}

TEST_F(Preflight, UserNamespace) {
  root.write("proc/self/uid_map", "         0       1000          1\n");
  set_bpf_error(EPERM);
  EXPECT_EQ(check("bpf").state, CheckState::kUnknown);
  expect_missing(
      "user_namespace",
      "this process is in a user namespace (a rootless container?), where capabilities do "
      "not count for BPF",
      "run pobpf outside of it");
}

TEST_F(Preflight, UserNamespaceThatMapsOnlySomeUsersToThemselves) {
  root.write("proc/self/uid_map", "         0          0      65536\n");
  EXPECT_EQ(check("user_namespace").state, CheckState::kMissing);
}

TEST_F(Preflight, KernelWithoutUserNamespaces) {
  root.remove("proc/self/uid_map");
  expect_ok("user_namespace", "the initial one, where capabilities count");
}

// lockdown and kptr_restrict

TEST_F(Preflight, LockdownIntegrityIsFine) {
  root.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  expect_ok("lockdown", "integrity, which forbids debugfs but not pobpf");
}

TEST_F(Preflight, LockdownConfidentiality) {
  root.write("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
  expect_missing(
      "lockdown", "the kernel is locked down to confidentiality, where nothing may read its memory",
      "boot without lockdown=confidentiality (integrity, which Secure Boot sets, is fine)");
}

TEST_F(Preflight, KernelWithoutLockdown) {
  root.remove("sys/kernel/security/lockdown");
  root.write("sys/kernel/security/lsm", "capability,yama");
  expect_ok("lockdown", "not in use");
}

TEST_F(Preflight, LockdownIsUnknownWithoutSecurityfs) {
  root.remove("sys/kernel/security/lockdown");
  expect_unknown("lockdown", "securityfs is not mounted, so that lockdown cannot be told",
                 "mount it with `mount -t securityfs securityfs /sys/kernel/security` to see");
}

TEST_F(Preflight, AnyKptrRestrictIsFine) {
  for (const std::string value : {"0", "1", "2"}) {
    root.write("proc/sys/kernel/kptr_restrict", value + "\n");
    expect_ok(
        "kptr_restrict",
        value + ", fine: pobpf reads addresses without /proc/kallsyms and without CAP_SYSLOG");
  }
  root.remove("proc/sys/kernel/kptr_restrict");
  expect_ok("kptr_restrict", "not known, and not needed");
}

TEST_F(Preflight, KernelsBefore60ShowAddressesInKallsymsOnly) {
  root.write("sys/kernel/btf/vmlinux",
             btf_with({"page_owner", "mem_section_usage"}, {"BPF_FUNC_for_each_map_elem"}));
  expect_missing(
      "kptr_restrict",
      (root.path() / "proc/kallsyms").string() + " hides the kernel's addresses from this process",
      "give it CAP_SYSLOG and set kernel.kptr_restrict to 0 or 1, or use Linux 6.0 or "
      "newer");
  root.write("proc/kallsyms",
             "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _stext\n"
             "ffffffff82000000 D init_task\nffffffffc0000000 t f\t[m]\n");
  expect_ok("kptr_restrict", "/proc/kallsyms shows this process the kernel's addresses");
}

TEST_F(Preflight, LooksAtAKernelWithoutWhatIsHidden) {
  root.write("sys/kernel/btf/vmlinux", btf_with({"page_owner", "mem_section_usage"},
                                                {"BPF_FUNC_for_each_map_elem"}, {"bpf_iter_ksym"}));
  EXPECT_EQ(check("kptr_restrict").state, CheckState::kOk);
  machine.hidden_names = {"bpf_iter_ksym"};
  EXPECT_EQ(check("kptr_restrict").state, CheckState::kMissing);
}

}  // namespace
}  // namespace pobpf
