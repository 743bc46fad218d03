// SPDX-License-Identifier: GPL-2.0-only
#include "manual/prose.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "util/file.h"

namespace pobpf::manual {
namespace {

constexpr std::size_t kProseBytesMax = 1 << 20;

bool is_title(const std::string& line) {
  return line.size() > 2 && line.starts_with('[') && line.ends_with(']');
}

}  // namespace

Result<std::vector<Section>> parse_prose(const std::string& text) {
  std::vector<Section> sections;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (is_title(line)) {
      const std::string title = line.substr(1, line.size() - 2);
      if (std::any_of(sections.begin(), sections.end(),
                      [&](const Section& section) { return section.title == title; }))
        return fail(ErrorKind::kFailed, fmt::format("[{}] is there twice", title));
      sections.push_back({title, {}});
    } else if (!sections.empty()) {
      sections.back().text += line + '\n';
    } else if (!line.starts_with(".\\\"")) {
      return fail(ErrorKind::kFailed, fmt::format("'{}' stands in front of all sections", line));
    }
  }
  for (const Section& section : sections)
    if (section.text.find_first_not_of('\n') == std::string::npos)
      return fail(ErrorKind::kFailed, fmt::format("[{}] is empty", section.title));
  return sections;
}

Result<std::vector<Section>> read_prose(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::vector<Section>();
  auto text = read_file(path, kProseBytesMax);
  if (!text) return fail(std::move(text).error());
  auto sections = parse_prose(*text);
  if (!sections) return fail(std::move(sections).error().in(path.string()));
  return sections;
}

}  // namespace pobpf::manual
