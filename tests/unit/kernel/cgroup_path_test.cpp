// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/cgroup_path.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "../util/made_up_controllers.h"
#include "../util/temp_dir.h"

namespace pobpf {
namespace {

class CgroupMountsTest : public testing::Test {
 protected:
  std::filesystem::path write(const char* text) {
    directory_.write("mounts", text);
    return directory_ / "mounts";
  }
  test::TempDir directory_;
};

TEST_F(CgroupMountsTest, AreThoseOfVersion2) {
  const auto mounts =
      find_cgroup_mounts(write("proc /proc proc rw 0 0\n"
                               "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
                               "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0\n"
                               "none /mnt/my\\040cgroups cgroup2 rw 0 0\n"));
  ASSERT_TRUE(mounts) << mounts.error().what;
  EXPECT_EQ(*mounts, (std::vector<std::string>{"/sys/fs/cgroup/unified", "/mnt/my cgroups"}));
}

TEST_F(CgroupMountsTest, NoneIsAnErrorThatSaysHowToMount) {
  const auto mounts = find_cgroup_mounts(write("proc /proc proc rw 0 0\n"));
  ASSERT_FALSE(mounts);
  EXPECT_EQ(mounts.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(mounts.error().hint.find("mount -t cgroup2"), std::string::npos);
  EXPECT_FALSE(find_cgroup_mounts(directory_.path() / "absent"));
}

TEST(CgroupDirectory, IsBelowTheFirstMount) {
  const std::vector<std::string> mounts{"/sys/fs/cgroup", "/mnt/two"};
  EXPECT_EQ(cgroup_directory("/", mounts), "/sys/fs/cgroup/");
  EXPECT_EQ(cgroup_directory("/a/b", mounts), "/sys/fs/cgroup/a/b");
  EXPECT_EQ(cgroup_directory("a/b", mounts), "/sys/fs/cgroup/a/b");
}

TEST(CgroupDirectory, MayBeGivenAsTheFilesystemHasIt) {
  const std::vector<std::string> mounts{"/sys/fs/cgroup", "/mnt/two"};
  EXPECT_EQ(cgroup_directory("/sys/fs/cgroup/a", mounts), "/sys/fs/cgroup/a");
  EXPECT_EQ(cgroup_directory("/sys/fs/cgroup", mounts), "/sys/fs/cgroup");
  EXPECT_EQ(cgroup_directory("/mnt/two/a", mounts), "/mnt/two/a");
  EXPECT_EQ(cgroup_directory("/mnt/twofold", mounts), "/sys/fs/cgroup/mnt/twofold");
}

/// On the running kernel: where it has no cgroup v2 with the memory controller, with one that is
/// made up as far as that goes.
class CgroupIdTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_cgroup_id("/")) {
      const int error = made_up_.emplace().set("cpu memory");
      if (error != 0) GTEST_SKIP() << "cgroup v2 cannot be mounted here: " << std::strerror(error);
    }
    const auto mounts = find_cgroup_mounts();
    ASSERT_TRUE(mounts) << mounts.error().what;
    mount_ = mounts->front();
    const auto id = find_cgroup_id("/");
    ASSERT_TRUE(id) << id.error().what;
    root_id_ = *id;
  }
  std::optional<test::MadeUpControllers> made_up_;
  std::string mount_;
  std::uint64_t root_id_ = 0;
};

TEST_F(CgroupIdTest, IsTheInodeNumber) {
  struct stat status {};
  ASSERT_EQ(::stat(mount_.c_str(), &status), 0);
  EXPECT_EQ(root_id_, status.st_ino);
  const auto by_directory = find_cgroup_id(mount_);
  ASSERT_TRUE(by_directory) << by_directory.error().what;
  EXPECT_EQ(*by_directory, root_id_);
}

TEST_F(CgroupIdTest, NoSuchCgroupIsAUsageError) {
  for (const char* const path : {"", "/no/such", "/../../../etc", "cgroup.procs"}) {
    const auto id = find_cgroup_id(path);
    ASSERT_FALSE(id) << path;
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage) << path;
  }
}

TEST(CgroupControllers, WithoutMemoryNoPagesAreCharged) {
  test::MadeUpControllers made_up;
  const int error = made_up.set("cpu memory_of_another_name");
  if (error != 0) GTEST_SKIP() << "cgroup v2 cannot be mounted here: " << std::strerror(error);
  const auto id = find_cgroup_id("/");
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(id.error().what.find("no memory controller"), std::string::npos) << id.error().what;
}

}  // namespace
}  // namespace pobpf
