// SPDX-License-Identifier: GPL-2.0-only
// Files that are damaged, or made to do harm: an error, never a crash, within bounded memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <functional>

#include "../util/memory_peak.h"
#include "made_up_pages.h"
#include "read_snapshot.h"
#include "snapshot/format.h"
#include "snapshot/frame_writer.h"
#include "snapshot/header_message.h"
#include "snapshot/numbers.h"
#include "snapshot/text_list.h"

namespace pobpf {
namespace {

using test::is_same;
using test::made_snapshot;
using test::RandomPages;
using test::read_snapshot;
using ::testing::HasSubstr;
using Change = std::function<void(snapshot::Pages&)>;

/// The field that holds these texts.
std::string list(std::initializer_list<std::string_view> texts) {
  std::string field;
  for (const std::string_view text : texts) append_to_list(field, text, text.size());
  return field;
}

/// A small file, item by item.
class MadeUpFile {
 public:
  MadeUpFile& header() {
    write_header(test::made_up_header(), *item_.mutable_header());
    return add();
  }
  MadeUpFile& stack(std::uint32_t handle) {
    auto& stacks = *item_.mutable_stacks();
    stacks.set_first_location(nr_locations_++);
    write_differences(std::vector<std::uint64_t>{handle}, *stacks.mutable_address());
    stacks.set_symbol(list({"f"}));
    stacks.add_handle(handle);
    stacks.add_nr_frames(1);
    stacks.add_location(nr_locations_ - 1);
    return add();
  }
  /// Two pages with the stack 1, in which something was changed.
  MadeUpFile& pages(const Change& change = {}) {
    auto& pages = *item_.mutable_pages();
    pages.set_nr_pages(2);
    for (auto* column : {pages.mutable_site(), pages.mutable_task(), pages.mutable_was_freed(),
                         pages.mutable_flags(), pages.mutable_pageblock_migratetype(),
                         pages.mutable_last_migrate_reason(), pages.mutable_charge()}) {
      column->add_value(0);
      column->add_run(2);
    }
    pages.mutable_sites()->add_handle(1);
    pages.mutable_sites()->add_order(0);
    pages.mutable_sites()->add_gfp_mask(0);
    pages.mutable_tasks()->add_pid(1);
    pages.mutable_tasks()->add_tgid(1);
    pages.mutable_tasks()->set_comm(list({"comm"}));
    pages.mutable_charges()->add_cgroup_id(0);
    pages.mutable_charges()->add_flags(0);
    for (auto* column : {pages.mutable_kind(), pages.mutable_free_side()}) {
      column->add_value(0);
      column->add_run(2);
    }
    pages.mutable_kinds()->add_flags(0);
    pages.mutable_kinds()->add_page_type(0);
    pages.mutable_kinds()->add_mapping(0);
    pages.mutable_free_sides()->add_handle(0);
    pages.mutable_free_sides()->add_pid(1);
    pages.mutable_free_sides()->add_tgid(1);
    pages.add_flag_words(0);
    pages.set_gap(std::string(2, '\0'));
    pages.set_ts_nsec("ab");
    if (change) change(pages);
    ++nr_blocks_;
    nr_pages_ += pages.nr_pages();
    return add();
  }
  MadeUpFile& footer(std::uint64_t nr_pages, std::uint64_t nr_stacks) {
    auto& footer = *item_.mutable_footer();
    footer.set_nr_blocks(nr_blocks_);
    footer.set_nr_pages(nr_pages);
    footer.set_nr_stacks(nr_stacks);
    return add();
  }
  MadeUpFile& footer() { return footer(nr_pages_, nr_locations_); }
  snapshot::Item& item() { return item_; }
  MadeUpFile& add() {
    EXPECT_TRUE(frames_.append(item_, file_));
    item_.Clear();
    return *this;
  }
  [[nodiscard]] const std::string& get() const { return file_; }

