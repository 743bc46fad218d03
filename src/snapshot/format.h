// SPDX-License-Identifier: GPL-2.0-only
// Numbers of the file format: docs/snapshots.md. What a writer may write, a reader must take, so no
// limit is one that a real machine can meet.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pobpf {

constexpr std::uint32_t kSnapshotVersion = 3;

/// Pages of a block.
constexpr std::size_t kBlockPagesMax = 65536;
/// Bytes of a frame's content. A block of pages that have nothing in common takes 10.3 MiB.
constexpr std::size_t kFrameBytesMax = std::size_t{12} << 20;
/// Of the item in it, in front of which stand a tag and the length.
constexpr std::size_t kItemBytesMax = kFrameBytesMax - 8;

/// Tag of Snapshot.item: field 1, with a length.
constexpr char kItemTag = 0x0a;

/// Distinct stacks and their frames: more than a stack depot holds (128 MiB in all).
constexpr std::size_t kStacksMax = std::size_t{1} << 20;
constexpr std::size_t kStackFramesMax = std::size_t{1} << 24;
constexpr std::size_t kCgroupsMax = std::size_t{1} << 20;
/// Bytes of a symbol, of a cgroup's name, of a name in the kernel's tables.
constexpr std::size_t kNameBytesMax = 1024;
/// Bytes of all symbols and names of cgroups of a file.
constexpr std::size_t kNamesBytesMax = std::size_t{256} << 20;
/// Entries of each of the kernel's tables.
constexpr std::size_t kTableEntriesMax = 1024;
/// Distinct texts of masks, and of flags words, that an import has: words hold the CPU and a part
/// of the PID of who touched the page last.
constexpr std::size_t kTextsMax = std::size_t{1} << 20;

/// Zigzag: numbers of small magnitude become small.
constexpr std::uint64_t to_zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t from_zigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

/// a - b modulo 2^64, as a difference.
constexpr std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}
constexpr std::uint64_t plus(std::uint64_t a, std::int64_t b) {
  return a + static_cast<std::uint64_t>(b);
}

/// The PFN behind the last page of an allocation, whose order is at most kOrderMax.
constexpr std::uint64_t end_pfn(std::uint64_t pfn, std::uint64_t order) {
  return pfn + (std::uint64_t{1} << order);
}

}  // namespace pobpf
