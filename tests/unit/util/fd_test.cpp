// SPDX-License-Identifier: GPL-2.0-only
#include "util/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace pobpf {
namespace {

int open_null() { return ::open("/dev/null", O_WRONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(Fd, ClosesWhatItOwns) {
  int number = -1;
  {
    const Fd fd(open_null());
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, OwnsNothingAfterAFailedCall) {
  const Fd fd(-1);
  EXPECT_FALSE(fd);
}

TEST(Fd, MoveTakesOwnershipAway) {
  Fd from(open_null());
  const int number = from.get();
  const Fd to(std::move(from));
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(to.get(), number);
}

TEST(Fd, MoveAssignmentClosesWhatWasThere) {
  Fd target(open_null());
  const int old = target.get();
  Fd source(open_null());
  const int number = source.get();
  target = std::move(source);
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(number));
}

TEST(Fd, ReleaseGivesUpWithoutClosing) {
  Fd fd(open_null());
  const Fd again(fd.release());
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(again.get()));
}

TEST(Fd, ResetKeepsErrno) {
  Fd fd(12345);  // not open: closing it fails
  errno = ENOENT;
  fd.reset();
  EXPECT_EQ(errno, ENOENT);
}

TEST(Fd, CloseReportsTheError) {
  Fd fd(12345);
  EXPECT_EQ(fd.close(), EBADF);
  EXPECT_EQ(Fd(open_null()).close(), 0);
}

}  // namespace
}  // namespace pobpf
