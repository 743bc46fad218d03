// SPDX-License-Identifier: GPL-2.0-only
// Texts that are cut, damaged, wrapped, compressed, or made to hurt.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <ctime>
#include <functional>
#include <random>

#include "../util/memory_peak.h"
#include "imported.h"

namespace pobpf {
namespace {

using test::import_bytes;
using test::Imported;
using test::kIsSanitized;
using test::MemoryPeak;
using ::testing::EndsWith;
using ::testing::HasSubstr;

/// As 6.12 prints it.
std::string record(const std::string& comm = "init", int pfn = 1) {
  return "Page allocated via order 0, mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (" + comm +
         "), ts 5 ns\nPFN 0x" + std::to_string(pfn) +
         " type Unmovable Block 0 type Unmovable Flags 0x0(node=0|zone=1)\n a+0x1/0x2\n "
         "b+0x1/0x2\n\n";
}

std::string replaced(std::string text, const std::string& old, const std::string& by) {
  const std::size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, old.size(), by);
}

std::string first_note(const Imported& imported) {
  if (imported.report.notes.empty()) return "";
  const ImportNote& note = imported.report.notes.front();
  return std::to_string(note.line) + ": " + note.what;
}

TEST(ImportHostile, ARecordWithoutItsEmptyLineCounts) {
  const std::string text = record() + record();
  EXPECT_EQ(import_bytes(text.substr(0, text.size() - 1)).report.nr_pages, 2);
}

TEST(ImportHostile, AnOrderThatNoKernelHasIsLeftOutAndCounted) {
  for (const char* order : {"31", "32", "63", "64", "65535", "65536"}) {
    const Imported imported =
        import_bytes(replaced(record(), "order 0", std::string("order ") + order) + record());
    EXPECT_EQ(imported.report.nr_pages, 1) << order;
    EXPECT_EQ(imported.report.nr_dropped_records, 1) << order;
  }
  EXPECT_EQ(import_bytes(replaced(record(), "order 0", "order 30")).report.nr_pages, 1);
}

TEST(ImportHostile, SumsThatNoMachineHasAreLeftOutAndCounted) {
  const std::string large = std::to_string((1ULL << 44) - 1);
  const Imported imported =
      import_bytes("1 times, " + large + " pages, allocated by SLAB\n" +
                   "1 times, 1 pages, allocated by CMA\n2 times, 2 pages, allocated by VMALLOC\n" +
                   "1 times, 18446744073709551615 pages, allocated by OTHERS\n");
  EXPECT_EQ(imported.report.nr_groups, 2);
  EXPECT_EQ(imported.report.nr_dropped_records, 2);
  EXPECT_EQ(first_note(imported), "3: there is more memory than a machine can have");
}

TEST(ImportHostile, ARecordThatIsCutOffIsLeftOut) {
  const std::string whole = record();
  const std::string text = whole + whole;
  // all but the empty line, and up to a frame's end, is a record
  for (std::size_t size = whole.size() + 1; size < text.size(); ++size) {
    const Imported imported = import_bytes(text.substr(0, size));
    const bool is_at_frame_end = text.substr(0, size).ends_with("/0x2\n");
    EXPECT_EQ(imported.report.nr_pages, is_at_frame_end ? 2 : 1) << size;
    const bool is_said = imported.report.nr_dropped_records + imported.report.nr_unknown_lines != 0;
    EXPECT_EQ(is_said, !is_at_frame_end) << size;
  }
}

/// A kernel prints no such record, but the text says what it says.
TEST(ImportHostile, ARecordMayHaveNoFrames) {
  const std::string text = replaced(record(), " a+0x1/0x2\n b+0x1/0x2\n", "") + record();
  const Imported imported = import_bytes(text);
  EXPECT_EQ(imported.report.nr_pages, 2);
  EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), text);
}

TEST(ImportHostile, ALineInTheMiddleOfAStackSpoilsTheRecord) {
  const Imported imported =
      import_bytes(replaced(record(), " b+0x1", "what is this\n b+0x1") + record());
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_EQ(imported.report.nr_dropped_records, 1);
  EXPECT_EQ(imported.report.nr_unknown_lines, 1);
  EXPECT_EQ(first_note(imported), "4: not understood");
}

TEST(ImportHostile, ALineBehindTheStackDoesNot) {
  const Imported imported = import_bytes(replaced(record(), "b+0x1/0x2\n", "b+0x1/0x2\nNew: 1\n"));
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_EQ(first_note(imported), "5: not understood");
}

