// SPDX-License-Identifier: GPL-2.0-only
// Numbers of the file format: snapshot.proto. What a writer may write, a reader must take, so no
// limit is one that a real machine can meet.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pobpf {

constexpr std::uint32_t kSnapshotVersion = 4;
/// The same, of a kernel of which it is not known how it prints records: readers of version 4 might
/// print them in a way of their own.
constexpr std::uint32_t kSnapshotVersionWithoutText = 5;

/// Pages of a block, groups of an item.
constexpr std::size_t kBlockPagesMax = 16384;
/// Bytes of a frame's content. A block of pages that have nothing in common takes 2.1 MiB.
constexpr std::size_t kFrameBytesMax = std::size_t{3} << 20;
/// Room for the item in it, in front of which stand a tag and the length.
constexpr std::size_t kItemBytesMax = kFrameBytesMax - 8;
/// A writer puts what has no end of its own into items of about this size.
constexpr std::size_t kItemBytesUsual = std::size_t{1} << 20;

/// Tag of Snapshot.item: field 1, with a length.
constexpr char kItemTag = 0x0a;

/// Frames: a stack depot has 64 a stack at most; inlines that were resolved make more of them.
constexpr std::size_t kStackDepthMax = 512;
/// Bytes of a symbol, of a cgroup's name, of a text of an import, of a label, of a reason.
constexpr std::size_t kNameBytesMax = 1024;
/// Bytes of a task's name; what is behind POBPF_COMM_BYTES is cut off.
constexpr std::size_t kCommBytesMax = 64;
constexpr std::size_t kPathBytesMax = 4096;
/// Cgroups above a cgroup; as many as the programs look at (bpf/memcg.bpf.h).
constexpr std::size_t kCgroupDepthMax = 64;
/// Bytes of a name in the kernel's tables, of one of its texts, and of the names of all flags.
constexpr std::size_t kTableNameBytesMax = 64;
constexpr std::size_t kFlagNamesBytesMax = 2048;
/// Entries of each of the kernel's tables, and numbers of the migratetypes of an import.
constexpr std::size_t kTableEntriesMax = 1024;
constexpr std::size_t kPageFlagFieldsMax = 16;
/// Strings of the header: names, and what people typed.
constexpr std::size_t kHeaderNameBytesMax = 255;
constexpr std::size_t kHeaderTextBytesMax = std::size_t{64} << 10;

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
