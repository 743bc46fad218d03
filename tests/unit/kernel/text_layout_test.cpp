// SPDX-License-Identifier: GPL-2.0-only
// The decoders are judged by what an assembler made: of each piece of code its source stands beside
// its bytes, which `clang -target x86_64-linux-gnu` (or aarch64-linux-gnu) and `llvm-objdump -d`
// show.
#include "kernel/text_layout.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string_view>

#include "kernel/symbol_list.h"

namespace pobpf {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kCode = 0xffffffff81000000;
constexpr AddressRange kStrings{0xffffffff82000000, 0xffffffff82100000};

Bytes bytes_of(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// Instructions of arm64, as words.
Bytes bytes_of_words(std::initializer_list<std::uint32_t> words) {
  Bytes bytes(words.size() * sizeof(std::uint32_t));
  std::memcpy(bytes.data(), words.begin(), bytes.size());
  return bytes;
}

const Bytes kX86Code = bytes_of({
    0xf3, 0x0f, 0x1e, 0xfa,                                // endbr64
    0x53,                                                  // push %rbx
    0x48, 0xc7, 0xc6, 0x40, 0x00, 0x00, 0x82,              // mov $0xffffffff82000040,%rsi
    0xbf, 0x00, 0x10, 0x00, 0x00,                          // mov $0x1000,%edi
    0x49, 0x89, 0xf1,                                      // mov %rsi,%r9
    0x48, 0x8d, 0x15, 0xe0, 0x0f, 0x00, 0x01,              // lea 0x1000fe0(%rip),%rdx
    0x49, 0xc7, 0xc0, 0xff, 0xff, 0x0f, 0x82,              // mov $0xffffffff820fffff,%r8
    0x49, 0xc7, 0xc2, 0x00, 0x00, 0x10, 0x82,              // mov $0xffffffff82100000,%r10
    0x48, 0xc7, 0x44, 0x24, 0x10, 0x00, 0x02, 0x00, 0x82,  // movq $0xffffffff82000200,0x10(%rsp)
    0x48, 0x8d, 0x05, 0xe0, 0xff, 0xff, 0xff,              // lea -0x20(%rip),%rax
    0xc3,                                                  // ret
});

TEST(AddressesInCode, OfX86AreImmediatesAndRelativeToTheNextInstruction) {
  EXPECT_EQ(addresses_in_code(CodeArch::kX86_64, kX86Code, kCode, kStrings),
            (std::vector<std::uint64_t>{0xffffffff82000040, 0xffffffff82000200, 0xffffffff82000ffb,
                                        0xffffffff820fffff}));
  EXPECT_EQ(addresses_in_code(CodeArch::kX86_64, kX86Code, kCode, {kCode + 20, kCode + 30}),
            std::vector<std::uint64_t>{kCode + 25});
}

const Bytes kArm64Code = bytes_of_words({
    0xd503245f,  // bti c
    0x90008001,  // adrp x1, #0x1000000
    0xaa0003f3,  // mov x19, x0
    0xb0008002,  // adrp x2, #0x1001000
    0x91010021,  // add x1, x1, #0x40
    0x52820000,  // mov w0, #0x1000
    0x9108d043,  // add x3, x2, #0x234
    0x110c0044,  // add w4, w2, #0x300
    0x91400445,  // add x5, x2, #0x1, lsl #12
    0x910040e6,  // add x6, x7, #0x10
    0xf0ffffe7,  // adrp x7, #-0x1000
    0x910020e7,  // add x7, x7, #0x8
    0xf00087e8,  // adrp x8, #0x10ff000
    0x91000108,  // add x8, x8, #0x0
    0xd00087e9,  // adrp x9, #0x10fe000
    0x913ffd29,  // add x9, x9, #0xfff
    0xd65f03c0,  // ret
});

TEST(AddressesInCode, OfArm64ArePagesAndWhatIsAddedToThem) {
  // the second adrp is the first in its page
  constexpr std::uint64_t kAt = kCode + 0xff4;
  EXPECT_EQ(
      addresses_in_code(CodeArch::kArm64, kArm64Code, kAt, kStrings),
      (std::vector<std::uint64_t>{0xffffffff82000040, 0xffffffff82002234, 0xffffffff820fffff}));
  EXPECT_EQ(addresses_in_code(CodeArch::kArm64, kArm64Code, kAt, {kCode, kCode + 0x1000}),
            std::vector<std::uint64_t>{kCode + 8});
}

/// Whatever the bytes are, an answer lies in the range and none is read past the end.
TEST(AddressesInCode, OfAnyBytesLieInTheRange) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 600; ++size) {
    Bytes code(size);
    for (std::byte& value : code) value = static_cast<std::byte>(random());
    for (const CodeArch arch : {CodeArch::kX86_64, CodeArch::kArm64})
      for (const AddressRange& wanted : {kStrings, {0, UINT64_MAX}, {kCode, kCode}})
        for (const std::uint64_t found : addresses_in_code(arch, code, kCode, wanted)) {
          EXPECT_GE(found, wanted.begin);
          EXPECT_LT(found, wanted.end);
        }
  }
}

