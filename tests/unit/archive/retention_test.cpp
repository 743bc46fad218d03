// SPDX-License-Identifier: GPL-2.0-only
#include "archive/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

namespace pobpf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kMinute = 60'000'000'000;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;
constexpr std::uint64_t kNow = 20'000 * kDay + 5 * kHour + 30 * kMinute;
const FreeSpace kNoFloor{};

Removal because(RemovalReason reason, std::size_t index) { return {index, reason}; }

/// `ages` in the order of the indices; the last is the newest.
std::vector<StoredSnapshot> of_ages(const std::vector<std::uint64_t>& ages,
                                    std::uint64_t bytes = 10) {
  std::vector<StoredSnapshot> snapshots;
  for (const std::uint64_t age : ages) snapshots.push_back({kNow - age, bytes, bytes});
  return snapshots;
}

std::vector<Removal> choose(const std::vector<StoredSnapshot>& snapshots,
                            const RetentionLimits& limits, const FreeSpace& space = kNoFloor) {
  const auto choice = choose_removals(snapshots, snapshots.size() - 1, limits, space, kNow);
  EXPECT_THAT(choice.refused, IsEmpty());
  return choice.removals;
}

TEST(Retention, WithoutLimitsAllStay) {
  EXPECT_THAT(choose(of_ages({900 * kDay, kDay, 0}), {}), IsEmpty());
}

TEST(Retention, KeepsANumber) {
  RetentionLimits limits;
  limits.nr_max = 2;
  EXPECT_THAT(choose(of_ages({3, 2, 1, 0}), limits),
              ElementsAre(because(RemovalReason::kNumber, 0), because(RemovalReason::kNumber, 1)));
  EXPECT_THAT(choose(of_ages({1, 0}), limits), IsEmpty());
  limits.nr_max = 0;
  EXPECT_THAT(choose(of_ages({1, 0}), limits), ElementsAre(because(RemovalReason::kNumber, 0)));
}

TEST(Retention, KeepsAnAge) {
  RetentionLimits limits;
  limits.age_max_ns = kDay;
  EXPECT_THAT(choose(of_ages({kDay + 1, kDay, 0}), limits),
              ElementsAre(because(RemovalReason::kAge, 0)));
}

TEST(Retention, KeepsASize) {
  RetentionLimits limits;
  limits.bytes_max = 25;
  EXPECT_THAT(choose(of_ages({3, 2, 1, 0}), limits),
              ElementsAre(because(RemovalReason::kSize, 0), because(RemovalReason::kSize, 1)));
  limits.bytes_max = 1;
  EXPECT_EQ(choose(of_ages({3, 2, 1, 0}), limits).size(), 3U);
}

TEST(Retention, MakesSpaceWhileItHelps) {
  EXPECT_THAT(
      choose(of_ages({3, 2, 1, 0}), {}, {100, 115}),
      ElementsAre(because(RemovalReason::kFreeSpace, 0), because(RemovalReason::kFreeSpace, 1)));
  EXPECT_EQ(choose(of_ages({3, 2, 1, 0}), {}, {100, 130}).size(), 3U);
  // the newest does not count
  EXPECT_THAT(choose(of_ages({3, 2, 1, 0}), {}, {100, 131}), IsEmpty());
  EXPECT_THAT(choose(of_ages({3, 2, 1, 0}), {}, {100, 100}), IsEmpty());
}

TEST(Retention, WhatGoesForAnotherReasonMakesSpaceToo) {
  RetentionLimits limits;
  limits.nr_max = 3;
  EXPECT_THAT(choose(of_ages({3, 2, 1, 0}), limits, {100, 110}),
              ElementsAre(because(RemovalReason::kNumber, 0)));
}

TEST(Retention, HardLinksGiveNoSpace) {
  auto snapshots = of_ages({3, 2, 1, 0});
  snapshots[0].freed_bytes = 0;
  EXPECT_THAT(
      choose(snapshots, {}, {100, 105}),
      ElementsAre(because(RemovalReason::kFreeSpace, 0), because(RemovalReason::kFreeSpace, 1)));
}

