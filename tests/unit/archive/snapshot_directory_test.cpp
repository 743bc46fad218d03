// SPDX-License-Identifier: GPL-2.0-only
#include "archive/snapshot_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "../snapshot/made_up_pages.h"
#include "../util/temp_dir.h"
#include "model/duration.h"

namespace pobpf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kFirst = 1'700'000'000 * kSecondNs;

class Directory : public ::testing::Test {
 protected:
  static SnapshotHeader header_at(std::uint64_t time_ns, const std::string& host = "host") {
    SnapshotHeader header = test::made_up_header();
    header.hostname = host;
    header.boot_id = "boot";
    header.wall_clock_ns = time_ns;
    return header;
  }
  static std::string snapshot_of(const SnapshotHeader& header, std::size_t nr_pages = 10) {
    samples::MadeUpContext context;
    test::fill(context);
    std::string file;
    write(header, nr_pages, context, file);
    return file;
  }
  static void write(const SnapshotHeader& header, std::size_t nr_pages, PageContext& context,
                    std::string& out) {
    SnapshotWriter writer(context, out, kLevelDefault);
    EXPECT_TRUE(writer.begin(header));
    EXPECT_TRUE(writer.append(test::RandomPages(1).take(nr_pages)));
    EXPECT_TRUE(writer.end(test::account_of(nr_pages)));
  }
  static std::string name_at(std::uint64_t time_ns, const std::string& host = "host") {
    return format_snapshot_name({host, time_ns, "boot"});
  }
  SnapshotDirectory directory() {
    return SnapshotDirectory::open(dir.path(), SnapshotDirectory::Missing::kFail).value();
  }
  void store(std::uint64_t time_ns, const std::string& host = "host") {
    dir.write(name_at(time_ns, host), snapshot_of(header_at(time_ns, host)));
  }
  /// A whole run.
  Result<RetentionReport> take(std::uint64_t time_ns, const RetentionPolicy& policy = {},
                               std::size_t nr_pages = 10) {
    const SnapshotDirectory opened = directory();
    auto snapshot = opened.begin(policy, "host", 0s);
    if (!snapshot) return fail(snapshot.error());
    swept = snapshot->swept();
    SnapshotHeader header = header_at(time_ns);
    if (auto status = snapshot->open(header); !status) return fail(status.error());
    samples::MadeUpContext context;
    test::fill(context);
    write(header, nr_pages, context, snapshot->output().buffer());
    return snapshot->commit();
  }
  static std::vector<std::string> names(const RetentionReport& report) {
    std::vector<std::string> result;
    for (const RemovedFile& file : report.removed) result.push_back(file.file);
    return result;
  }
  static RetentionPolicy keep(std::uint64_t nr_max) {
    RetentionPolicy policy;
    policy.limits.nr_max = nr_max;
    return policy;
  }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(dir / name));
  }

  test::TempDir dir;
  RetentionReport swept;
};

TEST_F(Directory, TakesASnapshot) {
  auto report = take(kFirst);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->removed, IsEmpty());
  EXPECT_EQ(dir.read(name_at(kFirst)), snapshot_of(header_at(kFirst)));
  struct stat status {};
  ASSERT_EQ(::stat((dir / name_at(kFirst)).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(directory().glance_at(name_at(kFirst)).state, SnapshotState::kComplete);
  EXPECT_EQ(dir.count(), 2U);  // and the lock
}

TEST_F(Directory, IsMadeForItsOwnerAndGroup) {
  const auto path = dir / "new";
  EXPECT_FALSE(SnapshotDirectory::open(path, SnapshotDirectory::Missing::kFail));
  ASSERT_TRUE(SnapshotDirectory::open(path, SnapshotDirectory::Missing::kCreate));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07027U, 0U);
  // a typing error makes no trees
  EXPECT_FALSE(SnapshotDirectory::open(dir / "a/b", SnapshotDirectory::Missing::kCreate));
  dir.write("file", "");
  EXPECT_FALSE(SnapshotDirectory::open(dir / "file", SnapshotDirectory::Missing::kCreate));
}