 private:
  FrameWriter frames_{1};
  std::string file_;
  snapshot::Item item_;
  std::uint32_t nr_locations_ = 0;
  std::uint64_t nr_blocks_ = 0;
  std::uint64_t nr_pages_ = 0;
};

std::string error_of(const std::string& file) {
  const auto read = read_snapshot(file);
  if (!read.error) return "no error";
  EXPECT_FALSE(read.error->hint.empty());
  EXPECT_EQ(read.error->kind, ErrorKind::kFailed);
  EXPECT_EQ(read.error->what.find('\n'), std::string::npos);
  return read.error->what;
}

/// The error of a file whose block of two pages was changed.
std::string error_of(const Change& change) {
  return error_of(MadeUpFile().header().stack(1).pages(change).footer().get());
}

/// A frame of its own with any content.
std::string frame(const std::string& content, bool has_checksum = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, has_checksum ? 1 : 0);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return out;
}

TEST(HostileSnapshot, TheMadeUpFileIsSound) { EXPECT_EQ(error_of(Change()), "no error"); }

TEST(HostileSnapshot, NoSnapshotAtAll) {
  EXPECT_THAT(error_of(std::string()),
              HasSubstr("does not begin like a snapshot of pobpf: it is empty"));
  EXPECT_THAT(error_of("Page allocated via order 0\n"), HasSubstr("does not begin like"));
  EXPECT_THAT(error_of(frame("hello")), HasSubstr("does not begin like"));
  EXPECT_THAT(error_of(MadeUpFile().stack(1).get()), HasSubstr("does not begin like"));
}

TEST(HostileSnapshot, ANewerPobpf) {
  MadeUpFile file;
  file.item().mutable_header()->set_format_version(kSnapshotVersionWithoutText + 1);
  file.add();
  EXPECT_THAT(error_of(file.get()), HasSubstr("made by a newer pobpf"));
  EXPECT_TRUE(read_snapshot(file.get(), DamagePolicy::kSalvage).error);
}

TEST(HostileSnapshot, AnOlderFormat) {
  MadeUpFile file;
  file.item().mutable_header()->set_format_version(kSnapshotVersion - 1);
  file.add();
  EXPECT_THAT(error_of(file.get()), HasSubstr("never released"));
}

TEST(HostileSnapshot, NumbersOfPagesThatCannotBe) {
  for (const std::uint64_t nr_pages :
       {std::uint64_t{0}, std::uint64_t{kBlockPagesMax + 1}, std::uint64_t{UINT32_MAX}})
    EXPECT_THAT(
        error_of([&](auto& pages) { pages.set_nr_pages(static_cast<std::uint32_t>(nr_pages)); }),
        HasSubstr("where 1 to 16384 are possible"));
}

TEST(HostileSnapshot, ColumnsThatDoNotFit) {
  const Change changes[] = {
      [](auto& pages) { pages.set_nr_pages(3); },
      [](auto& pages) { pages.mutable_gap()->clear(); },
      [](auto& pages) { pages.set_gap("abc"); },
      [](auto& pages) { pages.mutable_task()->mutable_run()->Clear(); },
      [](auto& pages) { pages.mutable_task()->set_run(0, 3); },
      [](auto& pages) { pages.mutable_task()->set_run(0, UINT32_MAX); },
      [](auto& pages) {
        pages.mutable_charge()->set_run(0, UINT32_MAX);
        pages.mutable_charge()->add_run(3);
        pages.mutable_charge()->add_value(0);
      },
      [](auto& pages) {
        pages.mutable_flags()->add_value(0);
        pages.mutable_flags()->add_run(0);
      },
      [](auto& pages) { pages.set_ts_nsec(""); },
      [](auto& pages) { pages.set_ts_nsec("abc"); },
      [](auto& pages) { pages.set_ts_nsec(std::string(18, 'a')); },
      [](auto& pages) { pages.set_free_ts_nsec("a"); },
      [](auto& pages) { pages.mutable_was_freed()->set_value(0, 1); },
      [](auto& pages) { pages.mutable_sites()->add_order(1); },
      [](auto& pages) {
        pages.mutable_tasks()->set_comm(list({"comm", "other"}));
      },
      [](auto& pages) { pages.mutable_charges()->add_flags(0); },
      [](auto& pages) { pages.mutable_kind()->set_run(0, 3); },
      [](auto& pages) { pages.mutable_kinds()->add_flags(0); },
      [](auto& pages) { pages.mutable_free_side()->set_run(0, 1); },
      [](auto& pages) { pages.mutable_free_sides()->add_handle(0); },
      [](auto& pages) { pages.mutable_free_sides()->add_tgid(0); },
  };
  for (const Change& change : changes) {
    const std::string error = error_of(change);
    EXPECT_THAT(error, HasSubstr("is damaged at byte "));
    EXPECT_THAT(error, ::testing::AnyOf(HasSubstr(" values"), HasSubstr("not fit"),
                                        HasSubstr("differ in length")));
  }
}

TEST(HostileSnapshot, ValuesThatCannotBe) {
  const Change changes[] = {
      [](auto& pages) { pages.mutable_site()->set_value(0, 1); },
      [](auto& pages) { pages.mutable_site()->set_value(0, UINT32_MAX); },
      [](auto& pages) { pages.mutable_task()->set_value(0, 1); },
      [](auto& pages) { pages.mutable_was_freed()->set_value(0, 2); },
      [](auto& pages) { pages.mutable_pageblock_migratetype()->set_value(0, 256); },
      [](auto& pages) { pages.mutable_last_migrate_reason()->set_value(0, 65536); },
      [](auto& pages) { pages.mutable_charges()->set_flags(0, 256); },
      [](auto& pages) { pages.mutable_sites()->Clear(); },
      [](auto& pages) { pages.mutable_tasks()->Clear(); },
      [](auto& pages) { pages.mutable_charges()->Clear(); },
      [](auto& pages) { pages.mutable_flag_words()->Clear(); },
      [](auto& pages) { pages.mutable_kind()->set_value(0, 1); },
      [](auto& pages) { pages.mutable_kinds()->Clear(); },
      [](auto& pages) { pages.mutable_free_side()->set_value(0, 1); },
      [](auto& pages) { pages.mutable_free_sides()->Clear(); },
      [](auto& pages) { pages.mutable_tasks()->set_comm(list({std::string(65, 'x')})); },
  };
  for (const Change& change : changes)
    EXPECT_THAT(error_of(change),
                ::testing::AnyOf(HasSubstr("impossible"), HasSubstr("an empty table"),
                                 HasSubstr("is too long")));
}

/// A later pobpf may write this: names of tasks that are longer, and numbers of enums.
TEST(HostileSnapshot, ValuesOfALaterPobpf) {
  const auto file = MadeUpFile()
                        .header()
                        .stack(1)
                        .pages([](auto& pages) {
                          pages.mutable_tasks()->set_comm(list({std::string(64, 'x')}));
                          pages.mutable_kinds()->set_mapping(0, POBPF_MAPPING_FILE + 1);
                          pages.mutable_charges()->set_flags(
                              0, 255 & ~static_cast<unsigned>(POBPF_MEMCG_CHARGED));
                        })
                        .footer()
                        .get();
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(std::string(std::begin(read.pages[0].comm), std::end(read.pages[0].comm)),
            std::string(POBPF_COMM_BYTES, 'x'));
  EXPECT_EQ(read.details[0].mapping, POBPF_MAPPING_NONE);
}

TEST(HostileSnapshot, OrdersThatNoKernelHas) {
  EXPECT_EQ(error_of([](auto& pages) { pages.mutable_sites()->set_order(0, kOrderMax); }),
            "no error");
  for (const std::uint32_t order : {kOrderMax + 1, 32U, 52U, 63U, 64U, 255U, 65535U, 65536U})
    EXPECT_THAT(error_of([&](auto& pages) { pages.mutable_sites()->set_order(0, order); }),
                HasSubstr("it has an order that no kernel has"));
}

TEST(HostileSnapshot, MoreMemoryThanAMachineCanHave) {
  const auto error_of_blocks = [](std::uint64_t nr_blocks) {
    MadeUpFile file;
    file.header().stack(1);
    for (std::uint64_t i = 0; i < nr_blocks; ++i)
      file.pages([](auto& pages) { pages.mutable_sites()->set_order(0, kOrderMax); });
    return error_of(file.footer().get());
  };
  constexpr std::uint64_t kNrBlocks = kPagesMax / (2ULL << kOrderMax);
  EXPECT_EQ(error_of_blocks(kNrBlocks), "no error");
  EXPECT_THAT(error_of_blocks(kNrBlocks + 1),
              HasSubstr("it has more memory than a machine can have"));
}

TEST(HostileSnapshot, SumsThatWouldWrap) {
  struct Sum {
    std::optional<std::uint64_t> nr_allocations;
    std::optional<std::uint64_t> nr_pages;
    std::uint32_t order;
  };
  const auto error_of_sums = [](const std::vector<Sum>& sums) {
    MadeUpFile file;
    file.header();
    for (const Sum& sum : sums) {
      auto& groups = *file.item().mutable_groups();
      groups.mutable_record()->set_nr_pages(1);
      groups.mutable_record()->mutable_site()->add_value(0);
      groups.mutable_record()->mutable_sites()->add_order(sum.order);
      if (sum.nr_allocations)
        write_numbers(std::vector<std::int64_t>{static_cast<std::int64_t>(*sum.nr_allocations)},
                      *groups.mutable_nr_allocations());
      if (sum.nr_pages)
        write_numbers(std::vector<std::int64_t>{static_cast<std::int64_t>(*sum.nr_pages)},
                      *groups.mutable_nr_pages());
      file.add();
    }
    auto& footer = *file.item().mutable_footer();
    footer.set_nr_blocks(sums.size());
    footer.set_nr_groups(sums.size());
    return error_of(file.add().get());
  };
  EXPECT_EQ(error_of_sums({{1, kPagesMax - 1, 0}, {1, {}, 0}}), "no error");
  const std::vector<std::vector<Sum>> cases = {
      {{1, kPagesMax, 0}, {1, 1, 0}}, {{{}, UINT64_MAX, 0}},
      {{UINT64_MAX, 1, 0}},           {{UINT64_MAX, {}, 0}},
      {{1ULL << 34, {}, kOrderMax}},  {{1ULL << 63, {}, 0}, {1ULL << 63, {}, 0}}};
  for (const auto& sums : cases)
    EXPECT_THAT(error_of_sums(sums), HasSubstr("it has more memory than a machine can have"));
}

TEST(HostileSnapshot, AnEndThatSaysLessThanThereIs) {
  const std::string file = MadeUpFile().header().stack(1).pages().footer(1, 1).get();
  EXPECT_THAT(error_of(file), HasSubstr("something else than its end says"));
  const auto read = read_snapshot(file, DamagePolicy::kSalvage);
  EXPECT_THAT(read.losses.first.what, HasSubstr("it holds more than its end says"));
  EXPECT_FALSE(read.footer);
}

TEST(HostileSnapshot, WhatIsNotThere) {
  EXPECT_THAT(error_of([](auto& pages) { pages.mutable_sites()->set_handle(0, 2); }),
              HasSubstr("a page has the stack 2, which is not there"));
  EXPECT_THAT(error_of([](auto& pages) { pages.mutable_free_sides()->set_handle(0, 2); }),
              HasSubstr("a page was freed with the stack 2, which is not there"));
  EXPECT_THAT(error_of([](auto& pages) {
                pages.mutable_charges()->set_cgroup_id(0, 7);
                pages.mutable_charges()->set_flags(0, POBPF_MEMCG_CHARGED);
              }),
              HasSubstr("a page has the cgroup 7, which is not there"));
}

/// Found by the fuzzer.
TEST(HostileSnapshot, ATableThatNoColumnRefersTo) {
  EXPECT_THAT(error_of([](auto& pages) {
                pages.clear_charge();
                pages.mutable_charges()->add_flags(POBPF_MEMCG_CHARGED);
              }),
              HasSubstr("the columns of its charges differ in length"));
}

TEST(HostileSnapshot, ColumnsMayBeAbsent) {
  const auto file = MadeUpFile()
                        .header()
                        .pages([](auto& pages) {
                          const auto nr_pages = pages.nr_pages();
                          pages.Clear();
                          pages.set_nr_pages(nr_pages);
                          write_numbers(std::vector<std::int64_t>{1, 2}, *pages.mutable_gap());
                        })
                        .footer(2, 0)
                        .get();
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.fields, PageFields{} | PageField::kPfn);
  ASSERT_EQ(read.pages.size(), 2);
  EXPECT_EQ(read.pages[1].pfn, 4);
}

