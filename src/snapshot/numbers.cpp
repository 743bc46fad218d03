// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/numbers.h"

#include <bit>

#include "snapshot/format.h"

namespace pobpf {

void write_numbers(std::span<const std::int64_t> numbers, std::string& field) {
  std::uint64_t all = 1;
  for (const std::int64_t number : numbers) all |= to_zigzag(number);
  const auto nr_planes = (static_cast<std::size_t>(std::bit_width(all)) + 7) / 8;
  field.resize(nr_planes * numbers.size());
  char* to = field.data();
  for (std::size_t plane = 0; plane < nr_planes; ++plane)
    for (const std::int64_t number : numbers)
      *to++ = static_cast<char>(to_zigzag(number) >> (8 * plane));
}

bool read_numbers(std::string_view field, std::size_t nr_numbers,
                  std::vector<std::int64_t>& numbers) {
  numbers.assign(nr_numbers, 0);
  if (nr_numbers == 0) return field.empty();
  const std::size_t nr_planes = field.size() / nr_numbers;
  if (field.size() % nr_numbers != 0 || nr_planes < 1 || nr_planes > sizeof(std::uint64_t))
    return false;
  std::vector<std::uint64_t> codes(nr_numbers);
  const char* from = field.data();
  for (std::size_t plane = 0; plane < nr_planes; ++plane)
    for (std::uint64_t& code : codes)
      code |= std::uint64_t{static_cast<unsigned char>(*from++)} << (8 * plane);
  for (std::size_t i = 0; i < nr_numbers; ++i) numbers[i] = from_zigzag(codes[i]);
  return true;
}

void write_differences(std::span<const std::uint64_t> values, std::string& field) {
  std::vector<std::int64_t> differences;
  differences.reserve(values.size());
  std::uint64_t last = 0;
  for (const std::uint64_t value : values) {
    differences.push_back(difference(value, last));
    last = value;
  }
  write_numbers(differences, field);
}

bool read_differences(std::string_view field, std::size_t nr_values,
                      std::vector<std::uint64_t>& values) {
  std::vector<std::int64_t> differences;
  if (!read_numbers(field, nr_values, differences)) return false;
  values.resize(nr_values);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < nr_values; ++i) values[i] = last = plus(last, differences[i]);
  return true;
}

}  // namespace pobpf
