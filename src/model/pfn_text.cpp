// SPDX-License-Identifier: GPL-2.0-only
#include "model/pfn_text.h"

#include <charconv>
#include <limits>
#include <string>

#include "model/name_list.h"

namespace pobpf {
namespace {

tl::unexpected<Error> not_a(const char* thing, std::string_view text) {
  return fail(ErrorKind::kUsage, "'" + shown(text) + "' is not a " + thing,
              "numbers are decimal, or hexadecimal with 0x");
}

}  // namespace

Result<std::uint64_t> parse_number(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = is_hex ? text.substr(2) : text;
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  if (error == std::errc::result_out_of_range)
    return fail(ErrorKind::kUsage, "'" + shown(text) + "' is too large");
  if (error != std::errc() || end != digits.data() + digits.size()) return not_a("number", text);
  return value;
}

Result<PfnRange> parse_pfn_range(std::string_view text) {
  const std::size_t at = text.find_first_of("-+");
  auto first = parse_number(text.substr(0, at));
  if (!first)
    return at == std::string_view::npos ? fail(std::move(first).error())
                                        : not_a("range of PFNs", text);
  if (*first == std::numeric_limits<std::uint64_t>::max())
    return fail(ErrorKind::kUsage, "'" + shown(text) + "' is too large");
  if (at == std::string_view::npos) return PfnRange{*first, *first + 1};
  auto second = parse_number(text.substr(at + 1));
  if (!second) return not_a("range of PFNs", text);
  if (text[at] == '-' && *second < *first)
    return fail(ErrorKind::kUsage, "the range '" + shown(text) + "' runs backwards");
  if (text[at] == '+' && *second == 0)
    return fail(ErrorKind::kUsage, "the range '" + shown(text) + "' holds no page");
  const std::uint64_t count = text[at] == '+' ? *second : *second - *first + 1;
  if (count == 0 || *first + count < *first)
    return fail(ErrorKind::kUsage, "the range '" + shown(text) + "' is too large");
  return PfnRange{*first, *first + count};
}

}  // namespace pobpf