TEST(Retention, ThinsToTheFirstOfEachInterval) {
  RetentionLimits limits;
  limits.tiers = default_tiers();
  // kNow is half past five: three of the hour that began at four two days ago
  const std::uint64_t four = 2 * kDay + kHour + 30 * kMinute;
  EXPECT_THAT(choose(of_ages({366 * kDay, four, four - 20 * kMinute, four - 59 * kMinute,
                              four - 60 * kMinute, 59 * kMinute, 58 * kMinute, 0}),
                     limits),
              ElementsAre(because(RemovalReason::kTooOld, 0), because(RemovalReason::kThinned, 2),
                          because(RemovalReason::kThinned, 3)));
}

TEST(Retention, AClockThatWentBackDoesNotTakeTheNewOne) {
  RetentionLimits limits;
  limits.nr_max = 3;
  limits.age_max_ns = kHour;
  limits.bytes_max = 10;
  limits.tiers = default_tiers();
  // all others are of the future
  std::vector<StoredSnapshot> snapshots;
  for (std::uint64_t i = 1; i <= 5; ++i) snapshots.push_back({kNow + i * kDay, 10, 10});
  snapshots.push_back({kNow, 10, 10});
  auto removals = choose(snapshots, limits, {0, 1});
  EXPECT_EQ(removals.size(), 5U);
  for (const Removal& removal : removals) EXPECT_LT(removal.index, 5U);
}

TEST(Retention, SnapshotsOfTheFutureGoFirst) {
  RetentionLimits limits;
  limits.nr_max = 2;
  const std::vector<StoredSnapshot> snapshots = {
      {kNow + kDay, 1, 1}, {kNow + 2 * kDay, 1, 1}, {kNow - kHour, 1, 1}, {kNow, 1, 1}};
  EXPECT_THAT(choose(snapshots, limits),
              ElementsAre(because(RemovalReason::kNumber, 0), because(RemovalReason::kNumber, 1)));
}

TEST(Retention, TheNewestStaysWhateverItsTimeIs) {
  RetentionLimits limits;
  limits.nr_max = 1;
  limits.age_max_ns = 1;
  // it is the oldest by its name, and `now` is much later
  const std::vector<StoredSnapshot> snapshots = {{5, 1, 1}, {kNow - 1, 1, 1}, {kNow, 1, 1}};
  const auto choice = choose_removals(snapshots, 0, limits, {0, 2}, kNow);
  EXPECT_EQ(choice.removals.size(), 2U);
  for (const Removal& removal : choice.removals) EXPECT_NE(removal.index, 0U);
}

TEST(Retention, AClockThatJumpedTakesNothing) {
  std::vector<StoredSnapshot> snapshots;
  for (std::uint64_t hour = 1; hour < 400; ++hour)
    snapshots.push_back({kNow - (400 - hour) * kHour, 1, 1});
  RetentionLimits by_age;
  by_age.age_max_ns = 30 * kDay;
  RetentionLimits thinned;
  thinned.tiers = default_tiers();
  // so far that all are too old, and so far that one a day is enough of them
  for (const std::uint64_t jump : {400 * kDay, 100 * kDay})
    for (const RetentionLimits& limits : {by_age, thinned}) {
      auto taken = snapshots;
      taken.push_back({kNow + jump, 1, 1});
      const auto choice = choose_removals(taken, taken.size() - 1, limits, kNoFloor, kNow + jump);
      EXPECT_THAT(choice.removals, IsEmpty());
      EXPECT_GT(choice.refused.size(), 300U);
    }
}

TEST(Retention, MoreThanHalfForTheirAgeAreRefused) {
  RetentionLimits limits;
  limits.age_max_ns = kDay;
  EXPECT_EQ(choose(of_ages({4 * kDay, 3 * kDay, kHour, kHour, 0}), limits).size(), 2U);
  for (const auto& ages :
       {std::vector<std::uint64_t>{4 * kDay, 3 * kDay, 2 * kDay, kHour, kHour, 0},
        std::vector<std::uint64_t>{2 * kDay, 0}}) {
    const auto snapshots = of_ages(ages);
    const auto choice = choose_removals(snapshots, ages.size() - 1, limits, kNoFloor, kNow);
    EXPECT_THAT(choice.removals, IsEmpty());
    EXPECT_EQ(choice.refused.front(), because(RemovalReason::kAge, 0));
    EXPECT_EQ(choice.refused.size(), ages.size() / 2);
  }
}

