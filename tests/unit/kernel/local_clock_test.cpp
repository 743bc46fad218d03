// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/local_clock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "util/fd.h"

namespace pobpf {
namespace {

TEST(LocalClock, RunsForwards) {
  const auto first = read_local_clock();
  if (!first) GTEST_SKIP() << first.error().what;
  const auto second = read_local_clock();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_GT(first->now_ns, 0U);
  EXPECT_GT(second->now_ns, first->now_ns);
}

TEST(LocalClock, LeavesTheNameOfTheThread) {
  std::array<char, 16> before{};
  std::array<char, 16> after{};
  ::prctl(PR_GET_NAME, before.data());
  if (const auto clock = read_local_clock(); !clock) GTEST_SKIP() << clock.error().what;
  ::prctl(PR_GET_NAME, after.data());
  EXPECT_EQ(before, after);
}

/// kernel/printk/printk.c: vprintk_store() stamps messages with local_clock().
TEST(LocalClock, IsTheClockOfKernelMessages) {
  const Fd log(::open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!log || ::lseek(log.get(), 0, SEEK_END) < 0) GTEST_SKIP() << "/dev/kmsg cannot be used";
  const std::string mark = "pobpf_local_clock_test_" + std::to_string(::getpid());
  const auto before = read_local_clock();
  if (!before) GTEST_SKIP() << before.error().what;
  const std::string line = "<7>" + mark + "\n";
  ASSERT_EQ(::write(log.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  const auto after = read_local_clock();
  ASSERT_TRUE(after) << after.error().what;

  // PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT
  std::array<char, 8192> record{};
  for (ssize_t length = 0; (length = ::read(log.get(), record.data(), record.size() - 1)) > 0;) {
    record[static_cast<std::size_t>(length)] = 0;
    if (std::string(record.data()).find(mark) == std::string::npos) continue;
    unsigned long long stamp_us = 0;
    ASSERT_EQ(std::sscanf(record.data(), "%*u,%*u,%llu", &stamp_us), 1);
    EXPECT_GE(stamp_us, before->now_ns / 1000);
    EXPECT_LE(stamp_us, after->now_ns / 1000);
    return;
  }
  FAIL() << "the message did not come back";
}

}  // namespace
}  // namespace pobpf
