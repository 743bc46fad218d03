// SPDX-License-Identifier: GPL-2.0-only
// Columns of times: what is written is read again, whatever the times; and what clocks make of it.
#include "snapshot/times_column.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "snapshot/clock_phase.h"

namespace pobpf {
namespace {

using Times = std::vector<std::uint64_t>;

/// Pages that are allocated every 11 us or so, in runs between which much time goes by, as a clock
/// shows them that counts each `step` ns.
Times times_of_clock(double step, std::size_t count, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> between(11'000, 700);
  Times times;
  double now = 5e9;
  for (std::size_t i = 0; i < count; ++i) {
    now += random() % 50 == 0 ? static_cast<double>(random() % 30'000'000) : between(random);
    times.push_back(static_cast<std::uint64_t>(std::floor(std::floor(now / step) * step)));
  }
  return times;
}

snapshot::Times write(const Times& times) {
  TimesEncoder encoder;
  snapshot::Times message;
  encoder.write(times, message);
  return message;
}

void expect_round_trip(const Times& times) {
  const auto message = write(times);
  Times read{1, 2, 3};
  ASSERT_TRUE(read_times_column(message, times.size(), read));
  EXPECT_EQ(read, times);
}

double step_of(const snapshot::Times& message) {
  return std::ldexp(static_cast<double>(message.step()), -kStepFractionBits);
}

TEST(TimesColumn, WhatIsWrittenIsRead) {
  expect_round_trip({});
  expect_round_trip({0});
  expect_round_trip({UINT64_MAX});
  expect_round_trip({0, UINT64_MAX, 1, UINT64_MAX / 2, UINT64_MAX / 2 + 1, 0});
  std::mt19937_64 random(7);
  Times anything;
  for (int i = 0; i < 10'000; ++i) anything.push_back(random() >> random() % 64);
  expect_round_trip(anything);
}

TEST(TimesColumn, StepsOfClocksAreFoundAndNothingIsLost) {
  // an AMD CPU's, a 25 MHz and a 19.2 MHz timer
  for (const double step : {10.0252, 40.0, 52.0833}) {
    SCOPED_TRACE(step);
    const Times times = times_of_clock(step, 20'000);
    const auto message = write(times);
    EXPECT_NEAR(step_of(message), step, step / 10'000);
    expect_round_trip(times);
  }
}

TEST(TimesColumn, AShortBlockIsNoReasonNotToLookAtTheNextOne) {
  TimesEncoder encoder;
  snapshot::Times message;
  encoder.write(times_of_clock(1, 1'500), message);
  EXPECT_EQ(message.step(), 0);
  encoder.write(times_of_clock(10.0252, 5'000), message);
  EXPECT_NE(message.step(), 0);
}

TEST(TimesColumn, ABlockWithoutTimesSaysNothingOfTheClock) {
  TimesEncoder encoder;
  snapshot::Times message;
  const Times times = times_of_clock(40, 5'000);
  encoder.write(times, message);
  const auto step = message.step();
  EXPECT_NE(step, 0);
  encoder.write({}, message);
  EXPECT_EQ(message.step(), 0);
  encoder.write(std::span(times).first(1'000), message);
  EXPECT_EQ(message.step(), step) << "too few to find it anew";
}

TEST(TimesColumn, TimesFarFromAnyStepAreKeptToo) {
  Times times = times_of_clock(10.0252, 20'000);
  std::mt19937_64 random(3);
  for (std::size_t i = 0; i < times.size(); i += 100) times[i] = random();
  EXPECT_NE(write(times).step(), 0);
  expect_round_trip(times);
}

TEST(TimesColumn, NoStepIsSeenWhereThereIsNone) {
  EXPECT_EQ(write(times_of_clock(1, 20'000)).step(), 0);
  EXPECT_EQ(write(times_of_clock(10, 30)).step(), 0) << "too few to tell";
  EXPECT_EQ(write(Times(10'000, 42)).step(), 0);
}

TEST(TimesColumn, AnEncoderGoesOnWithItsStepAndDropsItWhereItIsOfNoUse) {
  TimesEncoder encoder;
  // the second block without a step is not looked at
  for (const double step : {10.0252, 1.0, 1.0, 40.0, 10.0252}) {
    SCOPED_TRACE(step);
    const Times times = times_of_clock(step, 5'000, 9);
    snapshot::Times message;
    encoder.write(times, message);
    if (step == 1.0)
      EXPECT_EQ(message.step(), 0);
    else
      EXPECT_NEAR(step_of(message), step, step / 10'000);
    Times read;
    ASSERT_TRUE(read_times_column(message, times.size(), read));
    EXPECT_EQ(read, times);
  }
}

TEST(TimesColumn, ClocksThatOnlySeemToHaveAStep) {
  // what an emulated CPU of one instruction a nanosecond makes: few distances, none a multiple
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> distances(1 + random() % 40);
    for (auto& distance : distances) distance = random() % (1ULL << (4 + random() % 18));
    Times times;
    std::uint64_t now = 1'000'000;
    for (int i = 0; i < 5000; ++i) times.push_back(now += distances[random() % distances.size()]);
    expect_round_trip(times);
  }
}

TEST(TimesColumn, ClocksWhoseLargeDistancesDenyWhatTheSmallOnesSay) {
  Times times;
  std::uint64_t now = 1'000'000;
  for (int i = 0; i < 2500; ++i) times.push_back(now += i % 2 == 0 ? 5000 : 5010);
  for (int i = 0; i < 2500; ++i) times.push_back(now += i % 2 == 0 ? 5000 : 5137);
  expect_round_trip(times);
}

TEST(TimesColumn, SteadyPaceIsWrittenByItsChanges) {
  std::mt19937_64 random(5);
  Times times;
  std::uint64_t now = 1'000'000;
  std::uint64_t pace = 20'000;
  for (int i = 0; i < 20'000; ++i) {
    pace += random() % 64 - 32 + (pace < 10'000 ? 40 : 0);
    times.push_back(now += pace);
  }
  EXPECT_TRUE(write(times).is_change());
  expect_round_trip(times);
}

TEST(TimesColumn, HostileColumnsAreRefusedOrReadAsSomething) {
  auto message = write({1, 2, 3});
  Times read;
  EXPECT_FALSE(read_times_column(message, 2, read));
  message.set_step((std::uint64_t{256} << kStepFractionBits) - 1);
  EXPECT_FALSE(read_times_column(message, 3, read)) << "no rest";
  message.set_rest("\x80\x7f\xff", 3);
  EXPECT_TRUE(read_times_column(message, 3, read));
  message.set_step(message.step() + 1);
  EXPECT_FALSE(read_times_column(message, 3, read)) << "no clock is that slow";
  message.set_step(message.step() - 1);
  message.clear_number();
  for (int plane = 0; plane < 8; ++plane) message.mutable_number()->add_plane("\xff\xfe\x7f");
  for (const bool is_change : {false, true}) {
    message.set_is_change(is_change);
    EXPECT_TRUE(read_times_column(message, 3, read));
  }
}

}  // namespace
}  // namespace pobpf
