// SPDX-License-Identifier: GPL-2.0-only
#include "archive/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "model/duration.h"
#include "model/name_list.h"

namespace pobpf {
namespace {

constexpr std::size_t kTiersMax = 16;

tl::unexpected<Error> tier_error(std::string what) {
  return fail(ErrorKind::kUsage, std::move(what),
              "tiers are such as 1d:all,1w:1h,365d:1d: up to which age, one in how long");
}

Result<ThinTier> parse_tier(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return tier_error(fmt::format("'{}' is not a tier", shown(text)));
  auto age = parse_duration(text.substr(0, colon));
  if (!age) return fail(std::move(age).error());
  const std::string_view every = text.substr(colon + 1);
  if (every == "all") return ThinTier{*age, 0};
  auto interval = parse_duration(every);
  if (!interval) return fail(std::move(interval).error());
  if (*interval == 0) return tier_error(fmt::format("'{}' has no interval", shown(text)));
  return ThinTier{*age, *interval};
}

bool is_multiple(std::uint64_t of, std::uint64_t interval) {
  return of == 0 || (interval != 0 && interval % of == 0);
}

/// The removals chosen so far, and what they leave.
class Selection {
 public:
  Selection(std::span<const StoredSnapshot> snapshots, std::size_t newest, std::uint64_t now_ns)
      : snapshots_(snapshots),
        newest_(newest),
        now_ns_(now_ns),
        reasons_(snapshots.size()),
        oldest_first_(snapshots.size()) {
    std::iota(oldest_first_.begin(), oldest_first_.end(), std::size_t{0});
    std::sort(oldest_first_.begin(), oldest_first_.end(),
              [this](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
    for (const StoredSnapshot& snapshot : snapshots) bytes_ += snapshot.bytes;
    nr_left_ = snapshots.size();
  }

  void thin(const std::vector<ThinTier>& tiers) {
    if (tiers.empty()) return;
    for (const std::size_t index : oldest_first_)
      if (std::none_of(tiers.begin(), tiers.end(),
                       [&](const ThinTier& tier) { return age(index) <= tier.age_ns; }))
        remove(index, RemovalReason::kTooOld);
    // the first of each interval among all: it stays the first as snapshots grow older
    const auto order = by_time();
    for (std::size_t i = 1; i < order.size(); ++i) {
      const std::uint64_t every = tier_of(tiers, order[i]).every_ns;
      if (every != 0 && time_ns(order[i - 1]) / every == time_ns(order[i]) / every)
        remove(order[i], RemovalReason::kThinned);
    }
  }

  void limit_age(std::uint64_t age_max_ns) {
    for (const std::size_t index : oldest_first_)
      if (age(index) > age_max_ns) remove(index, RemovalReason::kAge);
  }

  /// Expects that all removals chosen so far are for their age.
  void refuse_if_too_many() {
    std::vector<Removal> chosen = removals();
    const std::size_t nr_older = snapshots_.size() - 1;
    if (chosen.size() * 2 <= nr_older) return;
    for (const Removal& removal : chosen) restore(removal.index);
    refused_ = std::move(chosen);
  }

  void limit_number(std::uint64_t nr_max) {
    for (const std::size_t index : oldest_first_)
      if (nr_left_ > nr_max) remove(index, RemovalReason::kNumber);
  }

  void limit_size(std::uint64_t bytes_max) {
    for (const std::size_t index : oldest_first_)
      if (bytes_ > bytes_max) remove(index, RemovalReason::kSize);
  }

  void make_space(const FreeSpace& space) {
    std::uint64_t reachable = space.free_bytes + freed_bytes_;
    for (const std::size_t index : oldest_first_)
      if (index != newest_ && !reasons_[index]) reachable += snapshots_[index].freed_bytes;
    if (reachable < space.wanted_bytes) return;
    for (const std::size_t index : oldest_first_)
      if (space.free_bytes + freed_bytes_ < space.wanted_bytes)
        remove(index, RemovalReason::kFreeSpace);
  }

  [[nodiscard]] RemovalChoice choice() && { return {removals(), std::move(refused_)}; }

 private:
  [[nodiscard]] std::vector<Removal> removals() const {
    std::vector<Removal> result;
    for (const std::size_t index : oldest_first_)
      if (reasons_[index]) result.push_back({index, *reasons_[index]});
    return result;
  }
  [[nodiscard]] bool is_future(std::size_t index) const {
    return snapshots_[index].time_ns > now_ns_;
  }
  [[nodiscard]] std::uint64_t age(std::size_t index) const {
    return is_future(index) ? 0 : now_ns_ - snapshots_[index].time_ns;
  }
  [[nodiscard]] std::uint64_t time_ns(std::size_t index) const { return snapshots_[index].time_ns; }
  /// The last one where it is older than all.
  [[nodiscard]] ThinTier tier_of(const std::vector<ThinTier>& tiers, std::size_t index) const {
    const auto tier = std::find_if(tiers.begin(), tiers.end(), [&](const ThinTier& candidate) {
      return age(index) <= candidate.age_ns;
    });
    return tier == tiers.end() ? tiers.back() : *tier;
  }
  /// If two have the same time, the one further ahead counts as older.
  [[nodiscard]] std::tuple<bool, std::uint64_t, std::size_t> rank(std::size_t index) const {
    return {!is_future(index), snapshots_[index].time_ns, index};
  }
  [[nodiscard]] std::vector<std::size_t> by_time() const {
    std::vector<std::size_t> order = oldest_first_;
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return std::pair(snapshots_[a].time_ns, a) < std::pair(snapshots_[b].time_ns, b);
    });
    return order;
  }
  void remove(std::size_t index, RemovalReason reason) {
    if (index == newest_ || reasons_[index]) return;
    reasons_[index] = reason;
    bytes_ -= snapshots_[index].bytes;
    freed_bytes_ += snapshots_[index].freed_bytes;
    --nr_left_;
  }
  void restore(std::size_t index) {
    reasons_[index].reset();
    bytes_ += snapshots_[index].bytes;
    freed_bytes_ -= snapshots_[index].freed_bytes;
    ++nr_left_;
  }

