// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/snapshot_glance.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "../util/temp_dir.h"
#include "made_up_pages.h"

namespace pobpf {
namespace {

class Glance : public ::testing::Test {
 protected:
  SnapshotGlance at(const std::string& content) {
    dir.write("file", content);
    return at_path("file");
  }
  SnapshotGlance at_path(const char* name) {
    return glance_at_snapshot(Fd(::open((dir / name).c_str(), O_RDONLY | O_CLOEXEC)), name);
  }

  test::TempDir dir;
  std::string whole = test::made_snapshot(test::RandomPages(1).take(3000));
};

TEST_F(Glance, SeesWhatAWholeOneSaysOfItself) {
  const SnapshotGlance glance = at(whole);
  EXPECT_EQ(glance.state, SnapshotState::kComplete) << glance.why;
  EXPECT_EQ(glance.header.hostname, "host");
  EXPECT_EQ(glance.header.wall_clock_ns, test::made_up_header().wall_clock_ns);
  EXPECT_EQ(glance.footer.nr_pages, 3000U);
  ASSERT_TRUE(glance.footer.account);
  EXPECT_EQ(glance.footer.account->free, 7U);
}

TEST_F(Glance, OneCutOffAnywhereIsNotWhole) {
  const std::string small = test::made_snapshot(test::RandomPages(1).take(3));
  ASSERT_EQ(at(small).state, SnapshotState::kComplete);
  for (std::size_t size = 0; size < small.size(); size += 1 + size % 13) {
    const SnapshotGlance glance = at(small.substr(0, size));
    ASSERT_NE(glance.state, SnapshotState::kComplete) << size;
    ASSERT_NE(glance.state, SnapshotState::kUnreadable) << size;
    ASSERT_FALSE(glance.why.empty());
  }
  EXPECT_EQ(at(small.substr(0, small.size() - 1)).state, SnapshotState::kIncomplete);
  EXPECT_EQ(at(small.substr(0, 20)).state, SnapshotState::kDamaged);
  EXPECT_EQ(at("").state, SnapshotState::kDamaged);
}

TEST_F(Glance, WhatFollowsTheEndIsDamage) {
  EXPECT_EQ(at(whole + '\0').state, SnapshotState::kIncomplete);
  EXPECT_EQ(at(whole + "\x28\xb5\x2f\xfd").state, SnapshotState::kIncomplete);
  EXPECT_EQ(at(whole + std::string(100'000, 'x')).state, SnapshotState::kIncomplete);
}

TEST_F(Glance, ManyBeginningsOfFramesTakeNoTime) {
  std::string hostile = whole.substr(0, whole.size() / 2);
  for (int i = 0; i < 5000; ++i) hostile += "\x28\xb5\x2f\xfd";
  EXPECT_EQ(at(hostile).state, SnapshotState::kIncomplete);
}

TEST_F(Glance, OtherFilesAreNone) {
  EXPECT_EQ(at("Page allocated via order 0").state, SnapshotState::kDamaged);
  EXPECT_EQ(at(std::string(1'000'000, '\0')).state, SnapshotState::kDamaged);
  EXPECT_EQ(at_path(".").state, SnapshotState::kUnreadable);
}

}  // namespace
}  // namespace pobpf