TEST(Retention, WhatIsRefusedCountsForTheOtherLimits) {
  RetentionLimits limits;
  limits.age_max_ns = 1;
  limits.nr_max = 3;
  const auto snapshots = of_ages({4, 3, 2, 0});
  const auto choice = choose_removals(snapshots, 3, limits, kNoFloor, kNow);
  EXPECT_EQ(choice.refused.size(), 3U);
  EXPECT_THAT(choice.removals, ElementsAre(because(RemovalReason::kNumber, 0)));
  limits.nr_max.reset();
  limits.bytes_max = 25;
  EXPECT_EQ(choose_removals(snapshots, 3, limits, kNoFloor, kNow).removals.size(), 2U);
  limits.bytes_max.reset();
  EXPECT_EQ(choose_removals(snapshots, 3, limits, {100, 110}, kNow).removals.size(), 1U);
}

/// All limits at once, over anything.
TEST(Retention, LimitsHoldWheneverTheyCan) {
  std::mt19937_64 random(7);
  for (int run = 0; run < 3000; ++run) {
    std::vector<StoredSnapshot> snapshots(1 + random() % 40);
    for (StoredSnapshot& snapshot : snapshots) {
      snapshot.time_ns = kNow - 400 * kDay + random() % (420 * kDay);
      snapshot.bytes = random() % 1000;
      snapshot.freed_bytes = random() % 2 == 0 ? snapshot.bytes : 0;
    }
    const std::size_t newest = random() % snapshots.size();
    RetentionLimits limits;
    if (random() % 2 == 0) limits.nr_max = random() % 50;
    if (random() % 2 == 0) limits.age_max_ns = random() % (400 * kDay);
    if (random() % 2 == 0) limits.bytes_max = random() % 20000;
    if (random() % 2 == 0) limits.tiers = default_tiers();
    const FreeSpace space{random() % 10000, random() % 12000};
    const auto choice = choose_removals(snapshots, newest, limits, space, kNow);
    const auto& removals = choice.removals;
    const bool is_refused = !choice.refused.empty();
    ASSERT_TRUE(!is_refused || 2 * choice.refused.size() > snapshots.size() - 1);

    std::set<std::size_t> gone;
    std::map<RemovalReason, std::size_t> reasons;
    std::uint64_t freed = 0;
    for (const Removal& removal : removals) {
      ASSERT_LT(removal.index, snapshots.size());
      ASSERT_NE(removal.index, newest);
      ASSERT_TRUE(gone.insert(removal.index).second);
      ++reasons[removal.reason];
      freed += snapshots[removal.index].freed_bytes;
    }
    std::uint64_t bytes = 0;
    std::uint64_t freeable = freed;
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      if (gone.contains(i)) continue;
      bytes += snapshots[i].bytes;
      if (i == newest) continue;
      freeable += snapshots[i].freed_bytes;
      if (limits.age_max_ns && !is_refused && snapshots[i].time_ns <= kNow) {
        ASSERT_LE(kNow - snapshots[i].time_ns, *limits.age_max_ns);
      }
    }
    const std::size_t nr_left = snapshots.size() - gone.size();
    ASSERT_TRUE(!limits.nr_max || nr_left <= std::max<std::uint64_t>(1, *limits.nr_max));
    ASSERT_TRUE(!limits.bytes_max || nr_left == 1 || bytes <= *limits.bytes_max);
    const bool holds = space.free_bytes + freed >= space.wanted_bytes;
    ASSERT_TRUE(holds || !reasons.contains(RemovalReason::kFreeSpace));
    ASSERT_TRUE(holds || space.free_bytes + freeable < space.wanted_bytes);
    ASSERT_TRUE(limits.nr_max || !reasons.contains(RemovalReason::kNumber));
    ASSERT_TRUE(limits.age_max_ns || !reasons.contains(RemovalReason::kAge));
    ASSERT_TRUE(limits.bytes_max || !reasons.contains(RemovalReason::kSize));
    const std::size_t nr_for_age = reasons[RemovalReason::kAge] + reasons[RemovalReason::kTooOld] +
                                   reasons[RemovalReason::kThinned];
    ASSERT_LE(2 * nr_for_age, is_refused ? 0 : snapshots.size() - 1);
    if (is_refused) continue;

    // no more than needed: what is left is beyond no limit, and nothing more goes
    std::vector<StoredSnapshot> left;
    std::size_t newest_left = 0;
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      if (gone.contains(i)) continue;
      if (i == newest) newest_left = left.size();
      left.push_back(snapshots[i]);
    }
    ASSERT_THAT(choose_removals(left, newest_left, limits,
                                {space.free_bytes + freed, space.wanted_bytes}, kNow)
                    .removals,
                IsEmpty());
  }
}