constexpr const char* kHeader =
    "Page allocated via order %u, mask %#x(%pGg), pid %d, tgid %d (%s), ts %llu ns\n";
constexpr const char* kHeaderFreeTs =
    "Page allocated via order %u, mask %#x(%pGg), pid %d, tgid %d (%s), ts %llu ns, free_ts %llu "
    "ns\n";
constexpr const char* kHeaderOf515 =
    "Page allocated via order %u, mask %#x(%pGg), pid %d, ts %llu ns, free_ts %llu ns\n";
constexpr const char* kHeaderWithComm =
    "Page allocated via order %u, mask %#x(%pGg), pid %d (%s), ts %llu ns\n";
constexpr const char* kHeaderWithTgid =
    "Page allocated via order %u, mask %#x(%pGg), pid %d, tgid %d, ts %llu ns\n";
constexpr PageFields kComm = PageFields{} | PageField::kComm;
constexpr PageFields kTgid = PageFields{} | PageField::kTgid;
constexpr PageFields kTask = kComm | kTgid;
constexpr const char* kDecimal = "PFN %lu type %s Block %lu type %s Flags %pGp\n";
constexpr const char* kHex = "PFN 0x%lx type %s Block %lu type %s Flags %pGp\n";
constexpr const char* kCharged = "Charged %sto %smemcg %s\n";
constexpr const char* kMigrated = "Page has been migrated, last migrate reason: %s\n";

TEST(TextFunctions, AreKnownByTheirNamesInTheSource) {
  for (const char* symbol :
       {"read_page_owner", "print_page_owner.isra.0", "print_page_owner.part.0.constprop.0",
        "read_page_owner.cold", "print_page_owner_memcg.isra.0"})
    EXPECT_TRUE(is_text_function(name_in_source(symbol))) << symbol;
  for (const char* symbol : {"__pfx_read_page_owner", "print_page_owner_stack", ".read_page_owner"})
    EXPECT_FALSE(is_text_function(name_in_source(symbol))) << symbol;
}

/// The code and the strings of an x86-64 kernel.
class MadeUpKernel {
 public:
  MadeUpKernel() : strings(kStrings.end - kStrings.begin, std::byte{'x'}) {
    symbols = {{"__start_rodata", kStrings.begin},
               {"__end_rodata", kStrings.end},
               {"read_page_owner", kCode}};
  }

  /// A string, and where it is.
  std::uint64_t put(std::string_view string) {
    const std::uint64_t address = kStrings.begin + next_;
    std::memcpy(&strings[next_], string.data(), string.size());
    strings[next_ + string.size()] = std::byte{0};
    next_ += string.size() + 1;
    return address;
  }
  /// Code that refers to it: mov $address,%rsi; nop.
  void refer(std::uint64_t address, std::uint64_t function = kCode) {
    const auto low = static_cast<std::uint32_t>(address);
    Bytes& code = codes[function];
    for (const unsigned value : {0x48U, 0xc7U, 0xc6U, low, low >> 8, low >> 16, low >> 24, 0x90U})
      code.push_back(static_cast<std::byte>(value));
  }
  void use(std::string_view string, std::uint64_t function = kCode) {
    refer(put(string), function);
  }

