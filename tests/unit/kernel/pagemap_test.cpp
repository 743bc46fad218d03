// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/pagemap.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "util/temp_dir.h"

namespace pobpf {
namespace {

/// A process with four pages from address 0 on, of which the first three are mapped.
class Pagemap : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(proc() / "7");
    std::ofstream(proc() / "7/maps") << "00000000-00003000 rw-p 00000000 00:00 0\n";
  }
  void set(std::uint64_t entry) {
    std::ofstream file(proc() / "7/pagemap", std::ios::binary);
    for (std::uint64_t i = 0; i < 4; ++i)
      file.write(reinterpret_cast<const char*>(&entry), sizeof(entry));
  }
  Result<std::uint64_t> page(std::uint64_t index, std::uint64_t pid = 7) {
    return pfn_of_address(proc(), pid,
                          index * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + 5);
  }
  void expect(const Result<std::uint64_t>& got, ErrorKind kind, const char* words) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, kind);
    EXPECT_NE(got.error().what.find(words), std::string::npos) << got.error().what;
  }
  [[nodiscard]] std::filesystem::path proc() const { return directory_.path(); }
  test::TempDir directory_;
};

TEST_F(Pagemap, PresentPagesHaveTheirPfn) {
  set(1ULL << 63 | 1ULL << 61 | 1ULL << 55 | 0x12345);
  EXPECT_EQ(page(1).value_or(0), 0x12345U);
}

TEST_F(Pagemap, SwappedPagesAreSaidToBe) {
  set(1ULL << 62 | 0x999);
  expect(page(1), ErrorKind::kUsage, "swapped out");
}

TEST_F(Pagemap, PagesThatAreNotPresent) {
  set(0);
  expect(page(1), ErrorKind::kUsage, "no page is present at");
  expect(page(3), ErrorKind::kUsage, "nothing mapped");
}

TEST_F(Pagemap, AddressesBeyondTheEnd) {
  set(0);
  expect(page(4), ErrorKind::kUsage, "nothing mapped");
}

TEST_F(Pagemap, HiddenPfns) {
  set(1ULL << 63);
  expect(page(1), ErrorKind::kUnsupported, "hides");
}

TEST_F(Pagemap, NoSuchProcess) { expect(page(1, 8), ErrorKind::kUsage, "there is no process 8"); }

}  // namespace
}  // namespace pobpf