/// One every half an hour for 380 days, thinned each time.
TEST(Retention, AYearIsThinned) {
  RetentionLimits limits;
  limits.tiers = default_tiers();
  std::vector<StoredSnapshot> kept;
  std::uint64_t now = kNow;
  std::size_t nr_most = 0;
  for (std::uint64_t i = 0; i < 380 * 48; ++i, now += 30 * kMinute) {
    kept.push_back({now, 1, 1});
    std::set<std::size_t, std::greater<>> gone;
    const auto choice = choose_removals(kept, kept.size() - 1, limits, kNoFloor, now);
    ASSERT_THAT(choice.refused, IsEmpty());
    for (const Removal& removal : choice.removals) gone.insert(removal.index);
    // one leaves the day, at most one the week and the year: a run never removes many
    ASSERT_LE(gone.size(), 3U);
    for (const std::size_t index : gone) kept.erase(kept.begin() + static_cast<long>(index));
    nr_most = std::max(nr_most, kept.size());
  }
  now -= 30 * kMinute;
  EXPECT_LE(nr_most, 49U + 6 * 24 + 1 + 358 + 1);
  std::set<std::uint64_t> hours;
  std::set<std::uint64_t> days;
  std::size_t nr_last_day = 0;
  for (const StoredSnapshot& snapshot : kept) {
    const std::uint64_t age = now - snapshot.time_ns;
    ASSERT_LE(age, 365 * kDay);
    if (age <= kDay) ++nr_last_day;
    if (age <= 7 * kDay) hours.insert(snapshot.time_ns / kHour);
    days.insert(snapshot.time_ns / kDay);
  }
  EXPECT_EQ(nr_last_day, 49U);
  for (std::uint64_t age = 0; age < 7 * kDay - kHour; age += kHour)
    EXPECT_TRUE(hours.contains((now - age) / kHour)) << age / kHour;
  for (std::uint64_t age = 0; age < 364 * kDay; age += kDay)
    EXPECT_TRUE(days.contains((now - age) / kDay)) << age / kDay;
}

TEST(Tiers, AreRead) {
  EXPECT_EQ(parse_tiers("1d:all,1w:1h,365d:1d").value(), default_tiers());
  EXPECT_EQ(parse_tiers("90m:30m").value(), (std::vector<ThinTier>{{90 * kMinute, 30 * kMinute}}));
}

TEST(Tiers, ThatContradictThemselvesAreRefused) {
  for (const char* text :
       {"", "1d", "1d:", ":1h", "1d:all,", "1d:all,1d:1h", "1w:1h,1d:1d", "1d:1h,1w:90m",
        "1d:1h,1w:all", "1d:0s", "1d:every", "1d:1h:1h",
        "1s:all,2s:1s,3s:1s,4s:1s,5s:1s,6s:1s,7s:1s,8s:1s,9s:1s,10s:1s,11s:1s,12s:1s,13s:1s,14s:1s,"
        "15s:1s,16s:1s,17s:1s"}) {
    auto tiers = parse_tiers(text);
    ASSERT_FALSE(tiers) << text;
    EXPECT_EQ(tiers.error().kind, ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace pobpf
