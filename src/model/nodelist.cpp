// SPDX-License-Identifier: GPL-2.0-only
// The grammar of lib/bitmap.c: bitmap_parselist(), whose functions these mirror one by one.
#include "model/nodelist.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace pobpf {
namespace {

/// struct region of lib/bitmap.c: `used` bits of every `group` from begin to end (inclusive).
struct Region {
  unsigned begin = 0;
  unsigned end = 0;
  unsigned used = 0;
  unsigned group = 0;
  std::size_t nr_chars = 0;  ///< of its text
};

/// A comma or isspace() of lib/ctype.c, which counts the no-break space of Latin-1.
bool is_separator(char c) {
  return c == ',' || c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}

std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f)
      fmt::format_to(std::back_inserter(result), "\\x{:02x}", byte);
    else if (c == '\\')
      result += "\\\\";
    else
      result += c;
  }
  return result + "'";
}

class RegionParser {
 public:
  RegionParser(std::string_view text, unsigned last_node) : text_(text), last_node_(last_node) {}

  Result<Region> parse() {
    Region region;
    std::string_view rest = text_;
    if (starts_with_all(rest)) {
      region.end = last_node_;
      rest.remove_prefix(3);
    } else {
      auto begin = number(rest);
      if (!begin) return fail(std::move(begin).error());
      region.begin = region.end = *begin;
      if (rest.empty()) return whole(region);
      if (rest.front() != '-') return wrong("is not a node list");
      rest.remove_prefix(1);
      auto end = number(rest);
      if (!end) return fail(std::move(end).error());
      region.end = *end;
    }
    if (rest.empty()) return whole(region);
    if (rest.front() != ':') return wrong("is not a node list");
    rest.remove_prefix(1);
    auto used = number(rest);
    if (!used) return fail(std::move(used).error());
    if (rest.empty() || rest.front() != '/') return wrong("lacks the /GROUP after N-M:USED");
    rest.remove_prefix(1);
    auto group = number(rest);
    if (!group) return fail(std::move(group).error());
    region.used = *used;
    region.group = *group;
    // the kernel wants no separator here: 0-7:1/4N is 0,4 and the last
    region.nr_chars = text_.size() - rest.size();
    return checked(region);
  }

 private:
  static bool starts_with_all(std::string_view text) {
    constexpr std::string_view kAll = "all";
    return text.size() >= kAll.size() && std::equal(kAll.begin(), kAll.end(), text.begin(),
                                                    [](char a, char b) { return a == (b | 0x20); });
  }

  [[nodiscard]] tl::unexpected<Error> wrong(const std::string& why) const {
    return fail(ErrorKind::kUsage, quoted(text_) + " " + why,
                "use the kernel's syntax, for example 0,2-3 or 0-7:1/2");
  }

  /// bitmap_getnum(): takes a number off the front of `rest`.
  Result<unsigned> number(std::string_view& rest) const {
    if (!rest.empty() && rest.front() == 'N') {
      rest.remove_prefix(1);
      return last_node_;
    }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error == std::errc::result_out_of_range) return wrong("has a number that is too large");
    if (error != std::errc()) return wrong("is not a node list");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return value;
  }

  [[nodiscard]] Result<Region> whole(Region region) const {
    // one group as large as the region, wholly used; what overflows here is not in range
    region.used = region.group = region.end - region.begin + 1;
    region.nr_chars = text_.size();
    return checked(region);
  }

  /// bitmap_check_region()
  [[nodiscard]] Result<Region> checked(Region region) const {
    if (region.begin > region.end) return wrong("runs backwards");
    if (region.end > last_node_)
      return wrong(
          fmt::format("goes beyond node {}, the last that this kernel can have", last_node_));
    if (region.group == 0) return wrong("has an empty group");
    if (region.used > region.group) return wrong("uses more nodes than a group has");
    return region;
  }

  std::string_view text_;
  unsigned last_node_;
};

}  // namespace

Result<NodeSet> parse_nodelist(std::string_view text, unsigned max_nodes) {
  NodeSet nodes;
  // the kernel's string ends at the first NUL; an argument cannot hold one
  while (true) {
    while (!text.empty() && is_separator(text.front())) text.remove_prefix(1);
    if (text.empty()) return nodes;
    const auto* const end = std::find_if(text.begin(), text.end(), is_separator);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    auto region = RegionParser(word, max_nodes - 1).parse();
    if (!region) return fail(std::move(region).error());
    // 64 bits: a group may be larger than what is left of the numbers
    for (std::uint64_t start = region->begin; start <= region->end; start += region->group) {
      const std::uint64_t stop =
          std::min<std::uint64_t>(start + region->used, std::uint64_t{region->end} + 1);
      for (std::uint64_t nid = start; nid < stop; ++nid) nodes.set(nid);
    }
    text.remove_prefix(region->nr_chars);
  }
}

std::string format_nodelist(const NodeSet& nodes) {
  std::string text;
  for (std::size_t nid = 0; nid < nodes.size(); ++nid) {
    if (!nodes.test(nid)) continue;
    std::size_t end = nid;
    while (end + 1 < nodes.size() && nodes.test(end + 1)) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(nid);
    if (end != nid) text += '-' + std::to_string(end);
    nid = end;
  }
  return text;
}

}  // namespace pobpf
