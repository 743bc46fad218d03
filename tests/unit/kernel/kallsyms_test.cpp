// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kallsyms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "../util/temp_dir.h"

namespace pobpf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Kallsyms : public testing::Test {
 protected:
  /// Address, letter, whether it is a module's, and name.
  using Symbol = std::tuple<std::uint64_t, char, bool, std::string>;

  Status read(const std::string& text) {
    directory_.write("kallsyms", text);
    return read_kallsyms(directory_ / "kallsyms",
                         [this](const pobpf_symbol& symbol, std::string_view name) {
                           symbols_.emplace_back(symbol.address, static_cast<char>(symbol.type),
                                                 symbol.is_module != 0, name);
                         });
  }

  test::TempDir directory_;
  std::vector<Symbol> symbols_;
};

TEST_F(Kallsyms, AreReadLineByLine) {
  const auto status = read(
      "0000000000000000 A fixed_percpu_data\n"
      "ffffffff81000000 T _stext\n"
      "ffffffff81000040 t f.isra.0\n"
      "ffffffffc0201000 t f\t[brd]\n"
      "ffffffffc0300000 t bpf_prog_6deef7357e7b4530_f\t[bpf]\n");
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_THAT(symbols_,
              ElementsAre(Symbol(0, 'A', false, "fixed_percpu_data"),
                          Symbol(0xffffffff81000000, 'T', false, "_stext"),
                          Symbol(0xffffffff81000040, 't', false, "f.isra.0"),
                          Symbol(0xffffffffc0201000, 't', true, "f"),
                          Symbol(0xffffffffc0300000, 't', true, "bpf_prog_6deef7357e7b4530_f")));
}

TEST_F(Kallsyms, HiddenAddressesAreRefused) {
  for (const char* text : {"", "0000000000000000 T _stext\n0000000000000000 t f\t[brd]\n"}) {
    const auto status = read(text);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(status.error().what, HasSubstr(" hides the kernel's addresses"));
  }
}

TEST_F(Kallsyms, OtherFilesAreRefused) {
  for (const char* text : {"ffffffff81000000\n", "ffffffff81000000 T \n", "T _stext\n", "\n",
                           "ffffffff81000000 TT f\n", "1ffffffff81000000 T f\n"})
    EXPECT_FALSE(read(text)) << text;
  EXPECT_FALSE(read_kallsyms(directory_ / "missing", {}));
}

}  // namespace
}  // namespace pobpf