TEST(HostileSnapshot, ColumnsOfTablesMayBeAbsent) {
  const auto file = MadeUpFile()
                        .header()
                        .stack(1)
                        .pages([](auto& pages) {
                          pages.mutable_sites()->mutable_gfp_mask()->Clear();
                          pages.mutable_tasks()->mutable_pid()->Clear();
                          pages.clear_ts_nsec();
                        })
                        .footer()
                        .get();
  const auto read = read_snapshot(file);
  ASSERT_FALSE(read.error) << read.error->what;
  constexpr PageFields kAbsent =
      PageFields{} | PageField::kGfpMask | PageField::kPid | PageField::kTsNsec;
  EXPECT_EQ(read.fields & kAllPageFields, kAllPageFields & ~kAbsent);
}

TEST(HostileSnapshot, StacksThatContradictThemselves) {
  const std::function<void(snapshot::Stacks&)> changes[] = {
      [](auto& stacks) { stacks.set_first_location(UINT32_MAX); },
      [](auto& stacks) { stacks.set_address(std::string(9, 'a')); },
      [](auto& stacks) { stacks.set_symbol(list({std::string(kNameBytesMax + 1, 's')})); },
      [](auto& stacks) { stacks.set_symbol("f"); },
      [](auto& stacks) { stacks.set_nr_frames(0, UINT32_MAX); },
      [](auto& stacks) {
        stacks.set_nr_frames(0, kStackDepthMax + 1);
        while (stacks.location_size() <= static_cast<int>(kStackDepthMax)) stacks.add_location(0);
      },
      [](auto& stacks) { stacks.set_location(0, 1); },
      [](auto& stacks) { stacks.set_location(0, UINT32_MAX); },
      [](auto& stacks) { stacks.add_handle(2); },
      [](auto& stacks) { stacks.add_unreadable(0); },
      [](auto& stacks) {
        stacks.add_unreadable(0);
        stacks.set_reason(list({std::string(kNameBytesMax + 1, 'r')}));
      },
      [](auto& stacks) {
        stacks.add_unreadable(1);
        stacks.set_reason(list({"why"}));
      },
      [](auto& stacks) {
        stacks.add_handle(1);
        stacks.add_nr_frames(0);
      },
  };
  for (const auto& change : changes) {
    MadeUpFile file;
    file.header();
    auto& stacks = *file.item().mutable_stacks();
    stacks.set_address("a");
    stacks.set_symbol(list({"f"}));
    stacks.add_handle(1);
    stacks.add_nr_frames(1);
    stacks.add_location(0);
    change(stacks);
    file.add().pages().footer(2, 1);
    EXPECT_THAT(error_of(file.get()), HasSubstr("is damaged at byte "));
    // must not crash either
    static_cast<void>(read_snapshot(file.get(), DamagePolicy::kSalvage));
  }
}

