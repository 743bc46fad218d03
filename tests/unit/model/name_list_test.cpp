// SPDX-License-Identifier: GPL-2.0-only
#include "model/name_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pobpf {
namespace {

using Names = std::vector<std::string>;

std::string name_refusal(const Result<Names>& names) {
  if (names) return "accepted";
  EXPECT_EQ(names.error().kind, ErrorKind::kUsage);
  return names.error().what;
}

TEST(NameList, IsSplitAtAnySeparator) {
  EXPECT_EQ(split_list("a", ",").value(), (Names{"a"}));
  EXPECT_EQ(split_list("DMA,Normal", ",").value(), (Names{"DMA", "Normal"}));
  EXPECT_EQ(split_list("a|b,c", ",|").value(), (Names{"a", "b", "c"}));
  EXPECT_EQ(split_list("a|b,c", ",").value(), (Names{"a|b", "c"}));
  EXPECT_EQ(split_list(" a , b", ",").value(), (Names{" a ", " b"}));
}

TEST(NameList, HasNoEmptyEntries) {
  for (const char* text : {"", ",", "a,", ",a", "a,,b", "a|,b"})
    EXPECT_EQ(name_refusal(split_list(text, ",|")), "an entry of the list is empty") << text;
}

TEST(Patterns, AreSplitAtBareCommas) {
  EXPECT_EQ(split_patterns("kworker*").value(), (Names{"kworker*"}));
  EXPECT_EQ(split_patterns("a*,b?").value(), (Names{"a*", "b?"}));
  // the library takes the backslash off
  EXPECT_EQ(split_patterns("a\\,b,c").value(), (Names{"a\\,b", "c"}));
  EXPECT_EQ(split_patterns("a\\\\,b").value(), (Names{"a\\\\", "b"}));
  EXPECT_EQ(split_patterns("a[,;]b,c").value(), (Names{"a[,;]b", "c"}));
  EXPECT_EQ(split_patterns("[!,]").value(), (Names{"[!,]"}));
  EXPECT_EQ(split_patterns("\\[a,b]").value(), (Names{"\\[a", "b]"}));
}

TEST(Patterns, AreNeitherEmptyNorUnfinished) {
  for (const char* text : {"", ",", "a,", ",a", "a,,b"})
    EXPECT_EQ(name_refusal(split_patterns(text)), "an entry of the list is empty") << text;
  EXPECT_EQ(name_refusal(split_patterns("a,[b,c")), "'[b' has a [ without its ]");
  EXPECT_EQ(name_refusal(split_patterns("a,b\\")), "'b\\' ends with a backslash");
  EXPECT_EQ(name_refusal(split_patterns("[b-a],c")), "'[b-a]' matches nothing");
}

TEST(NearestName, TakesFewEdits) {
  const Names zones{"DMA", "DMA32", "Normal", "Movable", "Device"};
  EXPECT_EQ(nearest_name("Nromal", zones), "Normal");
  EXPECT_EQ(nearest_name("normal", zones), "Normal");
  EXPECT_EQ(nearest_name("DMA23", zones), "DMA32");
  EXPECT_EQ(nearest_name("Moveable", zones), "Movable");
  EXPECT_EQ(nearest_name("dma", zones), "DMA");
}

TEST(NearestName, MayHoldWhatWasTyped) {
  const Names flags{"GFP_TRANSHUGE", "GFP_KERNEL_ACCOUNT", "GFP_KERNEL", "__GFP_IO"};
  EXPECT_EQ(nearest_name("kernel_account", flags), "GFP_KERNEL_ACCOUNT");
  EXPECT_EQ(nearest_name("KERNEL", flags), "GFP_KERNEL");
  EXPECT_EQ(nearest_name("GFP_IO", flags), "__GFP_IO");
}

TEST(NearestName, IsNoneIfAllAreFar) {
  const Names zones{"DMA", "Normal"};
  EXPECT_EQ(nearest_name("kmalloc", zones), "");
  EXPECT_EQ(nearest_name("", zones), "");
  EXPECT_EQ(nearest_name("x", {"y", "zz"}), "");
  EXPECT_EQ(nearest_name("Normal", {}), "");
}

TEST(NearestName, IsFoundAmongAllFunctionsOfAKernel) {
  Names functions(200000, "some_function_of_the_kernel");
  functions.emplace_back("kmalloc_noprof");
  EXPECT_EQ(nearest_name("kmaloc_noprof", functions), "kmalloc_noprof");
  // takes no hours: what is much longer is not near
  EXPECT_EQ(nearest_name(std::string(100000, 'k'), functions), "");
}

TEST(UnknownName, NamesTheNearestAndAll) {
  const Error near = unknown_name("zone of this kernel", "normal", {"DMA", "Normal"});
  EXPECT_EQ(near.kind, ErrorKind::kUsage);
  EXPECT_EQ(near.what, "'normal' is not a zone of this kernel");
  EXPECT_EQ(near.hint, "did you mean 'Normal'? there are DMA, Normal");
  EXPECT_EQ(unknown_name("zone", "kmalloc", {"DMA", "Normal"}).hint, "there are DMA, Normal");
  EXPECT_EQ(unknown_name("module", "ext4", {}).hint, "there are none");
}

TEST(Shown, IsCutWhereItIsLong) {
  EXPECT_EQ(shown("short"), "short");
  EXPECT_EQ(shown(std::string(64, 'a')), std::string(64, 'a'));
  EXPECT_EQ(shown(std::string(65, 'a')), std::string(64, 'a') + "...");
}

}  // namespace
}  // namespace pobpf
