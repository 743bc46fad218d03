// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/memory_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "util/file.h"

namespace pobpf {
namespace {

/// Ascending.
std::vector<std::uint64_t> block_numbers(const std::filesystem::path& directory) {
  constexpr std::string_view kPrefix = "memory";
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    std::uint64_t number = 0;
    const auto parsed =
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size())
      numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

Result<MemoryBlocks> find_memory_blocks(const std::filesystem::path& directory,
                                        const std::vector<IdRange>& wanted,
                                        std::uint64_t page_bytes) {
  constexpr std::size_t kNumberBytesMax = 64;
  const auto text = read_file(directory / "block_size_bytes", kNumberBytesMax);
  if (!text)
    return fail(ErrorKind::kUnsupported, "this kernel takes no blocks of memory on and off line",
                "use a kernel built with CONFIG_MEMORY_HOTPLUG=y, or name PFNs with --pfn");
  std::uint64_t bytes = 0;
  std::from_chars(text->data(), text->data() + text->size(), bytes, 16);
  if (!std::has_single_bit(bytes) || bytes <= page_bytes)
    return fail(ErrorKind::kFailed,
                fmt::format("{} does not say how large a block of memory is",
                            (directory / "block_size_bytes").string()),
                "name PFNs with --pfn");
  MemoryBlocks blocks{bytes / page_bytes, {}};
  const auto numbers = block_numbers(directory);
  for (const IdRange& range : wanted) {
    const auto first = std::lower_bound(numbers.begin(), numbers.end(), range.first);
    const auto end = std::upper_bound(first, numbers.end(), range.last);
    if (first == end)
      return fail(
          ErrorKind::kUsage,
          range.first == range.last
              ? fmt::format("there is no memory block {}", range.first)
              : fmt::format("there are no memory blocks {}-{}", range.first, range.last),
          fmt::format("their numbers are those of the directories in {}", directory.string()));
    for (auto number = first; number != end; ++number)
      blocks.pfns.push_back({*number * blocks.block_pages, (*number + 1) * blocks.block_pages});
  }
  blocks.pfns = joined(std::move(blocks.pfns));
  return blocks;
}

}  // namespace pobpf
