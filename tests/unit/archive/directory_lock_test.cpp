// SPDX-License-Identifier: GPL-2.0-only
#include "archive/directory_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <thread>

#include "../util/temp_dir.h"

namespace pobpf {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Lock : public ::testing::Test {
 protected:
  Result<DirectoryLock> take(std::chrono::nanoseconds wait,
                             DirectoryLock::IsCancelled is_cancelled = nullptr) {
    return DirectoryLock::take(directory, "DIR", wait, is_cancelled);
  }

  test::TempDir dir;
  Fd directory{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(Lock, IsHadByOneAtATime) {
  auto first = take(0s);
  ASSERT_TRUE(first) << first.error().what;
  auto second = take(0s);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EWOULDBLOCK);
  EXPECT_THAT(second.error().what, HasSubstr("(process " + std::to_string(::getpid()) + ")"));
  { const DirectoryLock released = *std::move(first); }
  EXPECT_TRUE(take(0s));
}

TEST_F(Lock, IsWaitedFor) {
  std::optional<DirectoryLock> first(take(0s).value());
  std::thread holder([&first] {
    std::this_thread::sleep_for(150ms);
    first.reset();
  });
  EXPECT_TRUE(take(30s));
  holder.join();
}

TEST_F(Lock, IsWaitedForOnlySoLong) {
  auto first = take(0s);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(take(200ms));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 200ms);
}

TEST_F(Lock, WaitingEndsWithASignal) {
  auto first = take(0s);
  auto second = take(1h, [] { return true; });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_errno, EINTR);
}

TEST_F(Lock, WhatTheFileSaysIsNotTrusted) {
  auto first = take(0s);
  for (const char* text : {"", "12", "\x1b[2J\n", "99999999999999999999\n", "-1\n"}) {
    dir.write(kLockFile, text);
    auto second = take(0s);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().what, "another pobpf takes a snapshot into DIR") << text;
  }
}

TEST_F(Lock, NoLinkIsFollowedAndNoPipeWaitedFor) {
  std::filesystem::create_symlink(dir / "target", dir / kLockFile);
  EXPECT_FALSE(take(0s));
  EXPECT_FALSE(std::filesystem::exists(dir / "target"));
  dir.remove(kLockFile);
  ASSERT_EQ(::mkfifo((dir / kLockFile).c_str(), 0600), 0);
  EXPECT_FALSE(take(0s));
}

TEST_F(Lock, NothingIsWrittenIntoAFileOfAnotherName) {
  dir.write("victim", "text");
  std::filesystem::create_hard_link(dir / "victim", dir / kLockFile);
  EXPECT_FALSE(take(0s));
  EXPECT_EQ(dir.read("victim"), "text");
}

}  // namespace
}  // namespace pobpf
