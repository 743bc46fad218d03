// SPDX-License-Identifier: GPL-2.0-only
#include "model/kernel_release.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(KernelRelease, BeginsWithAVersion) {
  EXPECT_EQ(parse_release("6.12.1-amd64"), (KernelVersion{6, 12}));
  EXPECT_EQ(parse_release("5.14.0-427.el9.x86_64"), (KernelVersion{5, 14}));
  EXPECT_EQ(parse_release("7.3"), (KernelVersion{7, 3}));
  for (const char* release : {"", "6", "6.", ".1", "v6.1", "6.x", "99999999999.1"})
    EXPECT_FALSE(parse_release(release)) << release;
}

TEST(KernelRelease, IsOrderedByNumbers) {
  EXPECT_LT((KernelVersion{5, 18}), (KernelVersion{6, 4}));
  EXPECT_LT((KernelVersion{6, 4}), (KernelVersion{6, 12}));
}

}  // namespace
}  // namespace pobpf
