// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace pobpf {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

/// Fails, and libbpf says why in a warning.
bool open_garbage() {
  constexpr std::array<char, 64> kGarbage{};
  return bpf_object__open_mem(kGarbage.data(), kGarbage.size(), nullptr) != nullptr;
}

TEST(LibbpfLog, AnErrorHasTheWarningOfItsCallAndOfNoEarlierOne) {
  route_libbpf_log();
  const LibbpfCall opening;
  ASSERT_FALSE(open_garbage());
  EXPECT_THAT(opening.error("opening", EINVAL).what, HasSubstr("Invalid argument (libbpf: "));

  ASSERT_FALSE(open_garbage());
  EXPECT_EQ(libbpf_error("writing a map", -E2BIG).what, "writing a map: Argument list too long");
  const LibbpfCall loading;
  EXPECT_EQ(loading.error("loading", -E2BIG).what, "loading: Argument list too long");
}

}  // namespace
}  // namespace pobpf
