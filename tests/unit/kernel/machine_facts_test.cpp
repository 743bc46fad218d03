// SPDX-License-Identifier: GPL-2.0-only
// Decisions that the type information alone makes, of made-up kernels.
#include "kernel/machine_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "../util/temp_dir.h"
#include "libbpf_btf.h"

namespace pobpf {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

class OldKernels : public testing::Test {
 protected:
  /// One that has all that is needed, less what is hidden.
  KernelBtf kernel(const std::string& without = "") {
    const test::Btf types(btf__new_empty());
    const int number = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
    btf__add_struct(types.get(), "page_owner", 8);
    btf__add_field(types.get(), "ts_nsec", number, 0, 0);
    btf__add_enum(types.get(), "bpf_prog_type", 4);
    btf__add_enum_value(types.get(), "BPF_PROG_TYPE_SYSCALL", 31);
    btf__add_enum(types.get(), "bpf_func_id", 4);
    btf__add_enum_value(types.get(), "BPF_FUNC_for_each_map_elem", 164);
    const int prototype = btf__add_func_proto(types.get(), number);
    btf__add_func(types.get(), "bpf_iter_bpf_map_elem", BTF_FUNC_STATIC, prototype);
    directory_.write("btf", test::bytes_of(types.get()));
    auto loaded = KernelBtf::load_file(directory_ / "btf");
    if (!loaded) std::abort();
    if (!without.empty()) loaded->hide(without);
    return std::move(*loaded);
  }

  test::TempDir directory_;
};

TEST_F(OldKernels, ThatLackWhatIsNeededArePointedToImport) {
  EXPECT_TRUE(check_requirements(kernel()));
  for (const char* sign : {"BPF_PROG_TYPE_SYSCALL", "BPF_FUNC_for_each_map_elem",
                           "page_owner.ts_nsec", "bpf_iter_bpf_map_elem"}) {
    const auto status = check_requirements(kernel(sign));
    ASSERT_FALSE(status) << sign;
    EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(status.error().what, HasSubstr("this kernel is too old for pobpf: it has no "));
    EXPECT_THAT(status.error().hint, HasSubstr("pobpf import"));
  }
  // page_owner itself is looked for later
  EXPECT_TRUE(check_requirements(kernel("page_owner")));
}

TEST_F(OldKernels, AreAskedOnlyForWhatIsNeeded) {
  const KernelBtf old = kernel();
  EXPECT_THAT(fact_symbols(old, {}), IsSupersetOf({"max_pfn", "read_page_owner"}));
  EXPECT_THAT(fact_symbols(old, {}), Not(Contains("_stext")));
  const auto without = fact_symbols(old, {.has_text = false});
  EXPECT_THAT(without, AllOf(Contains("max_pfn"), Not(Contains("read_page_owner")),
                             Not(Contains("__start_rodata"))));
  EXPECT_THAT(fact_symbols(old, {.has_code = true}), IsSupersetOf(code_symbols()));
}

TEST_F(OldKernels, HaveOtherWaysToTellAddressesAndToLoop) {
  const KernelBtf old = kernel();
  EXPECT_EQ(program_variant(old), ProgramVariant::kForEach);
  EXPECT_FALSE(symbol_sources(old).has_lookup);
  EXPECT_FALSE(symbol_sources(old).has_iterator);
}

}  // namespace
}  // namespace pobpf
