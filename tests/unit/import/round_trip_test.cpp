// SPDX-License-Identifier: GPL-2.0-only
// The text of kernels from 5.18 to 7.3 comes back byte for byte.
#include <gtest/gtest.h>

#include <random>

#include "../format/kernel_facts_samples.h"
#include "imported.h"

namespace pobpf {
namespace {

/// All ways in which kernels print records, whatever else differs.
constexpr TextLayout kLayouts[] = {{true, true}, {false, true}, {false, false}, {true, false}};

/// Facts of a kernel that prints all that there is.
KernelFacts facts_of(const TextLayout& layout) {
  KernelFacts facts = samples::android_6_12();
  facts.page_flag_fields[1] = {10, 50, 0x3ff, "node"};
  facts.page_flag_fields[3] = {14, 20, 0x3fff, "lastcpupid", true};
  facts.text_layout = layout;
  return facts;
}

/// Pages as kernels have them, with names of tasks and cgroups that are meant to mislead.
class LikelyPages {
 public:
  explicit LikelyPages(std::uint64_t seed) : random_(seed) {
    for (std::uint32_t handle = 1; handle <= kNrStacks; ++handle)
      context.add_stack(handle, stack(handle));
    context.cgroups = {
        {1, "/"}, {2, "user.slice"}, {3, "offline memcg /"}, {4, "a b "}, {5, "\xff"}};
  }

  std::string text(std::size_t nr_pages, const KernelFacts& facts, pobpf_mode mode) {
    const auto formatter = make_kernel_text_formatter(facts, mode, CommStyle::kRaw).value();
    std::string text;
    for (std::size_t i = 0; i < nr_pages; ++i) {
      auto status = formatter->append(next(), context, text);
      EXPECT_TRUE(status);
    }
    return text;
  }

  samples::MadeUpContext context;

 private:
  static constexpr std::uint32_t kNrStacks = 40;

  std::vector<std::string> stack(std::uint32_t handle) {
    std::vector<std::string> frames(1 + handle % 16);
    for (std::string& frame : frames) {
      frame = "f" + std::to_string(random_() % 30) + ".isra.0+0x" + std::to_string(random_() % 90) +
              "/0x100";
      if (random_() % 5 == 0) frame += " [ext4]";
      if (random_() % 20 == 0) frame = "0xffffffffc0123456";
    }
    return frames;
  }

  pobpf_page next() {
    static const std::vector<std::string> names = {
        "",         "init", "a b",      "x), ts 1 ns\nPFN", "a\n\nb",
        "(sd-pam)", ") (",  "\x1b[31m", "), ts 1 ns",       "Page allocated "};
    if (page_.kind != 0 && random_() % 3 != 0) {
      ++page_.pfn;
      page_.ts_nsec += random_() % 100000;
      return page_;
    }
    page_ = {};
    page_.kind = POBPF_ITEM_PAGE;
    page_.order = static_cast<__u16>(random_() % 11);
    page_.gfp_mask = static_cast<__u32>(random_() % 64 * 0x40 + random_() % 4 * 8);
    page_.pid = static_cast<__s32>(random_() % 40000);
    page_.tgid = static_cast<__s32>(random_());
    samples::set_comm(page_, names[random_() % names.size()].substr(0, 15));
    page_.ts_nsec = random_() >> random_() % 60;
    page_.free_ts_nsec = random_() % 2 == 0 ? 0 : random_() >> 10;
    page_.pfn = random_() >> (24 + random_() % 30);
    page_.flags = (random_() & 0x3ff) | random_() % 3 << 50 | random_() % 8 << 20;
    page_.pageblock_migratetype = static_cast<__u8>(random_() % 6);
    page_.last_migrate_reason = static_cast<__s16>(static_cast<int>(random_() % 4) - 1);
    page_.handle = 1 + static_cast<__u32>(random_() % kNrStacks);
    page_.memcg_flags = static_cast<__u8>(random_() & (POBPF_MEMCG_SLAB | POBPF_MEMCG_CHARGED));
    if ((page_.memcg_flags & POBPF_MEMCG_CHARGED) != 0) {
      page_.memcg_flags |= static_cast<__u8>(random_() & (POBPF_MEMCG_OBJCG | POBPF_MEMCG_OFFLINE));
      page_.cgroup_id = 1 + random_() % 5;
    }
    return page_;
  }

