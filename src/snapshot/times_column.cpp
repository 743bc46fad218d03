// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/times_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "snapshot/byte_planes.h"
#include "snapshot/clock_phase.h"
#include "snapshot/clock_step.h"
#include "snapshot/entropy.h"
#include "snapshot/format.h"
#include "snapshot/sorted_places.h"

namespace pobpf {
namespace {

/// Numbers that a quarter of a column is, in pieces: enough to compare ways to write it.
template <typename Visit>
void visit_sample(std::size_t size, Visit&& visit) {
  constexpr std::size_t kPiece = 256;
  for (std::size_t at = 0; at < size; at += 4 * kPiece)
    for (std::size_t i = at; i < std::min(size, at + kPiece); ++i) visit(i);
}

/// Bits of a sample of the numbers, as byte planes.
double estimate(std::span<const std::int64_t> numbers) {
  std::array<Histogram, sizeof(std::uint64_t)> planes{};
  std::array<std::uint32_t, sizeof(std::uint64_t) + 1> nr_of_length{};
  visit_sample(numbers.size(), [&](std::size_t i) {
    std::uint64_t code = to_zigzag(numbers[i]);
    std::size_t length = 0;
    for (; code != 0; code >>= 8) ++planes[length++][code & 0xff];
    ++nr_of_length[length];
  });
  // above their highest byte numbers are 0, which most planes are mostly
  double bits = 0;
  std::uint32_t nr_shorter = 0;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    nr_shorter += nr_of_length[i];
    planes[i][0] += nr_shorter;
    bits += entropy(planes[i]);
  }
  return bits;
}

/// What rests are sorted by: far from the last time the clock's phase is known less well.
constexpr std::size_t kWidths = 65;
std::size_t width_of(std::int64_t nr_steps) {
  return static_cast<std::size_t>(std::bit_width(to_zigzag(nr_steps)));
}

double estimate(std::span<const std::int8_t> bytes) {
  Histogram histogram{};
  visit_sample(bytes.size(),
               [&](std::size_t i) { ++histogram[static_cast<std::uint8_t>(bytes[i])]; });
  return entropy(histogram);
}

/// How each number differs from the one before it; the first from 0. Modulo 2^64.
template <typename Number>
void take_changes(std::span<const Number> numbers, std::vector<std::int64_t>& changes) {
  changes.resize(numbers.size());
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = static_cast<std::uint64_t>(numbers[i]);
    changes[i] = difference(number, last);
    last = number;
  }
}

}  // namespace

/// Makes steps_ and rests_ of differences_.
void TimesEncoder::divide(std::uint64_t step) {
  steps_.resize(differences_.size());
  rests_.resize(differences_.size());
  divide_by(step, differences_, [&](std::size_t i, std::int64_t nr_steps, std::int8_t rest) {
    steps_[i] = nr_steps;
    rests_[i] = rest;
  });
}

void TimesEncoder::write(std::span<const std::uint64_t> times, snapshot::Times& message) {
  message.Clear();
  take_changes(times, differences_);
  const double plain = estimate(differences_);
  double best = plain;
  const std::vector<std::int64_t>* numbers = &differences_;
  if (plain == 0) {
    // one time over and over, or none: that says nothing of the clock
    write_planes(differences_, *message.mutable_number());
    return;
  }

  // the step of the block before, or another
  std::uint64_t used = 0;
  const auto try_step = [&](std::uint64_t step) {
    if (step == 0) return;
    divide(step);
    const double bits = estimate(steps_) + estimate(rests_);
    // less by so much that it is no chance
    constexpr double kWorthIt = 0.97;
    if (bits >= kWorthIt * plain) return;
    used = step;
    best = bits;
    numbers = &steps_;
  };
  try_step(step_);
  take_changes(std::span<const std::int64_t>(differences_), changes_);
  // a block that ends early is no reason to look, nor not to look at the next one
  constexpr std::size_t kEnoughToTell = 4096;
  if (used == 0 && times.size() >= kEnoughToTell && nr_to_skip_ > 0) {
    --nr_to_skip_;
  } else if (used == 0 && times.size() >= kEnoughToTell) {
    try_step(find_clock_step(differences_, changes_));
    constexpr unsigned kSkippedMax = 64;
    nr_skipped_ = used != 0 ? 0 : std::min(kSkippedMax, 2 * nr_skipped_ + 1);
    nr_to_skip_ = nr_skipped_;
  }
  if (used != 0) step_ = used;

  if (used != 0) take_changes(std::span<const std::int64_t>(steps_), changes_);
  const double rest_bits = used == 0 ? 0 : estimate(rests_);
  if (estimate(changes_) + rest_bits < best) {
    message.set_is_change(true);
    numbers = &changes_;
  }
  write_planes(*numbers, *message.mutable_number());
  if (used == 0) return;
  message.set_step(used);
  std::string& sorted = *message.mutable_rest();
  sorted.resize(rests_.size());
  auto next =
      sorted_places<kWidths>(steps_.size(), [&](std::size_t i) { return width_of(steps_[i]); });
  for (std::size_t i = 0; i < rests_.size(); ++i)
    sorted[next[width_of(steps_[i])]++] = static_cast<char>(rests_[i]);
}

bool read_times_column(const snapshot::Times& message, std::size_t nr_times,
                       std::vector<std::uint64_t>& times) {
  std::vector<std::int64_t> numbers;
  if (!read_planes(message.number(), nr_times, numbers)) return false;
  const std::uint64_t step = message.step();
  const std::string& rests = message.rest();
  if (step >= kStepLimit || rests.size() != (step == 0 ? 0 : nr_times)) return false;
  if (message.is_change()) {
    std::uint64_t number = 0;
    for (std::int64_t& change : numbers) {
      number = plus(number, change);
      change = static_cast<std::int64_t>(number);
    }
  }
  times.resize(nr_times);
  std::uint64_t time = 0;
  if (step == 0) {
    for (std::size_t i = 0; i < nr_times; ++i) times[i] = time = plus(time, numbers[i]);
    return true;
  }
  auto next = sorted_places<kWidths>(nr_times, [&](std::size_t i) { return width_of(numbers[i]); });
  Phase phase(step);
  for (std::size_t i = 0; i < nr_times; ++i) {
    const auto rest = static_cast<signed char>(rests[next[width_of(numbers[i])]++]);
    times[i] = time = plus(plus(time, phase.ns_of(numbers[i])), rest);
    phase.move(numbers[i], rest);
  }
  return true;
}

}  // namespace pobpf