  Result<TextLayout> layout(CodeArch arch = CodeArch::kX86_64, PageFields missing = 0) {
    for (auto& [address, code] : codes) code.resize((code.size() / 4096 + 1) * 4096);
    const auto symbol = [this](const std::string& name) -> std::optional<std::uint64_t> {
      const auto found = symbols.find(name);
      if (found == symbols.end()) return std::nullopt;
      return found->second;
    };
    const auto functions = [this]() -> Result<std::vector<AddressRange>> {
      ++nr_lists;
      if (is_list_refused) return fail(ErrorKind::kUnsupported, "symbols cannot be listed");
      if (listed) return *listed;
      std::vector<AddressRange> ranges;
      for (const auto& [address, code] : codes) ranges.push_back({address, address + code.size()});
      return ranges;
    };
    const auto read = [this](std::uint64_t address, std::size_t size) -> Result<Bytes> {
      ++nr_reads;
      for (const auto& [begin, code] : codes)
        if (address >= begin && address < begin + code.size())
          return slice(code, address - begin, size);
      if (address >= kStrings.begin) return slice(strings, address - kStrings.begin, size);
      return fail(ErrorKind::kFailed, "it cannot be read");
    };
    return find_text_layout({symbol, functions, read}, missing, arch);
  }
  std::string why_not() {
    const auto found = layout();
    return found ? "it is known" : found.error().what;
  }

  std::map<std::string, std::uint64_t> symbols;
  std::map<std::uint64_t, Bytes> codes;  // by address
  Bytes strings;
  /// Functions as a pass over all symbols finds them; no value: all of `codes`.
  std::optional<std::vector<AddressRange>> listed;
  bool is_list_refused = false;
  int nr_reads = 0;
  int nr_lists = 0;

 private:
  static Result<Bytes> slice(const Bytes& bytes, std::uint64_t at, std::size_t size) {
    if (at > bytes.size() || size > bytes.size() - at)
      return fail(ErrorKind::kFailed, "it cannot be read");
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    return Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
  }

  std::size_t next_ = 0;
};

TEST(TextLayout, IsThatOfTheFormatStrings) {
  struct Case {
    const char* header;
    const char* pfn;
    const char* last;
    TextLayout layout;
    PageFields missing = 0;
  };
  for (const Case& now : {Case{kHeaderFreeTs, kDecimal, kCharged, {true, true}},  // 6.1
                          Case{kHeaderFreeTs, kHex, kCharged, {false, true}},     // 6.6
                          Case{kHeader, kHex, kCharged, {false, false}},          // 6.8, RHEL 9.5
                          Case{kHeader, kDecimal, kCharged, {true, false}},       // RHEL 9.4
                          Case{kHeader, kHex, kMigrated, {false, false, true}},
                          Case{kHeaderOf515, kDecimal, kMigrated, {true, true, true}, kTask},
                          // each by itself
                          Case{kHeaderOf515, kDecimal, kCharged, {true, true}, kTask},
                          Case{kHeaderWithComm, kHex, kCharged, {false, false}, kTgid},
                          Case{kHeaderWithTgid, kHex, kCharged, {false, false}, kComm},
                          // hidden by --no-feature
                          Case{kHeader, kHex, kCharged, {false, false}, kTask}}) {
    SCOPED_TRACE(std::string(now.header) + now.pfn + now.last);
    MadeUpKernel kernel;
    for (const char* string : {"%s", now.header, now.pfn, now.last}) kernel.use(string);
    const auto layout = kernel.layout(CodeArch::kX86_64, now.missing);
    ASSERT_TRUE(layout) << layout.error().what;
    EXPECT_EQ(*layout, now.layout);
    // the code, and each string that it refers to; what was not seen is looked for once more
    EXPECT_EQ(kernel.nr_lists, now.last == kCharged ? 0 : 1);
    EXPECT_EQ(kernel.nr_reads, 1 + 4 + kernel.nr_lists);
  }
}

