// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kernel_config.h"

#include <gtest/gtest.h>

#include "../util/temp_dir.h"
#include "gzip.h"

namespace pobpf {
namespace {

constexpr std::string_view kText =
    "CONFIG_FIRST=y\n# CONFIG_PAGE_OWNER is not set\nCONFIG_MODULAR=m\nCONFIG_LAST=y";

TEST(KernelConfig, OnlyYesIsBuiltIn) {
  const KernelConfig config(std::string(kText), "here");
  EXPECT_TRUE(config.is_built_in("CONFIG_FIRST"));
  EXPECT_TRUE(config.is_built_in("CONFIG_LAST"));
  EXPECT_FALSE(config.is_built_in("CONFIG_PAGE_OWNER"));
  EXPECT_FALSE(config.is_built_in("CONFIG_MODULAR"));
  EXPECT_FALSE(config.is_built_in("CONFIG_FIR"));
  EXPECT_FALSE(config.is_built_in("FIRST"));
}

TEST(KernelConfig, PrefersWhatTheKernelItselfProvides) {
  const test::TempDir root;
  root.write("proc/config.gz", test::gzip(kText));
  root.write("boot/config-6.12.1", "CONFIG_OTHER=y\n");
  const auto config = KernelConfig::load(root.path(), "6.12.1");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->source(), "/proc/config.gz");
  EXPECT_TRUE(config->is_built_in("CONFIG_LAST"));
}

TEST(KernelConfig, FallsBackToTheFilesOfDistributions) {
  const test::TempDir root;
  root.write("lib/modules/6.12.1/config", "CONFIG_FEDORA=y\n");
  EXPECT_TRUE(KernelConfig::load(root.path(), "6.12.1").value().is_built_in("CONFIG_FEDORA"));
  root.write("boot/config-6.12.1", "CONFIG_DEBIAN=y\n");
  EXPECT_EQ(KernelConfig::load(root.path(), "6.12.1").value().source(), "/boot/config-6.12.1");
}

TEST(KernelConfig, IgnoresTheFileOfAnotherKernel) {
  const test::TempDir root;
  root.write("boot/config-6.12.2", "CONFIG_DEBIAN=y\n");
  EXPECT_FALSE(KernelConfig::load(root.path(), "6.12.1"));
}

TEST(KernelConfig, IgnoresDamagedFiles) {
  const test::TempDir root;
  const std::string packed = test::gzip(std::string(100'000, '#') + std::string(kText));
  root.write("proc/config.gz", packed.substr(0, packed.size() / 2));
  EXPECT_FALSE(KernelConfig::load(root.path(), "6.12.1"));
  root.write("proc/config.gz", "");
  EXPECT_FALSE(KernelConfig::load(root.path(), "6.12.1"));
}

}  // namespace
}  // namespace pobpf