  std::span<const StoredSnapshot> snapshots_;
  std::size_t newest_;
  std::uint64_t now_ns_;
  std::vector<std::optional<RemovalReason>> reasons_;
  std::vector<Removal> refused_;
  std::vector<std::size_t> oldest_first_;
  std::uint64_t bytes_ = 0;
  std::uint64_t freed_bytes_ = 0;
  std::uint64_t nr_left_ = 0;
};

}  // namespace

std::vector<ThinTier> default_tiers() {
  return {{kDayNs, 0}, {7 * kDayNs, kHourNs}, {365 * kDayNs, kDayNs}};
}

Result<std::vector<ThinTier>> parse_tiers(std::string_view text) {
  auto parts = split_list(text, ",");
  if (!parts) return tier_error(fmt::format("'{}' is not a list of tiers", shown(text)));
  if (parts->size() > kTiersMax)
    return tier_error(fmt::format("more than {} tiers are given", kTiersMax));
  std::vector<ThinTier> tiers;
  for (const std::string& part : *parts) {
    auto tier = parse_tier(part);
    if (!tier) return fail(std::move(tier).error());
    if (!tiers.empty() && tier->age_ns <= tiers.back().age_ns)
      return tier_error(fmt::format("the age of '{}' is not above the one before", shown(part)));
    if (!tiers.empty() && !is_multiple(tiers.back().every_ns, tier->every_ns))
      return tier_error(
          fmt::format("the interval of '{}' is not a multiple of the one before", shown(part)));
    tiers.push_back(*tier);
  }
  return tiers;
}

RemovalChoice choose_removals(std::span<const StoredSnapshot> snapshots, std::size_t newest,
                              const RetentionLimits& limits, const FreeSpace& space,
                              std::uint64_t now_ns) {
  Selection selection(snapshots, newest, now_ns);
  selection.thin(limits.tiers);
  if (limits.age_max_ns) selection.limit_age(*limits.age_max_ns);
  selection.refuse_if_too_many();
  if (limits.nr_max) selection.limit_number(*limits.nr_max);
  if (limits.bytes_max) selection.limit_size(*limits.bytes_max);
  selection.make_space(space);
  return std::move(selection).choice();
}

}  // namespace pobpf