TEST(TextLayout, IsFoundInEitherFunction) {
  for (const bool is_inlined : {true, false}) {
    constexpr std::uint64_t kPrint = kCode + 0x10000;
    MadeUpKernel kernel;
    if (!is_inlined) kernel.symbols["print_page_owner"] = kPrint;
    for (const char* string : {kHeaderFreeTs, kHex, kCharged})
      kernel.use(string, is_inlined ? kCode : kPrint);
    kernel.use("%s", kCode);
    EXPECT_EQ(kernel.layout().value(), (TextLayout{false, true}));
    if (is_inlined) continue;
    kernel.symbols.erase("read_page_owner");
    EXPECT_EQ(kernel.layout().value(), (TextLayout{false, true}));
  }
}

TEST(TextLayout, IsFoundInFunctionsThatTheSymbolsDoNotLeadTo) {
  MadeUpKernel kernel;
  kernel.use("%s");
  // print_page_owner.isra.0 and print_page_owner_memcg
  for (const char* string : {kHeaderFreeTs, kHex}) kernel.use(string, kCode + 0x10000);
  kernel.use(kCharged, kCode + 0x20000);
  EXPECT_EQ(kernel.layout().value(), (TextLayout{false, true}));
  EXPECT_EQ(kernel.nr_lists, 1);
}

TEST(TextLayout, IsFoundInLongCode) {
  // that of the last string lies before, on and behind the border of what is read at once
  for (std::size_t nr_before = 4096 - 30; nr_before < 4096 + 10; ++nr_before) {
    SCOPED_TRACE(nr_before);
    MadeUpKernel kernel;
    kernel.codes[kCode].resize(nr_before);
    for (const char* string : {kHeader, kDecimal, kCharged}) kernel.use(string);
    EXPECT_EQ(kernel.layout().value(), (TextLayout{true, false}));
  }
}

TEST(TextLayout, IsNotLookedForBehindAFunction) {
  MadeUpKernel kernel;
  for (const char* string : {kHeader, kDecimal}) kernel.use(string);
  kernel.codes[kCode].resize(5000);
  kernel.use(kCharged);
  kernel.listed = {{kCode, kCode + 4500}};
  EXPECT_EQ(kernel.layout().value(), (TextLayout{true, false, true}));
}

TEST(TextLayout, IsNotKnownWhereNotAllCodeWasSeen) {
  for (const std::size_t nr_before : {32668UL, 32768UL}) {
    MadeUpKernel kernel;
    for (const char* string : {kHeader, kDecimal}) kernel.use(string);
    kernel.codes[kCode].resize(nr_before);
    kernel.use(kCharged);
    EXPECT_EQ(kernel.why_not(),
              nr_before < 32768 ? "it is known" : "the code of read_page_owner() cannot be read");
  }
}

TEST(TextLayout, FunctionsAreListedOnlyWhereStringsAreMissing) {
  for (const bool is_charged : {false, true}) {
    MadeUpKernel kernel;
    for (const char* string : {kHeader, kDecimal}) kernel.use(string);
    if (is_charged) kernel.use(kCharged);
    kernel.is_list_refused = true;
    EXPECT_EQ(kernel.why_not(), is_charged ? "it is known" : "symbols cannot be listed");
  }
}

TEST(TextLayout, IsNotKnownWithoutSymbols) {
  for (const auto& [symbol, why] :
       {std::pair("__start_rodata", "the symbol table does not say where the kernel's strings are"),
        {"__end_rodata", "the symbol table does not say where the kernel's strings are"},
        {"read_page_owner", "the code of read_page_owner() cannot be read"}}) {
    MadeUpKernel kernel;
    kernel.use(kHeader);
    kernel.use(kHex);
    kernel.symbols.erase(symbol);
    kernel.listed.emplace();
    EXPECT_EQ(kernel.why_not(), why);
  }
  MadeUpKernel kernel;
  std::swap(kernel.symbols["__start_rodata"], kernel.symbols["__end_rodata"]);
  EXPECT_FALSE(kernel.layout());
}

TEST(TextLayout, IsNotKnownWhereCodeCannotBeRead) {
  MadeUpKernel kernel;
  kernel.symbols["read_page_owner"] = kCode + 1;
  EXPECT_EQ(kernel.why_not(), "the code of read_page_owner() cannot be read");
}

