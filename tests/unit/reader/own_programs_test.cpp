// SPDX-License-Identifier: GPL-2.0-only
#include "reader/own_programs.h"

#include <gtest/gtest.h>

namespace pobpf {
namespace {

TEST(OwnPrograms, AreKnownByTheirTagWhateverTheirName) {
  const OwnPrograms own({"5fe8dacaef2c1b39"});
  EXPECT_TRUE(own.contains("bpf_prog_5fe8dacaef2c1b39_name_addresses+0xb5/0x1f8"));
  EXPECT_TRUE(own.contains("bpf_prog_5fe8dacaef2c1b39+0x1/0x2"));
}

TEST(OwnPrograms, AreNotThoseOfOthers) {
  const OwnPrograms own({"5fe8dacaef2c1b39"});
  EXPECT_FALSE(own.contains("bpf_prog_0123456789abcdef_sched+0x1/0x2"));
  EXPECT_FALSE(own.contains("bpf_prog_5fe8"));
  EXPECT_FALSE(own.contains("bpf_prog_load+0x1/0x2"));
  EXPECT_FALSE(OwnPrograms().contains("bpf_prog_5fe8dacaef2c1b39_x+0x1/0x2"));
}

}  // namespace
}  // namespace pobpf
