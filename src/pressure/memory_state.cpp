// SPDX-License-Identifier: GPL-2.0-only
#include "pressure/memory_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "util/report_hint.h"

namespace pobpf {
namespace {

constexpr std::string_view kSpaces = " \t";

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// Empty at the end of the line.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kSpaces), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kSpaces));
  line.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> number(std::string_view word) {
  std::uint64_t value = 0;
  const auto [at, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || at != word.data() + word.size()) return std::nullopt;
  return value;
}

tl::unexpected<Error> unknown_text(const char* file, std::string_view what) {
  return fail(ErrorKind::kFailed, fmt::format("{} of this kernel has no {}", file, what),
              kReportKernel);
}

}  // namespace

Result<MemoryState> parse_meminfo(std::string_view text) {
  constexpr std::uint64_t kKiB = 1024;
  MemoryState state;
  const std::pair<std::string_view, std::uint64_t*> wanted[] = {{"MemTotal:", &state.total},
                                                                {"MemAvailable:", &state.available},
                                                                {"SwapFree:", &state.swap_free}};
  std::size_t nr_found = 0;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    const std::string_view name = next_word(line);
    const auto* const found = std::find_if(std::begin(wanted), std::end(wanted),
                                           [&](const auto& entry) { return entry.first == name; });
    if (found == std::end(wanted)) continue;
    const auto value = number(next_word(line));
    if (!value) return unknown_text("/proc/meminfo", fmt::format("number behind {}", name));
    *found->second = *value * kKiB;
    ++nr_found;
  }
  if (nr_found != std::size(wanted))
    return unknown_text("/proc/meminfo", "MemTotal, MemAvailable and SwapFree");
  return state;
}

Result<std::vector<ZoneState>> parse_zoneinfo(std::string_view text) {
  std::vector<ZoneState> zones;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    std::string_view word = next_word(line);
    if (word == "Node") {
      std::string_view nid = next_word(line);
      if (nid.ends_with(',')) nid.remove_suffix(1);
      const auto value = number(nid);
      if (!value || *value >= POBPF_MAX_NODES) return unknown_text("/proc/zoneinfo", "node number");
      zones.emplace_back().nid = static_cast<unsigned>(*value);
      continue;
    }
    if (zones.empty()) continue;
    ZoneState& zone = zones.back();
    // "  pages free     3840", then "        min      66"
    if (word == "pages") word = next_word(line);
    const std::pair<std::string_view, std::uint64_t*> fields[] = {{"free", &zone.free},
                                                                  {"high", &zone.high},
                                                                  {"spanned", &zone.spanned},
                                                                  {"present", &zone.present},
                                                                  {"start_pfn:", &zone.start_pfn}};
    for (const auto& [name, field] : fields)
      if (word == name)
        if (const auto value = number(next_word(line))) *field = *value;
  }
  std::erase_if(zones, [](const ZoneState& zone) { return zone.present == 0; });
  if (zones.empty()) return unknown_text("/proc/zoneinfo", "zone with memory");
  return zones;
}

NodeSet short_nodes(const std::vector<ZoneState>& zones) {
  std::map<unsigned, std::pair<std::uint64_t, std::uint64_t>> nodes;
  for (const ZoneState& zone : zones) {
    nodes[zone.nid].first += zone.free;
    nodes[zone.nid].second += zone.high;
  }
  NodeSet found;
  for (const auto& [nid, pages] : nodes)
    if (pages.first < pages.second) found.set(nid);
  return found.count() == nodes.size() ? NodeSet() : found;
}

bool is_same_memory(const std::vector<ZoneState>& one, const std::vector<ZoneState>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const ZoneState& a, const ZoneState& b) {
                      return std::tie(a.nid, a.spanned, a.present, a.start_pfn) ==
                             std::tie(b.nid, b.spanned, b.present, b.start_pfn);
                    });
}

}  // namespace pobpf
