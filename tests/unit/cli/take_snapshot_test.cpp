// SPDX-License-Identifier: GPL-2.0-only
// Snapshots of a made-up kernel into a directory, and what is said of it.
#include "cli/commands/take_snapshot.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>

#include "archive/listing.h"
#include "cli/commands/recording_header.h"
#include "command_test.h"

namespace pobpf::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TakeSnapshot : public test::CommandTest {
 protected:
  TakeSnapshot() { make_pages(3000); }
  Result<ExitStatus> take() {
    const auto directory =
        SnapshotDirectory::open(dir / "history", SnapshotDirectory::Missing::kCreate);
    if (!directory) return fail(directory.error());
    auto place = directory->begin(policy, host_name(), 0s);
    if (!place) return fail(place.error());
    ::testing::internal::CaptureStderr();
    set_up_logging(options.format, options.is_quiet, options.verbosity);
    spdlog::set_level(spdlog::level::info);
    auto ended = take_and_report(session, {}, options, *place);
    said = ::testing::internal::GetCapturedStderr();
    spdlog::set_level(spdlog::level::warn);
    path = place->path();
    return ended;
  }
  Listing list() {
    const auto directory =
        SnapshotDirectory::open(dir / "history", SnapshotDirectory::Missing::kFail);
    return list_snapshots(directory.value()).value();
  }

  RetentionPolicy policy;
  std::filesystem::path path;
};