TEST(ImportHostile, ARecordWithoutItsFirstLineIsLeftOut) {
  const std::string text = record();
  const Imported imported = import_bytes(text.substr(text.find("PFN")) + text);
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_EQ(first_note(imported), "1: a record without its first line");
}

TEST(ImportHostile, WrappedLinesAreJoined) {
  const std::pair<const char*, const char*> wraps[] = {
      {", pid 1, tgid", ",\npid 1, tgid"},
      {"tgid 1 (init)", "tgid 1\n(init)"},
      {"), ts 5 ns", "),\nts 5 ns"},
      {"ts 5 ns", "ts\n5 ns"},
      {" ns\nPFN", "\nns\nPFN"},
      {"(node=0|", "(node=0|\n"},
      {" Flags", "\nFlags"},
      {"type Unmovable Flags", "type\nUnmovable Flags"},
      {", mask", ",\nmask"},
      {"mask 0xcc0", "mask\n0xcc0"},
      {"type Unmovable Block", "type Unmovable\n Block"},
      {" type Unmovable Block", "\n type Unmovable Block"}};
  const std::string whole = test::reported(import_bytes(record()).snapshot, POBPF_MODE_STACK);
  for (const auto& [old, by] : wraps) {
    const Imported imported = import_bytes(replaced(record(), old, by));
    EXPECT_EQ(imported.report.nr_joined_lines, 1) << by;
    EXPECT_TRUE(imported.report.is_complete()) << by << first_note(imported);
    EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), whole) << by;
  }
}

TEST(ImportHostile, AWrappedNameInAMailIsNotGuessed) {
  std::string text = replaced(record("Web Content"), "Web Content", "Web\n> Content");
  const Imported imported = import_bytes("> " + text);
  EXPECT_EQ(imported.report.nr_pages, 0);
  EXPECT_THAT(first_note(imported), HasSubstr("1: a wrapped task name"));
}

TEST(ImportHostile, NamesMayHoldAnything) {
  for (const std::string comm : {"a\nb", "\n\n", "), ts 1 ns\nPFN", "(", ")", "a), ts 1 ns, fre",
                                 "Page allocated", "> quoted", "\n a+0x1/0x2"}) {
    const std::string text = record(comm.substr(0, 15)) + record("x", 2);
    const Imported imported = import_bytes(text);
    EXPECT_TRUE(imported.report.is_complete()) << comm << first_note(imported);
    EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), text) << comm;
    // line by line
    const Imported slow = import_bytes(replaced(text, "PFN 0x1 ", "SLAB_PAGE x\nPFN 0x1 "));
    EXPECT_EQ(test::reported(slow.snapshot, POBPF_MODE_STACK), text) << comm;
  }
}

TEST(ImportHostile, ANameThatIsTooLongOrHasNulIsRefused) {
  for (const std::string& comm : {std::string("0123456789abcdef"), std::string("a\0b", 3)}) {
    const Imported imported = import_bytes(record(comm) + record());
    EXPECT_EQ(imported.report.nr_pages, 1);
    EXPECT_EQ(imported.report.nr_dropped_records, 1);
    EXPECT_EQ(first_note(imported), "1: the first line is not understood");
  }
}

TEST(ImportHostile, NumbersThatAreTooLargeAreRefused) {
  const std::pair<const char*, const char*> numbers[] = {{"order 0", "order 65536"},
                                                         {"0xcc0", "0x100000000"},
                                                         {"pid 1,", "pid 2147483648,"},
                                                         {"PFN 0x1", "PFN 0x10000000000000000"}};
  for (const auto& [old, by] : numbers) {
    const Imported imported = import_bytes(replaced(record(), old, by) + record());
    EXPECT_EQ(imported.report.nr_pages, 1) << by;
    EXPECT_EQ(imported.report.nr_dropped_records, 1) << by;
  }
}

/// As quoted-printable mails have them where a line goes on.
TEST(ImportHostile, NamesWithSomethingInBetweenAreNoNames) {
  for (const auto& [old, by] :
       {std::pair("(GFP_KERNEL)", "(GFP_= KERNEL)"), std::pair("(GFP_KERNEL)", "(GFP_=\nKERNEL)"),
        std::pair("(node=0|", "(no=\nde=0|")}) {
    const Imported imported = import_bytes(replaced(record(), old, by) + record());
    EXPECT_EQ(imported.report.nr_pages, 1) << by;
    EXPECT_EQ(imported.report.nr_dropped_records, 1) << by;
  }
}