TEST(TextLayout, IsNotKnownOfHalfOfTheStrings) {
  for (const char* string : {kHeader, kHex}) {
    MadeUpKernel kernel;
    kernel.use(string);
    EXPECT_EQ(kernel.why_not(), "the format strings of page_owner are not understood");
  }
  MadeUpKernel kernel;
  kernel.use(kMigrated);
  EXPECT_EQ(kernel.why_not(), "no format string was found in the code of page_owner");
}

TEST(TextLayout, IsNotKnownOfStringsThatDisagree) {
  for (const char* other : {kDecimal, kHeaderFreeTs}) {
    MadeUpKernel kernel;
    for (const char* string : {kHeader, kHex, other}) kernel.use(string);
    EXPECT_EQ(kernel.why_not(), "the format strings of page_owner are not understood");
  }
  // the same twice, as a compiler that copies code may have it
  MadeUpKernel kernel;
  for (const char* string : {kHeader, kHex, kHeader, kHex}) kernel.use(string);
  EXPECT_EQ(kernel.layout().value(), (TextLayout{false, false, true}));
}

/// A line that is not as those that are known would be printed wrong.
TEST(TextLayout, IsNotKnownOfAnotherHeader) {
  for (const char* header :
       {"Page allocated via order %u, mask %#x(%pGg), pid %d, tgid %d (%s), ts %llu ns, colour "
        "%d\n",
        kHeaderWithComm, kHeaderWithTgid,
        "Page allocated via order %u, mask 0x%x, pid %d, tgid %d (%s), ts %llu ns\n",
        kHeaderOf515}) {
    MadeUpKernel kernel;
    kernel.use(header);
    kernel.use(kHex);
    EXPECT_EQ(kernel.why_not(), "the format strings of page_owner are not understood");
  }
  for (const PageFields missing : {kComm, kTgid}) {
    MadeUpKernel kernel;
    kernel.use(kHeaderOf515);
    kernel.use(kHex);
    EXPECT_FALSE(kernel.layout(CodeArch::kX86_64, missing));
  }
}

TEST(TextLayout, IsNotKnownOfOtherLinesAboutCgroups) {
  for (const char* other : {"Charged %sto %smemcg %s (%d)\n", "Charged to %s\n"}) {
    MadeUpKernel kernel;
    for (const char* string : {kHeader, kHex, other}) kernel.use(string);
    EXPECT_EQ(kernel.why_not(), "the format strings of page_owner are not understood");
  }
}

TEST(TextLayout, StringsCountFromTheirFirstByteOn) {
  MadeUpKernel kernel;
  kernel.use(kHeader);
  kernel.use(kHex);
  // only their middles are like those
  kernel.use("last PFN %lu type %s\n");
  kernel.refer(kernel.put(kHeaderFreeTs) + 1);
  kernel.refer(kernel.put(kDecimal) + 4);
  EXPECT_EQ(kernel.layout().value(), (TextLayout{false, false, true}));
}

TEST(TextLayout, StringsWithoutAnEndAreNone) {
  MadeUpKernel kernel;
  kernel.use(kHeader);
  kernel.use(kHex);
  kernel.use("PFN %lu type " + std::string(1000, 'x'));
  // the last bytes of all
  constexpr std::string_view kCut = "PFN %lu type ";
  const std::size_t at = kernel.strings.size() - kCut.size();
  std::memcpy(&kernel.strings[at], kCut.data(), kCut.size());
  kernel.refer(kStrings.begin + at);
  EXPECT_EQ(kernel.layout().value(), (TextLayout{false, false, true}));
}

TEST(TextLayout, SurvivesCodeOfAnyBytes) {
  std::mt19937 random(2);
  for (int turn = 0; turn < 20; ++turn) {
    MadeUpKernel kernel;
    Bytes& code = kernel.codes[kCode];
    for (int i = 0; i < 4096; ++i) code.push_back(static_cast<std::byte>(random()));
    for (std::byte& value : kernel.strings) value = static_cast<std::byte>(random());
    EXPECT_FALSE(kernel.layout(CodeArch::kX86_64));
    EXPECT_FALSE(kernel.layout(CodeArch::kArm64));
  }
}

}  // namespace
}  // namespace pobpf