TEST_F(Directory, KeepsANumberOfThisHost) {
  for (std::uint64_t i = 0; i < 4; ++i) store(kFirst + i * kSecondNs);
  store(kFirst - kSecondNs, "other");
  auto report = take(kFirst + 9 * kSecondNs, keep(3));
  ASSERT_TRUE(report);
  EXPECT_THAT(names(*report), ElementsAre(name_at(kFirst), name_at(kFirst + kSecondNs)));
  EXPECT_EQ(report->removed[0].reason, RemovalReason::kNumber);
  EXPECT_FALSE(has(name_at(kFirst)));
  EXPECT_TRUE(has(name_at(kFirst + 2 * kSecondNs)));
  EXPECT_TRUE(has(name_at(kFirst + 9 * kSecondNs)));
  EXPECT_TRUE(has(name_at(kFirst - kSecondNs, "other")));
  EXPECT_THAT(report->failures, IsEmpty());
}

TEST_F(Directory, NothingIsRemovedBeforeTheNewOneIsThere) {
  store(kFirst);
  const SnapshotDirectory opened = directory();
  {
    auto snapshot = opened.begin(keep(1), "host", 0s);
    ASSERT_TRUE(snapshot);
    SnapshotHeader header = header_at(kFirst + kSecondNs);
    ASSERT_TRUE(snapshot->open(header));
    snapshot->output().buffer() += snapshot_of(header);
    ASSERT_TRUE(snapshot->output().flush());
    EXPECT_TRUE(has(name_at(kFirst)));
    EXPECT_FALSE(has(name_at(kFirst + kSecondNs)));
  }
  EXPECT_TRUE(has(name_at(kFirst)));
  EXPECT_EQ(dir.count(), 2U);
}

TEST_F(Directory, ATimeThatIsTakenIsMoved) {
  store(kFirst);
  std::filesystem::create_symlink("nowhere", dir / name_at(kFirst + 1));
  const std::string before = dir.read(name_at(kFirst));
  ASSERT_TRUE(take(kFirst));
  EXPECT_EQ(dir.read(name_at(kFirst)), before);
  EXPECT_EQ(directory().glance_at(name_at(kFirst + 2)).header.wall_clock_ns, kFirst + 2);
  EXPECT_FALSE(has("nowhere"));
}

TEST_F(Directory, AClockThatWentBackTakesNothing) {
  for (std::uint64_t i = 0; i < 3; ++i) store(kFirst + i * kSecondNs);
  auto report = take(5 * kSecondNs, keep(2));
  ASSERT_TRUE(report);
  EXPECT_TRUE(has(name_at(5 * kSecondNs)));
  EXPECT_TRUE(has(name_at(kFirst + 2 * kSecondNs)));
  EXPECT_EQ(report->removed.size(), 2U);
}

TEST_F(Directory, AClockThatJumpedTakesNothing) {
  for (std::uint64_t i = 0; i < 5; ++i) store(kFirst + i * kSecondNs);
  RetentionPolicy policy;
  policy.limits.tiers = default_tiers();
  const std::uint64_t jumped = kFirst + 400 * kDayNs;
  const auto sentence =
      ElementsAre(HasSubstr("5 of 5 older snapshots would go at once for their age"));
  auto plan = directory().plan(policy, "host", jumped);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->removed, IsEmpty());
  EXPECT_THAT(plan->failures, sentence);
  auto report = take(jumped, policy);
  ASSERT_TRUE(report);
  EXPECT_THAT(report->removed, IsEmpty());
  EXPECT_THAT(report->failures, sentence);
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_TRUE(has(name_at(kFirst + i * kSecondNs)));
}

