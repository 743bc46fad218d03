// SPDX-License-Identifier: GPL-2.0-only
#include "util/hash_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace pobpf {
namespace {

/// Numbers that a table without a secret puts into one bucket.
TEST(HashMap, NobodyChoosesWhichKeysFallTogether) {
  constexpr std::uint64_t kNrKeys = 10000;
  HashMap<std::uint64_t, bool> map;
  map.reserve(kNrKeys);
  const std::uint64_t nr_buckets = map.bucket_count();
  for (std::uint64_t i = 0; i < kNrKeys; ++i) map[i * nr_buckets] = true;
  ASSERT_EQ(map.bucket_count(), nr_buckets);
  std::size_t most = 0;
  for (std::size_t bucket = 0; bucket < nr_buckets; ++bucket)
    most = std::max(most, map.bucket_size(bucket));
  EXPECT_LT(most, 40);
}

TEST(HashMap, FindsWhatIsEqual) {
  EXPECT_EQ(SeededHash<std::string>()("abc"), SeededHash<std::string_view>()("abc"));
  EXPECT_NE(seeded_hash("abc"), seeded_hash("abd"));
  EXPECT_EQ(seeded_hash_of(std::uint64_t{7}), seeded_hash_of(std::uint64_t{7}));
  HashSet<std::string> set;
  EXPECT_TRUE(set.insert("a").second);
  EXPECT_FALSE(set.insert("a").second);
}

}  // namespace
}  // namespace pobpf
