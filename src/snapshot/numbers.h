// SPDX-License-Identifier: GPL-2.0-only
// Fields that hold 64-bit numbers: Numbers of snapshot.proto. Low bytes of differences of times are
// nearly random: apart from the steady high bytes they compress better than as varints, which mix
// both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pobpf {

void write_numbers(std::span<const std::int64_t> numbers, std::string& field);
/// Replaces `numbers`, which are `nr_numbers`. False: the field does not hold as many.
[[nodiscard]] bool read_numbers(std::string_view field, std::size_t nr_numbers,
                                std::vector<std::int64_t>& numbers);

/// Each value as its difference to the one before it, the first to 0, modulo 2^64.
void write_differences(std::span<const std::uint64_t> values, std::string& field);
[[nodiscard]] bool read_differences(std::string_view field, std::size_t nr_values,
                                    std::vector<std::uint64_t>& values);

}  // namespace pobpf