TEST_F(TakeSnapshot, IsWhatRecordWrites) {
  options.view_text = "--nid 0";
  ASSERT_EQ(take().value(), ExitStatus::kComplete);
  EXPECT_EQ(said, "");
  const Listing listing = list();
  ASSERT_EQ(listing.snapshots.size(), 1U);
  const ListedSnapshot& snapshot = listing.snapshots.front();
  EXPECT_EQ(dir / "history" / snapshot.file, path);
  EXPECT_EQ(snapshot.host, host_name());
  EXPECT_EQ(snapshot.nr_pages, 3000U);
  EXPECT_EQ(snapshot.filters, "--nid 0");
  EXPECT_TRUE(snapshot.is_removable);

  auto recorded = SnapshotSession::open(path, DamagePolicy::kRefuse);
  ASSERT_TRUE(recorded);
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  const std::string live = dir.read("out");
  dir.remove("out");
  ASSERT_EQ(run(print_pages, **recorded).value(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"), live);
}

TEST_F(TakeSnapshot, ASessionTakesMoreThanOne) {
  policy.limits.nr_max = 2;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(take().value(), ExitStatus::kComplete);
  const std::string first = list().snapshots.front().file;
  ASSERT_EQ(take().value(), ExitStatus::kComplete);
  EXPECT_EQ(said, "pobpf: info: removed " + first + ": there are enough younger ones (--keep)\n");
  EXPECT_EQ(list().snapshots.size(), 2U);
}

TEST_F(TakeSnapshot, WhatIsLeftIsSaid) {
  ASSERT_TRUE(take());
  const std::string first = list().snapshots.front().file;
  dir.write("history/" + first, "text");
  dir.write("history/.pobpf-snapshot.aaaaaa", "half");
  policy.limits.nr_max = 1;
  ASSERT_EQ(take().value(), ExitStatus::kComplete);
  EXPECT_THAT(said,
              AllOf(HasSubstr("removed .pobpf-snapshot.aaaaaa: begun by a run that was killed"),
                    HasSubstr("warning: " + first +
                              " does not begin like a snapshot of "
                              "pobpf, so it is not removed")));
}

TEST_F(TakeSnapshot, WhatCouldNotBeReadIsSaid) {
  session.context.cgroups.clear();
  session.pages.front().memcg_flags = POBPF_MEMCG_CHARGED;
  ASSERT_EQ(take().value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("could not be read"));
}

TEST_F(TakeSnapshot, AFullDiskTakesNothingAway) {
  policy.limits.nr_max = 1;
  ASSERT_TRUE(take());
  const std::string before = dir.read("history/" + list().snapshots.front().file);
  // as long as a file may be; the handler of main() is not here
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{4096, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto ended = take();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().what, HasSubstr("File too large"));
  const Listing after = list();
  ASSERT_EQ(after.snapshots.size(), 1U);
  EXPECT_EQ(after.nr_temporaries, 0U);
  EXPECT_EQ(dir.read("history/" + after.snapshots.front().file), before);
}

TEST_F(TakeSnapshot, AListShowsAllThereIs) {
  ASSERT_TRUE(take());
  const ListedSnapshot whole = list().snapshots.front();
  dir.write("history/bad\x1b[2J.pobpf", "text");
  const std::string content = dir.read("history/" + whole.file);
  dir.write("history/cut.pobpf", content.substr(0, content.size() - 9));
  dir.write("history/other", "");
  const Listing listing = list();
  EXPECT_EQ(listing.nr_others, 1U);
  std::string out;
  append_listing(out, listing, *whole.time_ns + 90'000'000'000);
  EXPECT_THAT(out, AllOf(HasSubstr("1m30s"), HasSubstr("incomplete  cut.pobpf\n"),
                         HasSubstr("damaged     bad\\x1b[2J.pobpf\n"), HasSubstr("(3 snapshots)"),
                         HasSubstr("   3000  complete    " + whole.file + "\n")));
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
  out.clear();
  append_listing(out, listing, *whole.time_ns - 1);
  EXPECT_THAT(out, HasSubstr("future"));
}

TEST_F(TakeSnapshot, WhyItWasTakenIsShownWhereOneHasAReason) {
  ASSERT_TRUE(take());
  std::string out;
  append_listing(out, list(), 0);
  EXPECT_THAT(out, Not(HasSubstr("REASON")));
  options.snapshot.reason = "only 1M of 2G left\x1b";
  ASSERT_TRUE(take());
  const Listing listing = list();
  ASSERT_EQ(listing.snapshots.size(), 2U);
  EXPECT_EQ(listing.snapshots[0].reason, "");
  EXPECT_EQ(listing.snapshots[1].reason, options.snapshot.reason);
  out.clear();
  append_listing(out, listing, 0);
  EXPECT_THAT(out,
              AllOf(HasSubstr("STATE     REASON                  FILE\n"),
                    HasSubstr("complete  -                       " + listing.snapshots[0].file),
                    HasSubstr("complete  only 1M of 2G left\\x1b  " + path.filename().string())));
}

ListedSnapshot listed(std::string file, std::string host, std::string filters = {}) {
  ListedSnapshot snapshot;
  snapshot.file = std::move(file);
  snapshot.host = std::move(host);
  snapshot.filters = std::move(filters);
  snapshot.is_removable = true;
  return snapshot;
}

TEST(Latest, AreOfOneHostAndOneFilter) {
  Listing listing;
  listing.snapshots = {listed("a", "x"),
                       listed("b", "y"),
                       listed("c", "x", "--nid 0"),
                       listed("d", "x"),
                       listed("e", "x", "--nid 0"),
                       listed("f", "x"),
                       listed("by hand", "x")};
  listing.snapshots.back().is_removable = false;
  auto latest = choose_latest(listing, 2, "DIR");
  ASSERT_TRUE(latest);
  EXPECT_THAT(latest->files, ::testing::ElementsAre("d", "f"));
  EXPECT_EQ(latest->nr_other_filters, 1U);
  latest = choose_latest(listing, 3, "DIR");
  ASSERT_TRUE(latest);
  EXPECT_THAT(latest->files, ::testing::ElementsAre("a", "d", "f"));
  EXPECT_EQ(latest->nr_other_filters, 2U);
  latest = choose_latest(listing, 4, "DIR");
  ASSERT_FALSE(latest);
  EXPECT_THAT(latest.error().what, HasSubstr("DIR has 3 complete snapshots of host 'x'"));
  EXPECT_FALSE(choose_latest({}, 2, "DIR"));
}

}  // namespace
}  // namespace pobpf::cli
