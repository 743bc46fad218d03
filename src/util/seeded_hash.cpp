// SPDX-License-Identifier: GPL-2.0-only
#include <array>
#include <random>

#include "util/hash_map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pobpf {
namespace {

using Secret = std::array<std::uint32_t, XXH3_SECRET_DEFAULT_SIZE / sizeof(std::uint32_t)>;

Secret make_secret() {
  Secret secret{};
  std::random_device random;
  for (std::uint32_t& word : secret) word = random();
  return secret;
}

}  // namespace

std::uint64_t seeded_hash(std::string_view bytes) {
  static const Secret secret = make_secret();
  return XXH3_64bits_withSecret(bytes.data(), bytes.size(), secret.data(), sizeof(secret));
}

}  // namespace pobpf
