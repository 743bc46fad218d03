// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/clock_step.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include "snapshot/clock_phase.h"
#include "snapshot/entropy.h"

namespace pobpf {
namespace {

// ns: from where it is worth anything to where a remainder still fits a byte
constexpr double kStepMin = 3;
constexpr double kStepMax = 64;
constexpr std::size_t kSamplesMax = 256;
constexpr std::size_t kSamplesMin = 64;
constexpr std::size_t kLookedMax = 1 << 14;

/// How many of the numbers lie within an eighth of a step of a multiple of it: a quarter by chance.
std::size_t count_multiples(std::span<const std::int32_t> numbers, double step) {
  constexpr double kTurn = 4294967296.0;
  constexpr std::uint32_t kEighth = 1U << 29;
  const auto turns = static_cast<std::uint32_t>(kTurn / step);
  std::size_t count = 0;
  for (const std::int32_t number : numbers) {
    const std::uint32_t phase = static_cast<std::uint32_t>(number) * turns;
    count += phase + kEighth < 2 * kEighth ? 1 : 0;
  }
  return count;
}

/// The middle of the best candidates, which are ascending. Of equally good ones that are apart the
/// largest: a divisor of a step fits as well.
double best_step(std::span<const std::int32_t> numbers, std::span<const double> candidates) {
  std::vector<std::size_t> counts;
  counts.reserve(candidates.size());
  for (const double candidate : candidates) counts.push_back(count_multiples(numbers, candidate));
  const std::size_t best = *std::max_element(counts.begin(), counts.end());
  const std::size_t good = best - std::min(best, std::max<std::size_t>(1, numbers.size() / 64));
  std::size_t last = counts.size() - 1;
  while (counts[last] < good) --last;
  std::size_t first = last;
  while (first > 0 && counts[first - 1] >= good) --first;
  return (candidates[first] + candidates[last]) / 2;
}

/// Numbers of a magnitude: the first ones of a column, or all of them if they are few.
std::vector<std::int32_t> sample(std::span<const std::int64_t> column, std::int64_t above,
                                 std::int64_t max) {
  std::vector<std::int32_t> numbers;
  for (const std::int64_t number : column.first(std::min(column.size(), kLookedMax))) {
    if (number > max || number < -max || (number <= above && number >= -above)) continue;
    numbers.push_back(static_cast<std::int32_t>(number));
    if (numbers.size() == kSamplesMax) break;
  }
  return numbers;
}

/// Bits that a rest takes by itself, on the average.
double estimate_rest(std::uint64_t step, std::span<const std::int64_t> differences) {
  Histogram histogram{};
  divide_by(step, differences, [&](std::size_t, std::int64_t, std::int8_t rest) {
    ++histogram[static_cast<std::uint8_t>(rest)];
  });
  return entropy(histogram) / static_cast<double>(differences.size());
}

/// The step of which most differences are multiples, ns; 0: none is seen.
double guess_step(std::span<const std::int64_t> differences,
                  std::span<const std::int64_t> changes) {
  // up to here a candidate is near enough to the next one for all multiples to fit one of both
  constexpr std::int64_t kFirstMax = 256;
  constexpr double kRatio = 1 + 1.0 / 400;
  constexpr std::int64_t kLastMax = 1 << 18;
  constexpr std::int64_t kGrowth = 4;
  constexpr int kNeighbours = 24;

  // only changes are so small where times are far apart
  auto numbers = sample(changes, 0, kFirstMax);
  if (numbers.size() < kSamplesMin) return 0;
  std::vector<double> candidates;
  double candidate = kStepMin;
  while (candidate < kStepMax) {
    candidates.push_back(candidate);
    candidate *= kRatio;
  }
  double step = best_step(numbers, candidates);
  if (count_multiples(numbers, step) < numbers.size() / 2) return 0;
  // larger multiples tell it more exactly
  for (std::int64_t max = kFirstMax * kGrowth; max <= kLastMax; max *= kGrowth) {
    numbers = sample(differences, max / 8, max);
    if (numbers.size() < kSamplesMin) numbers = sample(changes, max / 8, max);
    if (numbers.size() < kSamplesMin) continue;
    candidates.clear();
    for (int i = -kNeighbours; i <= kNeighbours; ++i)
      candidates.push_back(step * (1 + i * step / (16.0 * static_cast<double>(max))));
    step = best_step(numbers, candidates);
  }
  // led astray
  return step < kStepMin || step > kStepMax ? 0 : step;
}

}  // namespace

std::uint64_t find_clock_step(std::span<const std::int64_t> differences,
                              std::span<const std::int64_t> changes) {
  const double guess = guess_step(differences, changes);
  if (guess == 0) return 0;
  auto step = static_cast<std::uint64_t>(std::llround(std::ldexp(guess, kStepFractionBits)));
  constexpr std::size_t kLooked = 8192;
  const auto looked = differences.first(std::min(differences.size(), kLooked));
  double best = estimate_rest(step, looked);
  // what rests of any size take: half a bit less is no chance, and what is right gets far below
  // soon
  const double random = std::log2(guess);
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

}  // namespace pobpf
