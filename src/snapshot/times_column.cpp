// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/times_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string>

#include "snapshot/byte_planes.h"
#include "snapshot/clock_step.h"
#include "snapshot/format.h"
#include "snapshot/sorted_places.h"

namespace pobpf {
namespace {

__extension__ using Wide = __int128;

constexpr std::uint64_t kStepLimit = std::uint64_t{256} << kStepFractionBits;

/// Where the clock stands behind the whole nanoseconds of the last time.
class Phase {
 public:
  explicit Phase(std::uint64_t step) : step_(static_cast<std::int64_t>(step)) {}

  /// Whole nanoseconds that so many steps take from here, modulo 2^64.
  [[nodiscard]] std::int64_t ns_of(std::int64_t nr_steps) const {
    return static_cast<std::int64_t>((Wide{nr_steps} * step_ + fraction_) >> kStepFractionBits);
  }
  /// Goes on by as many steps, to a time that is `rest` ns later than they end.
  void move(std::int64_t nr_steps, std::int64_t rest) {
    fraction_ = static_cast<std::uint32_t>(Wide{nr_steps} * step_ + fraction_);
    if (rest != 0) fraction_ = rest > 0 ? 0 : UINT32_MAX;
  }

 private:
  std::int64_t step_;
  std::uint32_t fraction_ = 0;
};

std::int64_t difference_of(std::int64_t a, std::int64_t b) {
  return difference(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b));
}

/// Numbers that a quarter of a column is, in pieces: enough to compare ways to write it.
template <typename Visit>
void visit_sample(std::size_t size, Visit&& visit) {
  constexpr std::size_t kPiece = 256;
  for (std::size_t at = 0; at < size; at += 4 * kPiece)
    for (std::size_t i = at; i < std::min(size, at + kPiece); ++i) visit(i);
}

using Histogram = std::array<std::uint32_t, 256>;

/// Bits that the bytes of a histogram take, each by itself.
double entropy(const Histogram& histogram) {
  double total = 0;
  double bits = 0;
  for (const std::uint32_t count : histogram) {
    if (count == 0) continue;
    total += count;
    bits -= count * std::log2(count);
  }
  return total == 0 ? 0 : bits + total * std::log2(total);
}

/// Bits of a sample of the numbers, as byte planes.
double estimate(std::span<const std::int64_t> numbers) {
  std::array<Histogram, sizeof(std::uint64_t)> planes{};
  visit_sample(numbers.size(), [&](std::size_t i) {
    std::uint64_t code = to_zigzag(numbers[i]);
    for (Histogram& plane : planes) {
      ++plane[code & 0xff];
      code >>= 8;
      // what is left is zero, as in most of the others
      if (code == 0) break;
    }
  });
  double bits = 0;
  const auto nr_sampled = planes[0];
  std::uint32_t nr_all = 0;
  for (const std::uint32_t count : nr_sampled) nr_all += count;
  for (Histogram& plane : planes) {
    std::uint32_t nr_here = 0;
    for (const std::uint32_t count : plane) nr_here += count;
    plane[0] += nr_all - nr_here;
    bits += entropy(plane);
  }
  return bits;
}

/// What rests are sorted by: far from the last time the clock's phase is known less well.
constexpr std::size_t kWidths = 65;
std::size_t width_of(std::int64_t nr_steps) {
  return static_cast<std::size_t>(std::bit_width(to_zigzag(nr_steps)));
}

/// Calls put(index, number of steps, rest) for each difference. The step is one of clock_step()'s,
/// so that half of it is less than a rest can be.
template <typename Put>
void divide_by(std::uint64_t step, std::span<const std::int64_t> differences, Put&& put) {
  const double ns = std::ldexp(static_cast<double>(step), -kStepFractionBits);
  Phase phase(step);
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const std::int64_t wanted = differences[i];
    const double quotient = static_cast<double>(wanted) / ns;
    auto nr_steps = static_cast<std::int64_t>(quotient + (quotient < 0 ? -0.5 : 0.5));
    std::int64_t rest = difference_of(wanted, phase.ns_of(nr_steps));
    // a double is not exact where a time is measured from 0
    while (rest < INT8_MIN || rest > INT8_MAX) {
      nr_steps += static_cast<std::int64_t>(static_cast<double>(rest) / ns);
      rest = difference_of(wanted, phase.ns_of(nr_steps));
    }
    phase.move(nr_steps, rest);
    put(i, nr_steps, static_cast<std::int8_t>(rest));
  }
}

/// Bits that a rest takes by itself, on the average.
double estimate_rest(std::uint64_t step, std::span<const std::int64_t> differences) {
  Histogram histogram{};
  divide_by(step, differences, [&](std::size_t, std::int64_t, std::int8_t rest) {
    ++histogram[static_cast<std::uint8_t>(rest)];
  });
  return entropy(histogram) / static_cast<double>(differences.size());
}

/// The step that times are multiples of, as exactly as they tell; 0: there is none.
std::uint64_t clock_step(std::span<const std::int64_t> differences,
                         std::span<const std::int64_t> changes) {
  std::uint64_t step = find_clock_step(differences, changes);
  if (step == 0) return 0;
  constexpr std::size_t kLooked = 8192;
  const auto looked = differences.first(std::min(differences.size(), kLooked));
  double best = estimate_rest(step, looked);
  // what rests of any size take: half a bit less is no chance, and what is right gets far below
  // soon
  const double random = std::log2(std::ldexp(static_cast<double>(step), -kStepFractionBits));
  if (best > random - 0.5) return 0;

  constexpr std::uint64_t kFirstPart = 50'000;
  constexpr int kHalvings = 10;
  constexpr int kMovesMax = 4;  // at each width: the true step is not far
  std::uint64_t by = step / kFirstPart;
  for (int i = 0; i < kHalvings; ++i, by /= 2) {
    if (i >= 2 && best > random - 1) return 0;
    for (int move = 0; move < kMovesMax; ++move) {
      const double more = estimate_rest(step + by, looked);
      const double less = estimate_rest(step - by, looked);
      if (std::min(more, less) >= best) break;
      best = std::min(more, less);
      step = more < less ? step + by : step - by;
    }
  }
  return step;
}

double estimate(std::span<const std::int8_t> bytes) {
  Histogram histogram{};
  visit_sample(bytes.size(),
               [&](std::size_t i) { ++histogram[static_cast<std::uint8_t>(bytes[i])]; });
  return entropy(histogram);
}

/// How each number differs from the one before it; the first from 0. Modulo 2^64.
void take_changes(std::span<const std::int64_t> numbers, std::vector<std::int64_t>& changes) {
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
  differences_.resize(times.size());
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    differences_[i] = difference(times[i], last);
    last = times[i];
  }
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
  take_changes(differences_, changes_);
  // a block that ends early is no reason to look, nor not to look at the next one
  constexpr std::size_t kEnoughToTell = 4096;
  if (used == 0 && times.size() >= kEnoughToTell && nr_to_skip_ > 0) {
    --nr_to_skip_;
  } else if (used == 0 && times.size() >= kEnoughToTell) {
    try_step(clock_step(differences_, changes_));
    constexpr unsigned kSkippedMax = 64;
    nr_skipped_ = used != 0 ? 0 : std::min(kSkippedMax, 2 * nr_skipped_ + 1);
    nr_to_skip_ = nr_skipped_;
  }
  if (used != 0) step_ = used;

  if (used != 0) take_changes(steps_, changes_);
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