TEST(HostileSnapshot, CgroupsThatContradictThemselves) {
  const std::function<void(snapshot::Cgroups&)> changes[] = {
      [](auto& cgroups) { cgroups.add_id(1); },
      [](auto& cgroups) { cgroups.set_path(list({std::string(kPathBytesMax + 1, 'n')})); },
      [](auto& cgroups) {
        cgroups.add_id(1);
        cgroups.set_path(list({"one", "again"}));
      },
      [](auto& cgroups) { cgroups.set_reason(list({"why"})); },
  };
  for (const auto& change : changes) {
    MadeUpFile file;
    file.header();
    file.item().mutable_cgroups()->add_id(1);
    file.item().mutable_cgroups()->set_path(list({"one"}));
    change(*file.item().mutable_cgroups());
    file.add().footer();
    EXPECT_THAT(error_of(file.get()), HasSubstr("is damaged at byte "));
  }
}

TEST(HostileSnapshot, HeadersThatCannotBe) {
  const auto tables = [](auto change) {
    return [change](snapshot::Header& header) { change(*header.mutable_tables()); };
  };
  const std::function<void(snapshot::Header&)> changes[] = {
      [](auto& header) { header.set_format_version(0); },
      tables([](auto& message) { message.set_pageblock_order(64); }),
      tables([](auto& message) { message.mutable_page_flag_field()->set_shift(0, 64); }),
      tables([](auto& message) { message.mutable_page_flag_field()->add_mask(1); }),
      tables([](auto& message) { message.mutable_page_flag_field()->add_is_hex(true); }),
      tables([](auto& message) { message.set_gfp_migratetype_shift(32); }),
      tables([](auto& message) { message.set_gfp_migratetype_mask(256); }),
      [](auto& header) { header.set_page_size(3); },
      [](auto& header) { header.set_page_size(1ULL << 63); },
      [](auto& header) { header.set_max_nodes(POBPF_MAX_NODES + 1); },
      [](auto& header) { header.mutable_nodes()->add_nid(1); },
      [](auto& header) { header.mutable_nodes()->set_nid(0, POBPF_MAX_NODES); },
      [](auto& header) { header.mutable_page_types()->add_value(1); },
      [](auto& header) { header.set_hostname(std::string(kHeaderNameBytesMax + 1, 'h')); },
      [](auto& header) { header.set_filters(std::string(kHeaderTextBytesMax + 1, 'f')); },
      tables([](auto& message) {
        message.mutable_zone()->set_name(list({std::string(kTableNameBytesMax + 1, 'z')}));
      }),
      tables([](auto& message) { message.mutable_zone()->add_number(0); }),
      tables([](auto& message) { message.mutable_migratetype()->set_number(0, kTableEntriesMax); }),
      tables([](auto& message) { message.mutable_gfp_flag()->set_mask(0, 0); }),
      tables([](auto& message) {
        for (std::size_t i = 0; i <= kTableEntriesMax; ++i) {
          message.mutable_gfp_flag()->add_mask(1);
          message.mutable_gfp_flag()->mutable_name()->push_back('\0');
        }
      }),
  };
  for (const auto& change : changes) {
    MadeUpFile file;
    write_header(test::made_up_header(), *file.item().mutable_header());
    change(*file.item().mutable_header());
    file.add().footer();
    EXPECT_THAT(error_of(file.get()), HasSubstr("header has "));
  }
}