TEST(ImportHostile, WhatContradictsEarlierRecordsIsLeftOut) {
  const std::pair<const char*, const char*> changes[] = {
      {"(GFP_KERNEL)", "(GFP_USER)"},
      {"type Unmovable Block", "type Movable Block"},
      {"node=0", "node=1"},
      {"Block 0", "Block 7"}};
  for (const auto& [old, by] : changes) {
    const Imported imported = import_bytes(record() + replaced(record(), old, by) + record());
    EXPECT_EQ(imported.report.nr_pages, 2) << by;
    EXPECT_THAT(first_note(imported), ::testing::StartsWith("6: its ")) << by;
  }
  const std::string numbered = replaced(record(), "\n\n", "\nhandle: 9\n\n");
  const Imported imported = import_bytes(numbered + replaced(numbered, "b+0x1", "c+0x1"));
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_EQ(first_note(imported), "7: its handle is the number of another stack");
}

TEST(ImportHostile, AMillionFrames) {
  std::string text = record();
  std::string frames;
  for (int i = 0; i < 1'000'000; ++i) frames += " a+0x1/0x2\n";
  const Imported imported = import_bytes(replaced(text, " b+0x1/0x2\n", frames) + record());
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_EQ(first_note(imported), "1: a stack of over 512 frames");
}

/// Windows of the text end anywhere in a record, and a stack that goes on is like the last.
TEST(ImportHostile, LineNumbersAreRightInALongText) {
  constexpr std::size_t kWindowBytes = std::size_t{512} << 10;
  std::string frames;
  for (int i = 0; i < 12; ++i) frames += " f" + std::to_string(i) + "+0x1/0x2\n";
  const std::string one = replaced(record(), " a+0x1/0x2\n b+0x1/0x2\n", frames);
  std::string text;
  while (text.size() < 8 * kWindowBytes) text += one;
  const auto nr_lines = std::count(text.begin(), text.end(), '\n');
  const Imported imported = import_bytes(text + "strange\n" + one);
  EXPECT_EQ(first_note(imported), std::to_string(nr_lines + 1) + ": not understood");
  EXPECT_EQ(imported.report.nr_lines, nr_lines + 16);
}

/// Stacks that a hash of no secret, as this was until it was known, has one value for.
std::string colliding_records(std::size_t nr_records) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
  constexpr std::string_view kEnd = "+0x1/0x2\n";
  std::string text;
  for (std::size_t i = 0, n = 0; n < nr_records; ++i) {
    std::string first = " ";
    for (unsigned digit = 0; digit < 7; ++digit) first += kLetters[i >> (6 * digit) & 63];
    std::uint64_t word = 0;
    std::memcpy(&word, first.data(), sizeof(word));
    std::uint64_t hash = ((16 + kEnd.size()) * kMultiplier ^ word) * kMultiplier;
    hash ^= hash >> 29;
    hash ^= 0x6161616161616161;
    std::string second(sizeof(hash), '\0');
    std::memcpy(second.data(), &hash, sizeof(hash));
    if (second.find_first_of(std::string_view("\n \t\r\0+[]:", 9)) != std::string::npos) continue;
    ++n;
    text += replaced(record(), " a+0x1/0x2\n b+0x1/0x2\n", first + second + std::string(kEnd));
  }
  return text;
}

std::string ordinary_records(std::size_t nr_records) {
  std::string text;
  for (std::size_t i = 0; i < nr_records; ++i)
    text += replaced(record(), " a+0x1/0x2\n b+0x1/0x2\n", fmt::format(" f{:015}+0x1/0x2\n", i));
  return text;
}

/// Measures time of the CPU, which other processes do not change.
std::clock_t time_of_import(const std::string& text, std::size_t nr_stacks) {
  const std::clock_t begin = std::clock();
  EXPECT_EQ(import_bytes(text).report.nr_stacks, nr_stacks);
  return std::clock() - begin;
}

TEST(ImportHostile, StacksThatAreMadeToCollideTakeNoLonger) {
  constexpr std::size_t kNrRecords = 30000;
  const std::clock_t ordinary = time_of_import(ordinary_records(kNrRecords), kNrRecords);
  const std::clock_t colliding = time_of_import(colliding_records(kNrRecords), kNrRecords);
  // a hundred times as long, if each was compared with all before it
  EXPECT_LT(colliding, 10 * ordinary);
}