TEST_F(Directory, WhatIsNoSnapshotIsNotOneOfManyThatAreTooOld) {
  for (std::uint64_t i = 0; i < 4; ++i) dir.write(name_at(kFirst + i * kSecondNs), "text");
  store(kFirst + 4 * kSecondNs);
  const std::uint64_t now = kFirst + 3 * kDayNs;
  for (std::uint64_t i = 1; i <= 2; ++i) store(now - i * kSecondNs);
  RetentionPolicy policy;
  policy.limits.age_max_ns = kDayNs;
  auto report = take(now, policy);
  ASSERT_TRUE(report);
  EXPECT_THAT(names(*report), ElementsAre(name_at(kFirst + 4 * kSecondNs)));
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_EQ(report->left.size(), 4U);
}

TEST_F(Directory, WhatRootMakesBelongsToItsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  constexpr uid_t kUser = 12345;
  constexpr gid_t kGroup = 12346;
  dir.write(name_at(kFirst - kSecondNs), snapshot_of(header_at(kFirst - kSecondNs)));
  ASSERT_EQ(::chown(dir.path().c_str(), kUser, kGroup), 0);
  ASSERT_TRUE(take(kFirst));
  for (const std::string& name : {name_at(kFirst), std::string(kLockFile)}) {
    struct stat status {};
    ASSERT_EQ(::stat((dir / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, kUser) << name;
    EXPECT_EQ(status.st_gid, kGroup) << name;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
  // what was there is none of its business
  struct stat status {};
  ASSERT_EQ(::stat((dir / name_at(kFirst - kSecondNs)).c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(Directory, WhatIsNoSnapshotStays) {
  // the names of snapshots that would go, and what stands there instead
  dir.write(name_at(kFirst), "text");
  const std::string whole = snapshot_of(header_at(kFirst + kSecondNs));
  dir.write(name_at(kFirst + kSecondNs), whole.substr(0, whole.size() - 1));
  dir.write(name_at(kFirst + 2 * kSecondNs), whole);  // of another time
  dir.write("elsewhere", snapshot_of(header_at(kFirst + 3 * kSecondNs)));
  std::filesystem::create_symlink("elsewhere", dir / name_at(kFirst + 3 * kSecondNs));
  std::filesystem::create_directory(dir / name_at(kFirst + 4 * kSecondNs));
  dir.write("now.pobpf", whole);
  dir.write("core", "");
  store(kFirst + 5 * kSecondNs);
  auto report = take(kFirst + 6 * kSecondNs, keep(1));
  ASSERT_TRUE(report);
  EXPECT_THAT(names(*report), ElementsAre(name_at(kFirst + 5 * kSecondNs)));
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_TRUE(has(name_at(kFirst + i * kSecondNs))) << i;
  EXPECT_TRUE(has("elsewhere"));
  EXPECT_TRUE(has("now.pobpf"));
  EXPECT_TRUE(has("core"));
  EXPECT_THAT(report->left,
              ElementsAre(HasSubstr("does not begin"), HasSubstr("no end"), HasSubstr("another")));
}

TEST_F(Directory, WhatIsNoSnapshotDoesNotCount) {
  store(kFirst);
  store(kFirst + kSecondNs);
  dir.write(name_at(kFirst - kSecondNs), "text");
  auto report = take(kFirst + 2 * kSecondNs, keep(3));
  ASSERT_TRUE(report);
  EXPECT_THAT(report->removed, IsEmpty());
  EXPECT_EQ(report->left.size(), 1U);
}

TEST_F(Directory, WhatKilledRunsLeftGoes) {
  dir.write(".pobpf-snapshot.aB3xyz", "half");
  dir.write(".pobpf-snapshot.aB3xy", "no name of ours");
  dir.write(".pobpf-snapshot.aB3x/z", "");
  dir.write(".pobpf.aB3xyz", "of pobpf record -o, which may still run");
  dir.write("target", "");
  std::filesystem::create_symlink("target", dir / ".pobpf-snapshot.aB3xyy");
  ASSERT_TRUE(take(kFirst));
  EXPECT_THAT(names(swept), ElementsAre(".pobpf-snapshot.aB3xyz"));
  EXPECT_FALSE(has(".pobpf-snapshot.aB3xyz"));
  EXPECT_TRUE(has(".pobpf-snapshot.aB3xy"));
  EXPECT_TRUE(has(".pobpf.aB3xyz"));
  EXPECT_TRUE(has(".pobpf-snapshot.aB3xyy"));
  EXPECT_TRUE(has("target"));
}

TEST_F(Directory, TheSecondOfTwoRunsLeaves) {
  const SnapshotDirectory opened = directory();
  dir.write(".pobpf-snapshot.aB3xyz", "half");
  auto first = opened.begin({}, "host", 0s);
  ASSERT_TRUE(first);
  dir.write(".pobpf-snapshot.aB3xyz", "of the first run");
  auto second = take(kFirst);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("another pobpf"));
  EXPECT_TRUE(has(".pobpf-snapshot.aB3xyz"));
}

TEST_F(Directory, RefusesBeforeItStartsIfTooLittleStaysFree) {
  store(kFirst);
  RetentionPolicy policy;
  policy.min_free = ByteShare{std::uint64_t{1} << 60, 0};
  auto report = take(kFirst + kSecondNs, policy);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().os_errno, ENOSPC);
  EXPECT_THAT(report.error().what, HasSubstr("are to stay free"));
  EXPECT_TRUE(has(name_at(kFirst)));
  EXPECT_FALSE(directory().begin(policy, "host", 0s));
  policy.min_free = ByteShare{0, 100};
  EXPECT_FALSE(take(kFirst + kSecondNs, policy));
  policy.min_free = ByteShare{1, 0};
  EXPECT_TRUE(take(kFirst + kSecondNs, policy));
}

TEST_F(Directory, APlanSaysWhatARunDoes) {
  for (std::uint64_t i = 0; i < 4; ++i) store(kFirst + i * kSecondNs);
  dir.write(".pobpf-snapshot.aB3xyz", "half");
  auto plan = directory().plan(keep(3), "host", kFirst + 9 * kSecondNs);
  ASSERT_TRUE(plan);
  EXPECT_EQ(dir.count(), 5U);
  auto report = take(kFirst + 9 * kSecondNs, keep(3));
  ASSERT_TRUE(report);
  auto done = names(swept);
  for (const std::string& name : names(*report)) done.push_back(name);
  EXPECT_EQ(names(*plan), done);
}

TEST_F(Directory, HostileHostsAreTheirOwn) {
  const std::string host = "../../etc/\n_\xff";
  store(kFirst, host);
  store(kFirst + 1, host);
  store(kFirst + 2, "..");
  const SnapshotDirectory opened = directory();
  auto snapshot = opened.begin(keep(1), host, 0s);
  ASSERT_TRUE(snapshot);
  SnapshotHeader header = header_at(kFirst + 3, host);
  ASSERT_TRUE(snapshot->open(header));
  snapshot->output().buffer() += snapshot_of(header);
  auto report = snapshot->commit();
  ASSERT_TRUE(report);
  EXPECT_THAT(names(*report), ElementsAre(name_at(kFirst, host), name_at(kFirst + 1, host)));
  EXPECT_TRUE(has(name_at(kFirst + 2, "..")));
}

TEST_F(Directory, ContentIsSortedAndCounted) {
  store(kFirst + 1);
  store(kFirst);
  dir.write("now.pobpf", "x");
  dir.write("other", "");
  dir.write(".pobpf.lock", "");
  dir.write(".pobpf-snapshot.aB3xyz", "half");
  std::filesystem::create_symlink("now.pobpf", dir / "link.pobpf");
  auto content = directory().read();
  ASSERT_TRUE(content);
  ASSERT_EQ(content->files.size(), 3U);
  EXPECT_EQ(content->files[0].file, name_at(kFirst));
  EXPECT_EQ(content->files[2].file, "now.pobpf");
  EXPECT_FALSE(content->files[2].name);
  EXPECT_EQ(content->files[2].bytes, 1U);
  EXPECT_EQ(content->temporaries.size(), 1U);
  EXPECT_EQ(content->nr_others, 2U);
  EXPECT_EQ(directory().glance_at("link.pobpf").state, SnapshotState::kUnreadable);
}

}  // namespace
}  // namespace pobpf