TEST(HostileSnapshot, ItemsOutOfPlace) {
  EXPECT_THAT(error_of(MadeUpFile().header().header().footer().get()),
              HasSubstr("a second header"));
  EXPECT_THAT(error_of(MadeUpFile().header().footer().stack(1).get()),
              HasSubstr("something follows its end"));
  EXPECT_THAT(error_of(MadeUpFile().header().footer().get() + "x"), HasSubstr("no frame of zstd"));
  EXPECT_THAT(error_of(MadeUpFile().header().footer().footer().get()),
              HasSubstr("something follows its end"));
  EXPECT_THAT(error_of(MadeUpFile().header().add().footer().get()),
              HasSubstr("an item without content"));
  EXPECT_THAT(error_of(MadeUpFile().header().pages().stack(1).footer().get()),
              HasSubstr("which is not there"));
}

TEST(HostileSnapshot, FootersThatDoNotFit) {
  EXPECT_THAT(error_of(MadeUpFile().header().stack(1).pages().footer(3, 1).get()),
              HasSubstr("something else than its end says"));
  EXPECT_THAT(error_of(MadeUpFile().header().stack(1).pages().footer(2, 2).get()),
              HasSubstr("something else than its end says"));
  EXPECT_THAT(error_of(MadeUpFile().header().stack(1).pages().get()),
              HasSubstr("it ends too early, as if cut off"));
}

TEST(HostileSnapshot, AnAccountThatContradictsItself) {
  for (const auto& [filters, nr_numbers] :
       {std::pair(list({"nid"}), 2), {list({"nid", "pid"}), 1}, {std::string("nid"), 1}}) {
    MadeUpFile file;
    file.header();
    auto& account = *file.item().mutable_footer()->mutable_account();
    account.set_filter(filters);
    for (int i = 0; i < nr_numbers; ++i) account.add_filtered(1);
    EXPECT_THAT(error_of(file.add().get()),
                HasSubstr("the columns of its filters differ in length"));
  }
}

TEST(HostileSnapshot, FramesThatAreCutOutOrRepeated) {
  const std::string head = MadeUpFile().header().get();
  const std::string whole = MadeUpFile().header().stack(1).pages().footer().get();
  const std::string with_stack = MadeUpFile().header().stack(1).get();
  EXPECT_THAT(error_of(head + whole.substr(with_stack.size())),
              HasSubstr("a part of it is missing"));
  EXPECT_THAT(error_of(with_stack + whole.substr(head.size())),
              HasSubstr("a part of it is there twice"));
}

