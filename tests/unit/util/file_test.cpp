// SPDX-License-Identifier: GPL-2.0-only
#include "util/file.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "temp_dir.h"

namespace pobpf {
namespace {

TEST(ReadFile, ReadsAllOfALargeFile) {
  const test::TempDir dir;
  const std::string content(100'000, 'x');
  dir.write("file", content);
  const auto read = read_file(dir / "file", 100'000);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, content);
}

TEST(ReadFile, ReadsAnEmptyFile) {
  const test::TempDir dir;
  dir.write("file", "");
  EXPECT_EQ(read_file(dir / "file", 0).value(), "");
}

TEST(ReadFile, ReadsProcWhoseFilesHaveNoSize) {
  EXPECT_NE(read_file("/proc/self/status", 65536).value().find("Pid:"), std::string::npos);
}

TEST(ReadFile, RefusesOneByteTooMany) {
  const test::TempDir dir;
  dir.write("file", "12345");
  const auto read = read_file(dir / "file", 4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().os_errno, EFBIG);
}

TEST(ReadFile, NamesTheFileThatIsMissing) {
  const auto read = read_file("/nonexistent/file", 4);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "reading /nonexistent/file: No such file or directory");
  EXPECT_EQ(read.error().os_errno, ENOENT);
}

}  // namespace
}  // namespace pobpf
