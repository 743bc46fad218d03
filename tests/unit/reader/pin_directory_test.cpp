// SPDX-License-Identifier: GPL-2.0-only
#include "reader/pin_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../util/own_mounts.h"
#include "../util/temp_dir.h"

namespace pobpf {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kSomebody = 12345;

class PinDirectoryTest : public ::testing::Test {
 protected:
  PinDirectoryTest() {
    dir.write("pins/pin", "");
    dir.write("victim", "");
    for (const char* name : {"pins/pin", "victim"}) ::chmod((dir / name).c_str(), 0600);
  }

  [[nodiscard]] std::string why_no_pins(const char* name) const {
    const auto directory = PinDirectory::find(dir / name);
    if (!directory) return directory.error().what;
    const auto status = directory->check_for_pins();
    if (status) return {};
    EXPECT_EQ(status.error().kind, ErrorKind::kFailed);
    EXPECT_NE(status.error().hint, "");
    return status.error().what;
  }
  [[nodiscard]] mode_t mode_of(const char* name) const {
    struct stat info {};
    EXPECT_EQ(::lstat((dir / name).c_str(), &info), 0);
    return info.st_mode & 07777U;
  }
  void set_mode(const char* name, mode_t mode) const {
    ASSERT_EQ(::chmod((dir / name).c_str(), mode), 0);
  }

  test::TempDir dir;
};

TEST_F(PinDirectoryTest, OthersMayNotWriteToIt) {
  for (const mode_t mode : {0775U, 0757U, 0777U, 01777U, 01775U}) {
    set_mode("pins", mode);
    EXPECT_THAT(why_no_pins("pins"), HasSubstr("others may write to " + (dir / "pins").string()))
        << mode;
  }
  set_mode("pins", 0755);
  EXPECT_THAT(why_no_pins("pins"), HasSubstr("is not in a BPF file system"));
}

TEST_F(PinDirectoryTest, TheDirectoryThatItIsMadeInMayBeSticky) {
  for (const mode_t mode : {0775U, 0757U, 0777U}) {
    set_mode("pins", mode);
    EXPECT_THAT(why_no_pins("pins/new"),
                HasSubstr("others may write to " + (dir / "pins").string()))
        << mode;
  }
  set_mode("pins", 01777);
  EXPECT_THAT(why_no_pins("pins/new"), HasSubstr("is not in a BPF file system"));
}

TEST_F(PinDirectoryTest, ItBelongsToRootOrTheCaller) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  ASSERT_EQ(::chown((dir / "pins").c_str(), kSomebody, 0), 0);
  for (const char* name : {"pins", "pins/new"})
    EXPECT_THAT(why_no_pins(name), HasSubstr("pins belongs to user 12345")) << name;
}

TEST_F(PinDirectoryTest, ItIsNoSymbolicLink) {
  std::filesystem::create_symlink("pins", dir / "link");
  EXPECT_FALSE(PinDirectory::find(dir / "link"));
}

TEST_F(PinDirectoryTest, IsMadeForAllToSearch) {
  const test::OwnMounts mounts;
  if (mounts.error() != 0 || ::mount("bpf", (dir / "pins").c_str(), "bpf", 0, nullptr) != 0)
    GTEST_SKIP() << "nothing can be mounted";
  // as root may write to a BPF file system, so may all others, unless it is told
  EXPECT_EQ(mode_of("pins"), 01777U);
  EXPECT_THAT(why_no_pins("pins"), HasSubstr("others may write to"));
  auto directory = PinDirectory::find(dir / "pins/new");
  ASSERT_TRUE(directory);
  EXPECT_FALSE(directory->exists());
  EXPECT_TRUE(directory->check_for_pins());
  bool was_made = false;
  const mode_t saved = ::umask(077);
  EXPECT_TRUE(directory->make(was_made));
  ::umask(saved);
  EXPECT_TRUE(was_made);
  EXPECT_EQ(mode_of("pins/new"), 0755U);
  EXPECT_TRUE(directory->make(was_made));
  EXPECT_FALSE(was_made);
  directory->remove_if_empty();
  EXPECT_FALSE(std::filesystem::exists(dir / "pins/new"));
}

TEST_F(PinDirectoryTest, NothingIsMadeElsewhere) {
  auto directory = PinDirectory::find(dir / "pins/new");
  ASSERT_TRUE(directory);
  bool was_made = false;
  EXPECT_FALSE(directory->make(was_made));
  EXPECT_FALSE(std::filesystem::exists(dir / "pins/new"));
}

TEST_F(PinDirectoryTest, GivesAwayWhatIsThereAndNotWhatALinkLeadsTo) {
  const auto directory = PinDirectory::find(dir / "pins");
  ASSERT_TRUE(directory);
  const PinAccess access{std::nullopt, ::getegid(), 0440};
  ASSERT_TRUE(directory->give("pin", access));
  EXPECT_EQ(mode_of("pins/pin"), 0440U);
  dir.remove("pins/pin");
  std::filesystem::create_symlink("../victim", dir / "pins/pin");
  EXPECT_FALSE(directory->give("pin", access));
  EXPECT_EQ(mode_of("victim"), 0600U);
}

TEST_F(PinDirectoryTest, StaysWhatItWasWhenThePathLeadsElsewhere) {
  const auto directory = PinDirectory::find(dir / "pins");
  ASSERT_TRUE(directory);
  std::filesystem::rename(dir / "pins", dir / "moved");
  dir.write("pins/pin", "");
  set_mode("pins/pin", 0600);
  ASSERT_TRUE(directory->give("pin", {std::nullopt, std::nullopt, 0444}));
  EXPECT_EQ(mode_of("pins/pin"), 0600U);
  EXPECT_EQ(mode_of("moved/pin"), 0444U);
  std::ofstream(directory->path_of("other")) << "text";
  EXPECT_EQ(dir.read("moved/other"), "text");
}

}  // namespace
}  // namespace pobpf