TEST(HostileSnapshot, FramesThatAreNotOurs) {
  const std::string head = MadeUpFile().header().get();
  EXPECT_THAT(error_of(head + frame("", false)), HasSubstr("a frame without a checksum"));
  EXPECT_THAT(error_of(head + frame("")), HasSubstr("no item of a snapshot"));
  EXPECT_THAT(error_of(head + frame("\x0a\x05xx")), HasSubstr("no item of a snapshot"));
  EXPECT_THAT(error_of(head + frame(std::string("\x0a") + std::string(12, '\xff'))),
              HasSubstr("no item of a snapshot"));
  // a skippable frame
  EXPECT_THAT(error_of(head + std::string("\x50\x2a\x4d\x18\0\0\0\0", 8)),
              HasSubstr("no frame of zstd"));
}

TEST(HostileSnapshot, ItemsOfALaterPobpfAreCounted) {
  for (const DamagePolicy policy : {DamagePolicy::kRefuse, DamagePolicy::kSalvage}) {
    MadeUpFile file;
    file.header().stack(1);
    for (const char* content : {"\x4a\x03new", "\x52\x03new", "\xf2\x01\x03new"}) {
      file.item().MergeFromString(content);
      file.add();
    }
    const auto read = read_snapshot(file.pages().footer().get(), policy);
    ASSERT_FALSE(read.error) << read.error->what;
    EXPECT_EQ(read.pages.size(), 2);
    EXPECT_EQ(read.losses.nr_places, 0);
    EXPECT_EQ(read.losses.nr_newer_items, 3);
    EXPECT_FALSE(read.losses.is_empty());
  }
}

/// Small files of which much could be made: each would, without a limit of its own.
class Bomb : public ::testing::Test {
 protected:
  /// The error, once reading has taken no more memory than any file of the size may.
  static std::string error(const MadeUpFile& file) {
    const test::MemoryPeak peak;
    const std::string what = error_of(file.get());
    static_cast<void>(read_snapshot(file.get(), DamagePolicy::kSalvage));
    if (!test::kIsSanitized) {
      EXPECT_LT(peak.risen_kib(), 64 * 1024 + 64 * static_cast<long>(file.get().size()) / 1024);
    }
    return what;
  }
  static constexpr std::size_t kMost = kFrameBytesMax - 4096;
  MadeUpFile file_;
};

TEST_F(Bomb, EmptySymbols) {
  file_.header();
  for (int i = 0; i < 8; ++i) {
    auto& stacks = *file_.item().mutable_stacks();
    stacks.set_first_location(static_cast<std::uint32_t>(kMost) * static_cast<std::uint32_t>(i));
    stacks.set_symbol(std::string(kMost, '\0'));
    file_.add();
  }
  EXPECT_THAT(error(file_.footer()), HasSubstr("more memory than a file of its size may"));
}

TEST_F(Bomb, StacksWithoutFrames) {
  file_.header();
  for (std::uint32_t handle = 0; handle < 1'000'000;) {
    auto& stacks = *file_.item().mutable_stacks();
    for (const std::uint32_t end = handle + 500'000; handle < end; ++handle) {
      stacks.add_handle(handle);
      stacks.add_nr_frames(0);
    }
    file_.add();
  }
  EXPECT_THAT(error(file_.footer()), HasSubstr("more memory than a file of its size may"));
}

TEST_F(Bomb, Reasons) {
  file_.header();
  auto& stacks = *file_.item().mutable_stacks();
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    stacks.add_handle(i);
    stacks.add_nr_frames(0);
    stacks.add_unreadable(i);
    stacks.mutable_reason()->append("why").push_back('\0');
  }
  EXPECT_THAT(error(file_.add().footer()), HasSubstr("more memory than a file of its size may"));
}