TEST(ImportHostile, BytesThatAreNoText) {
  std::string bytes;
  std::mt19937 random(std::mt19937::default_seed);  // the same each time
  while (bytes.size() < 300000) bytes += static_cast<char>(random());
  const Imported imported = import_bytes("x" + bytes + "\n\n" + record());
  EXPECT_EQ(imported.report.nr_pages, 1);
  EXPECT_GT(imported.report.nr_unknown_lines, 0);
  EXPECT_TRUE(import_bytes("").report.is_empty());
  EXPECT_TRUE(import_bytes("\n\n\n").report.is_complete());
}

/// Every prefix and every changed byte of a few dialects: no crash, and all lines are read.
TEST(ImportHostile, DamagedTexts) {
  const std::string text =
      record("a\nb") + "12 times, 3 pages:\n" + record() +
      "[    1.5] page:0 pfn:0x12\n[    1.5] page last allocated via order 0, "
      "migratetype Movable, gfp_mask 0x8(), pid 1, tgid 1 (x), ts 1, free_ts 0\n"
      "[    1.5]  a+0x1\n\nhandle: 1\nnr_base_pages: 2\n\n"
      "PFN 16(0x10) paddr 10000 page_owner ff\n" +
      record();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    for (const char c : {'\n', ')'}) {
      if (c == ')' && i % 4 != 0) continue;
      changed[i] = c;
      const Imported imported = import_bytes(changed);
      EXPECT_FALSE(imported.error);
      EXPECT_EQ(imported.report.nr_bytes, text.size());
      EXPECT_EQ(imported.report.nr_lines, std::count(changed.begin(), changed.end(), '\n') +
                                              (changed.back() == '\n' ? 0 : 1));
    }
    EXPECT_FALSE(import_bytes(text.substr(0, i)).error);
  }
}

std::string gzip(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string xz(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

using Compress = std::function<std::string(const std::string&)>;
const std::vector<Compress>& formats() {
  static const std::vector<Compress> compressors = {gzip, xz, zstd};
  return compressors;
}

TEST(ImportCompressed, IsTheSame) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += record("init", 1 + i % 9);
  for (const Compress& compress : formats()) {
    EXPECT_TRUE(import_bytes(compress(text)).snapshot == import_bytes(text).snapshot);
    // several in a row are one text
    EXPECT_EQ(import_bytes(compress(record()) + compress(record())).report.nr_pages, 2);
  }
}

TEST(ImportCompressed, WhatIsCutOffOrDamagedIsAnError) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += record("init", 1 + i % 9);
  for (const Compress& compress : formats()) {
    const std::string whole = compress(text);
    for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{7}}) {
      const Imported imported = import_bytes(whole.substr(0, size));
      ASSERT_TRUE(imported.error);
      EXPECT_THAT(imported.error->what, EndsWith("damaged or cut off"));
    }
    std::string damaged = whole;
    damaged[damaged.size() / 2] = static_cast<char>(~damaged[damaged.size() / 2]);
    EXPECT_TRUE(import_bytes(damaged).error);
    EXPECT_TRUE(import_bytes(whole + "garbage").error);
  }
}

/// Much of one line, of empty lines, of frames without end, in a few kilobytes.
TEST(ImportCompressed, ABombTakesLittleMemory) {
  for (const std::string& piece :
       {std::string(1 << 20, '\0'), std::string(1 << 20, '\n'), std::string(" a+0x1/0x2\n")}) {
    std::string text;
    while (text.size() < (std::size_t{1} << 20)) text += piece;
    const std::string megabyte = zstd(text);
    std::string bomb;
    const std::size_t nr_mib = kIsSanitized ? 1 : 16;
    for (std::size_t i = 0; i < nr_mib; ++i) bomb += megabyte;
    const MemoryPeak peak;
    const Imported imported = import_bytes(bomb);
    EXPECT_FALSE(imported.error);
    EXPECT_GE(imported.report.nr_bytes, nr_mib << 20);
    if (!kIsSanitized) {
      EXPECT_LT(peak.risen_kib(), 8 << 10);
    }
  }
}

/// A window of more than there is memory for is refused, whatever is in it.
TEST(ImportCompressed, TooLargeAWindowIsRefused) {
  std::string text(1 << 16, 'x');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_continue);
  ZSTD_compressStream2(context, &output, &input, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  const Imported imported = import_bytes(std::string_view(out).substr(0, output.pos));
  ASSERT_TRUE(imported.error);
  EXPECT_EQ(imported.error->what, "the zstd data needs too much memory");
}

}  // namespace
}  // namespace pobpf