  std::mt19937_64 random_;
  pobpf_page page_{};
};

TEST(ImportRoundTrip, TheTextComesBack) {
  for (const TextLayout& layout : kLayouts)
    for (const pobpf_mode mode : {POBPF_MODE_STACK, POBPF_MODE_HANDLE, POBPF_MODE_STACK_HANDLE}) {
      SCOPED_TRACE(::testing::Message()
                   << "PFN in decimal: " << layout.is_pfn_decimal
                   << ", free_ts: " << layout.shows_free_ts << ", mode " << mode);
      const KernelFacts facts = facts_of(layout);
      const std::string text = LikelyPages(7).text(20000, facts, mode);
      const auto imported = test::import_bytes(text);
      ASSERT_FALSE(imported.error);
      EXPECT_EQ(imported.report.nr_pages, 20000);
      EXPECT_TRUE(imported.report.is_complete())
          << imported.report.notes[0].line << ": " << imported.report.notes[0].what;
      EXPECT_TRUE(test::reported(imported.snapshot, mode) == text);
    }
}

/// A text of several kernels, or one that somebody has put together.
TEST(ImportRoundTrip, LayoutsThatChangeComeBack) {
  LikelyPages pages(11);
  std::string text;
  for (std::size_t i = 0; i < 40; ++i)
    text += pages.text(1 + i % 3, facts_of(kLayouts[i % std::size(kLayouts)]), POBPF_MODE_STACK);
  const auto imported = test::import_bytes(text);
  EXPECT_TRUE(imported.report.is_complete());
  EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), text);
}

/// A debugger tells no names; the kernel does, further down.
TEST(ImportRoundTrip, NamesThatComeLaterAreShownFromThenOn) {
  const auto record = [](const char* head, const char* flags) {
    return std::string("Page allocated via order 0, mask ") + head +
           "\nPFN 0x1 type Unmovable Block 0 type Unmovable Flags " + flags + "\n f+0x1/0x2\n\n";
  };
  const std::string text = record("0xcc0, pid 1", "0x1") + record("0x140", "0x2") +
                           record("0xcc0(GFP_KERNEL), pid 1", "0x1(locked|zone=1)");
  const auto imported = test::import_bytes(text);
  EXPECT_TRUE(imported.report.is_complete());
  EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), text);
}

TEST(ImportRoundTrip, SeveralBlocksComeBackInTheirOrder) {
  const KernelFacts facts = facts_of(kLayouts[2]);
  const std::string text = LikelyPages(9).text(150000, facts, POBPF_MODE_STACK);
  const auto imported = test::import_bytes(text);
  EXPECT_EQ(imported.report.nr_pages, 150000);
  EXPECT_TRUE(test::reported(imported.snapshot, POBPF_MODE_STACK) == text);
}

/// The way line by line and the way of whole records understand the same.
TEST(ImportRoundTrip, QuotedTextIsThatText) {
  const KernelFacts facts = facts_of(kLayouts[2]);
  LikelyPages pages(3);
  std::string text = pages.text(2000, facts, POBPF_MODE_STACK);
  std::string quoted;
  // names with line ends cannot be told apart from wrapped lines
  for (std::size_t at = 0;
       (at = text.find("\n\nPage"), at != std::string::npos) && !text.empty();) {
    const std::string record = text.substr(0, at + 2);
    text.erase(0, at + 2);
    if (record.find("a\n\nb") != std::string::npos ||
        record.find("ns\nPFN), ts") != std::string::npos)
      continue;
    quoted += record;
  }
  std::string with_marks;
  for (std::size_t at = 0; at < quoted.size();) {
    const std::size_t end = quoted.find('\n', at) + 1;
    with_marks += "> " + quoted.substr(at, end - at);
    at = end;
  }
  const auto imported = test::import_bytes(with_marks);
  EXPECT_TRUE(imported.report.is_complete())
      << imported.report.notes[0].line << ": " << imported.report.notes[0].what;
  EXPECT_GT(imported.report.nr_pages, 1000);
  EXPECT_EQ(test::reported(imported.snapshot, POBPF_MODE_STACK), quoted);
}

}  // namespace
}  // namespace pobpf