TEST_F(Bomb, Cgroups) {
  file_.header();
  auto& cgroups = *file_.item().mutable_cgroups();
  for (std::uint64_t id = 0; id < 300'000; ++id) cgroups.add_id(id);
  cgroups.set_path(std::string(300'000, '\0'));
  EXPECT_THAT(error(file_.add().footer()), HasSubstr("more memory than a file of its size may"));
}

TEST_F(Bomb, TextsOfAnImport) {
  auto header = test::made_up_header();
  header.facts->texts.emplace();
  write_header(header, *file_.item().mutable_header());
  file_.add();
  auto& texts = *file_.item().mutable_texts();
  for (std::uint32_t i = 0; i < 300'000; ++i) texts.add_gfp_mask(i);
  texts.set_gfp_names(std::string(300'000, '\0'));
  EXPECT_THAT(error(file_.add().footer()), HasSubstr("more memory than a file of its size may"));
}

TEST_F(Bomb, ColumnsAndTables) {
  for (const Change& change :
       {Change([](auto& pages) { pages.mutable_tasks()->set_comm(std::string(kMost, '\0')); }),
        Change([](auto& pages) {
          for (std::size_t i = 0; i < kMost; ++i) pages.mutable_site()->add_value(0);
        }),
        Change([](auto& pages) {
          for (std::size_t i = 0; i < kMost / 4; ++i) {
            pages.mutable_sites()->add_handle(1);
            pages.mutable_sites()->add_order(0);
            pages.mutable_sites()->add_gfp_mask(0);
          }
        })}) {
    MadeUpFile file;
    EXPECT_THAT(error(file.header().stack(1).pages(change).footer()), HasSubstr("is damaged"));
  }
}

TEST_F(Bomb, DeepStacksOfManyPages) {
  file_.header();
  auto& stacks = *file_.item().mutable_stacks();
  stacks.set_symbol(list({std::string(kNameBytesMax, 's')}));
  stacks.add_handle(1);
  stacks.add_nr_frames(kStackDepthMax);
  for (std::size_t i = 0; i < kStackDepthMax; ++i) stacks.add_location(0);
  file_.add().pages([](auto& pages) {
    constexpr std::uint32_t kNrPages = kBlockPagesMax;
    const auto sites = pages.sites();
    pages.Clear();
    *pages.mutable_sites() = sites;
    pages.set_nr_pages(kNrPages);
    pages.mutable_site()->add_value(0);
    pages.mutable_site()->add_run(kNrPages);
  });
  EXPECT_THAT(error(file_.footer(kBlockPagesMax, 1)),
              HasSubstr("shows more than a file of its size can hold"));
}

/// No longer than stacks of a kernel, but in JSON each byte is six.
TEST_F(Bomb, StacksOfControlCharacters) {
  file_.header();
  auto& stacks = *file_.item().mutable_stacks();
  stacks.set_symbol(list({std::string(kNameBytesMax, '\1')}));
  stacks.add_handle(1);
  stacks.add_nr_frames(2);
  for (int i = 0; i < 2; ++i) stacks.add_location(0);
  file_.add();
  constexpr unsigned kNrBlocks = 6;
  for (unsigned i = 0; i < kNrBlocks; ++i)
    file_.pages([](auto& pages) {
      const auto sites = pages.sites();
      pages.Clear();
      *pages.mutable_sites() = sites;
      pages.set_nr_pages(kBlockPagesMax);
      pages.mutable_site()->add_value(0);
      pages.mutable_site()->add_run(kBlockPagesMax);
    });
  EXPECT_THAT(error(file_.footer(kNrBlocks * kBlockPagesMax, 1)),
              HasSubstr("shows more than a file of its size can hold"));
}

TEST_F(Bomb, ManyDeepStacks) {
  file_.header();
  auto& stacks = *file_.item().mutable_stacks();
  stacks.set_symbol(list({std::string(kNameBytesMax, 's')}));
  for (std::uint32_t handle = 0; handle < 1000; ++handle) {
    stacks.add_handle(handle);
    stacks.add_nr_frames(kStackDepthMax);
    for (std::size_t i = 0; i < kStackDepthMax; ++i) stacks.add_location(0);
  }
  EXPECT_THAT(error(file_.add().footer(0, 1000)),
              HasSubstr("shows more than a file of its size can hold"));
}

TEST_F(Bomb, OfZeros) {
  // a frame of a size that is refused is not decompressed
  const std::string head = MadeUpFile().header().get();
  const std::string bomb = frame(std::string(std::size_t{1} << 30, '\0'));
  ASSERT_LT(bomb.size(), 200'000);
  const test::MemoryPeak peak;
  EXPECT_THAT(error_of(head + bomb), HasSubstr("where 3145728 are the most"));
  EXPECT_TRUE(read_snapshot(head + bomb, DamagePolicy::kSalvage).pages.empty());
  if (!test::kIsSanitized) {
    EXPECT_LT(peak.risen_kib(), 64 * 1024);
  }
}

TEST(HostileSnapshot, CutOffAnywhere) {
  const auto pages = RandomPages(7).take(20);
  const std::string file = made_snapshot(pages);
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto read = read_snapshot(file.substr(0, size));
    ASSERT_TRUE(read.error) << "cut off at byte " << size;
    EXPECT_THAT(read.error->what, ::testing::AnyOf(HasSubstr("is damaged at byte"),
                                                   HasSubstr("does not begin like")));
  }
}

TEST(HostileSnapshot, OneByteIsWrongAnywhere) {
  const auto pages = RandomPages(8).take(20);
  const std::string file = made_snapshot(pages);
  std::size_t nr_harmless = 0;
  for (std::size_t at = 0; at < file.size(); ++at) {
    std::string wrong = file;
    wrong[at] = static_cast<char>(wrong[at] ^ (1 << at % 8));
    const auto read = read_snapshot(wrong);
    static_cast<void>(read_snapshot(wrong, DamagePolicy::kSalvage));
    if (read.error) continue;
    EXPECT_TRUE(is_same(read.pages, pages)) << "byte " << at;
    ++nr_harmless;
  }
  // bits of the heads of five frames that zstd does not look at
  EXPECT_LE(nr_harmless, 2 * 5);
}

/// Files of several blocks, small ones: the writer's would be long.
class Salvage : public ::testing::Test {
 protected:
  static constexpr int kNrBlocks = 4;
  Salvage() {
    MadeUpFile file;
    ends_.push_back(file.header().get().size());
    ends_.push_back(file.stack(1).get().size());
    for (int i = 0; i < kNrBlocks; ++i) ends_.push_back(file.pages().get().size());
    file_ = file.footer().get();
  }
  static test::ReadSnapshot salvage(const std::string& file) {
    return read_snapshot(file, DamagePolicy::kSalvage);
  }
  std::string file_;
  std::vector<std::size_t> ends_;  // of the header, the stack, the blocks
};

TEST_F(Salvage, NothingIsLostOfAWholeFile) {
  const auto read = salvage(file_);
  ASSERT_FALSE(read.error);
  EXPECT_TRUE(read.losses.is_empty());
  EXPECT_EQ(read.losses.nr_pages, 0);
  EXPECT_EQ(read.pages.size(), 2 * kNrBlocks);
}

TEST_F(Salvage, WhatStandsBeforeTheEndOfACutOffFile) {
  for (std::size_t size = 0; size < file_.size(); ++size) {
    const auto read = salvage(file_.substr(0, size));
    const auto nr_whole =
        std::count_if(ends_.begin(), ends_.end(), [&](std::size_t end) { return end <= size; });
    if (nr_whole == 0) {
      EXPECT_TRUE(read.error);
      continue;
    }
    ASSERT_FALSE(read.error) << read.error->what;
    EXPECT_EQ(read.pages.size(), 2 * std::max<long>(0, nr_whole - 2)) << "cut off at byte " << size;
    EXPECT_EQ(read.losses.nr_places, 1);
    EXPECT_FALSE(read.losses.nr_pages);
  }
}

TEST_F(Salvage, TheBlocksBeforeAndBehindADamagedByte) {
  for (std::size_t at = ends_[2]; at < ends_[3]; ++at) {
    std::string wrong = file_;
    wrong[at] = static_cast<char>(~wrong[at]);
    const auto read = salvage(wrong);
    ASSERT_FALSE(read.error) << read.error->what;
    EXPECT_EQ(read.pages.size(), 2 * (kNrBlocks - 1)) << "byte " << at;
    EXPECT_GE(read.losses.nr_places, 1);
    EXPECT_EQ(read.losses.nr_items, 1);
    EXPECT_EQ(read.losses.nr_pages, 2);
    EXPECT_THAT(read.losses.first.what, HasSubstr("is damaged at byte "));
  }
}

TEST_F(Salvage, PagesWhoseStackIsLost) {
  const auto read = salvage(file_.substr(0, ends_[0]) + file_.substr(ends_[1]));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.pages.size(), 2 * kNrBlocks);
  EXPECT_EQ(read.losses.nr_places, 1);
  EXPECT_EQ(read.losses.nr_items, 1);
  EXPECT_EQ(read.losses.nr_pages, 0);
  EXPECT_EQ(read.losses.nr_stacks, 1);
  EXPECT_EQ(read.reader->stack(1).error().what, "stack 1 is lost");
}

/// Names are by number: what is lost leaves a gap, and shifts no other.
TEST_F(Salvage, NamesOfAnImport) {
  auto header = test::made_up_header();
  header.facts->texts.emplace();
  header.facts->migratetype_names.clear();
  MadeUpFile file;
  write_header(header, *file.item().mutable_header());
  const std::size_t begin = file.add().get().size();
  std::size_t end = 0;
  unsigned number = 0;
  for (const char* name : {"Unmovable", "Movable", "CMA"}) {
    auto& names = *file.item().mutable_texts()->mutable_migratetype();
    names.add_number(number++);
    names.set_name(list({name}));
    file.add();
    if (end == 0) end = file.get().size();
  }
  file.item().mutable_footer()->set_nr_texts(3);
  const std::string whole = file.add().get();
  const auto read = salvage(whole.substr(0, begin) + whole.substr(end));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.losses.nr_texts, 1);
  EXPECT_EQ(read.reader->header().facts->migratetype_names,
            (std::vector<std::string>{"", "Movable", "CMA"}));
}

TEST_F(Salvage, StacksBehindOnesThatAreLost) {
  MadeUpFile file;
  const std::size_t begin = file.header().get().size();
  const std::size_t end = file.stack(1).get().size();
  // one that has the first one's address as well
  auto& stacks = *file.item().mutable_stacks();
  stacks.set_first_location(1);
  stacks.set_symbol(list({"g"}));
  for (const std::uint32_t location : {1U, 0U}) {
    stacks.add_handle(2 + location);
    stacks.add_nr_frames(1);
    stacks.add_location(location);
  }
  const std::string whole = file.add().footer(0, 3).get();
  EXPECT_EQ(error_of(whole), "no error");
  const auto read = salvage(whole.substr(0, begin) + whole.substr(end));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.reader->stack(3).value()->kernel_text, " g\n");
  EXPECT_EQ(read.reader->stack(2).error().what, "an address of stack 2 is lost");
}

TEST_F(Salvage, GarbageBetweenFrames) {
  const auto read = salvage(file_.substr(0, ends_[3]) + std::string(1'000'000, '\x28') +
                            "\x28\xb5\x2f\xfd" + file_.substr(ends_[3]));
  ASSERT_FALSE(read.error) << read.error->what;
  EXPECT_EQ(read.pages.size(), 2 * kNrBlocks);
  EXPECT_GE(read.losses.nr_places, 1);
  EXPECT_EQ(read.losses.nr_pages, 0);
}

}  // namespace
}  // namespace pobpf
