// SPDX-License-Identifier: GPL-2.0-only
// pobpf record and report over a made-up kernel: the text from a file is the live text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "../snapshot/made_up_pages.h"
#include "../util/memory_peak.h"
#include "command_test.h"
#include "snapshot/format.h"
#include "snapshot/frame_writer.h"

namespace pobpf::cli {
namespace {

using ::testing::HasSubstr;

class SnapshotCommands : public test::CommandTest {
 protected:
  SnapshotCommands() {
    make_pages(3000);
    session.beside.pages = session.beside.free = 3;
  }
  /// Returns what the live command prints.
  std::string live() {
    EXPECT_EQ(run(print_pages).value(), ExitStatus::kComplete);
    return dir.read("out");
  }
  Result<ExitStatus> record() {
    auto output = Output::to_file(dir / "snapshot");
    if (!output) return fail(std::move(output).error());
    return run(record_pages, session, *output);
  }
  Result<ExitStatus> report(DamagePolicy policy = DamagePolicy::kRefuse) {
    auto snapshot = SnapshotSession::open(dir / "snapshot", policy);
    if (!snapshot) return fail(std::move(snapshot).error());
    dir.remove("out");
    auto output = Output::to_file(dir / "out");
    if (!output) return fail(std::move(output).error());
    ::testing::internal::CaptureStderr();
    auto ended = report_pages(**snapshot, options, *output);
    said = ::testing::internal::GetCapturedStderr();
    return ended;
  }

  Result<ExitStatus> report_pages_of(const PageRequest& request,
                                     DamagePolicy policy = DamagePolicy::kRefuse) {
    auto snapshot = SnapshotReader::open(dir / "snapshot", policy);
    if (!snapshot) return fail(std::move(snapshot).error());
    dir.remove("out");
    auto output = Output::to_file(dir / "out");
    if (!output) return fail(std::move(output).error());
    options.page = request;
    ::testing::internal::CaptureStderr();
    auto ended = report_page(**snapshot, options, *output);
    said = ::testing::internal::GetCapturedStderr();
    return ended;
  }

  /// Before the end of the recording.
  void add_newer_items(unsigned nr_items) {
    const std::string file = dir.read("snapshot");
    std::string changed;
    FrameWriter frames(kLevelMin);
    for (std::string_view rest = file; !rest.empty();) {
      const std::size_t size = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
      std::string content(ZSTD_getFrameContentSize(rest.data(), size), '\0');
      ZSTD_decompress(content.data(), content.size(), rest.data(), size);
      rest.remove_prefix(size);
      snapshot::Snapshot message;
      ASSERT_TRUE(message.ParseFromString(content));
      snapshot::Item newer;
      ASSERT_TRUE(newer.ParseFromString("\x4a\x03new"));
      for (unsigned i = 0; message.item(0).has_footer() && i < nr_items; ++i)
        ASSERT_TRUE(frames.append(newer, changed));
      ASSERT_TRUE(frames.append(*message.mutable_item(0), changed));
    }
    dir.write("snapshot", changed);
  }
};

TEST_F(SnapshotCommands, PagesAreThoseOfTheRecording) {
  for (std::size_t i = 0; i < session.pages.size(); ++i) {
    session.pages[i].pfn = 1000 + 4 * i;
    session.pages[i].order = 2;
    session.pages[i].memcg_flags &= static_cast<__u8>(~POBPF_MEMCG_UNKNOWN);
  }
  ASSERT_TRUE(record());
  options.format = Format::kJson;
  // physical addresses are by the page size of the recorded machine
  ASSERT_EQ(report_pages_of({{{1006, 1008}}, {4096 * 4000ULL + 5}, {}, {}}).value(),
            ExitStatus::kComplete);
  EXPECT_EQ(said, "");
  auto pages = objects();
  ASSERT_EQ(pages.size(), 3U);
  EXPECT_EQ(pages[0]["state"], "tail");
  EXPECT_EQ(pages[0]["first_pfn"], 1004);
  EXPECT_EQ(pages[1]["head_allocation"]["pid"], session.pages[1].pid);
  EXPECT_EQ(pages[2]["pfn"], 4000);
  EXPECT_EQ(pages[2]["allocation"]["pid"], session.pages[750].pid);
  EXPECT_EQ(pages[2]["allocation"]["handle"], session.pages[750].handle);
}

TEST_F(SnapshotCommands, PagesThatTheRecordedMachineDoesNotHaveAreWrongUsage) {
  session.spans = {{0, {0x1000, 0x2000}}, {1, {0x4000, 0x5000}}};
  ASSERT_TRUE(record());
  auto ended = report_pages_of({{{0x3000, 0x3001}}, {}, {}, {}});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(ended.error().what, "the recorded machine has no PFN 0x3000");
  EXPECT_EQ(ended.error().hint, "it has 0x1000-0x1fff, 0x4000-0x4fff");
  EXPECT_FALSE(has_output());
  EXPECT_EQ(report_pages_of({{{0x1fff, 0x2001}}, {}, {}, {}}).value(), ExitStatus::kComplete);
}

TEST_F(SnapshotCommands, PagesOfADamagedFileMayBeLost) {
  session.pages = test::RandomPages(12).take(kBlockPagesMax + 100);
  ASSERT_TRUE(record());
  const std::string file = dir.read("snapshot");
  dir.write("snapshot", file.substr(0, file.size() - 2000));
  const PageRequest request{{{1, 2}}, {}, {}, {}};
  ASSERT_FALSE(report_pages_of(request));
  ASSERT_EQ(report_pages_of(request, DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("an unknown number of records lost"));
}

/// A later pobpf may add what this one knows nothing of: the rest is shown, and that it is the
/// rest.
TEST_F(SnapshotCommands, PartsOfANewerPobpfAreSaidToBeMissing) {
  ASSERT_TRUE(record());
  add_newer_items(2);
  const std::string sentence =
      "2 parts of the snapshot are of a newer pobpf and are not shown: read it with that one";
  for (const ReportView view : {ReportView::kPages, ReportView::kTop, ReportView::kStacks}) {
    options.snapshot.view = view;
    ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
    EXPECT_THAT(said, HasSubstr(sentence));
  }
  ASSERT_EQ(report_pages_of({{{1, 2}}, {}, {}, {}}).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr(sentence));
}

TEST_F(SnapshotCommands, TheTextFromAFileIsTheLiveText) {
  if (test::kIsSanitized) make_pages(600);
  for (const auto& [shows_free_ts, is_pfn_decimal] :
       {std::pair(true, true), {true, false}, {false, true}, {false, false}}) {
    session.kernel.text_layout = {is_pfn_decimal, shows_free_ts};
    dir.remove("snapshot");
    ASSERT_EQ(record().value(), ExitStatus::kComplete);
    EXPECT_EQ(said, "");
    for (const Format format : {Format::kText, Format::kJson, Format::kCsv})
      for (const pobpf_mode mode : {POBPF_MODE_STACK, POBPF_MODE_HANDLE, POBPF_MODE_STACK_HANDLE}) {
        // has a time that such a kernel's text has not: below
        if (format != Format::kText && !shows_free_ts) continue;
        options.format = format;
        options.mode = mode;
        const std::string text = live();
        ASSERT_EQ(report().value(), ExitStatus::kComplete);
        EXPECT_EQ(said, "");
        EXPECT_TRUE(dir.read("out") == text) << "mode " << mode;
      }
    options.format = Format::kText;
  }
}

TEST_F(SnapshotCommands, OnlyTheTextIsRefusedWhereItIsNotKnown) {
  session.kernel.text_layout.reset();
  ASSERT_EQ(record().value(), ExitStatus::kComplete);
  const auto text = report();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(text.error().what, HasSubstr("how the kernel prints records is not known"));
  EXPECT_EQ(text.error().hint, "ask for JSON or CSV, which do not depend on it");
  EXPECT_EQ(dir.read("out"), "");
  options.format = Format::kJson;
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  EXPECT_EQ(objects().size(), session.pages.size());
  options.format = Format::kText;
  for (const ReportView view : {ReportView::kTop, ReportView::kStacks}) {
    options.snapshot.view = view;
    EXPECT_EQ(report().value(), ExitStatus::kComplete);
  }
}

TEST_F(SnapshotCommands, TheTimeOfTheLastFreeIsOfTheTextOrOfTheFreeSide) {
  if (test::kIsSanitized) make_pages(600);
  struct Case {
    bool shows_free_ts;
    bool with_free_side;
    bool is_recorded;
  };
  for (const Case& now :
       {Case{true, false, true}, Case{false, false, false}, Case{false, true, true}}) {
    session.kernel.text_layout = {.is_pfn_decimal = false, .shows_free_ts = now.shows_free_ts};
    options.snapshot.with_free_side = now.with_free_side;
    dir.remove("snapshot");
    ASSERT_TRUE(record());
    options.format = Format::kJson;
    ASSERT_TRUE(report());
    const auto reported = objects();
    ASSERT_EQ(reported.size(), session.pages.size());
    for (std::size_t i = 0; i < reported.size(); ++i) {
      ASSERT_EQ(reported[i].contains("free_ts_nsec"), now.is_recorded);
      if (now.is_recorded) {
        ASSERT_EQ(reported[i]["free_ts_nsec"], session.pages[i].free_ts_nsec);
      }
    }
    options.format = Format::kText;
  }
}

TEST_F(SnapshotCommands, StatsAreThoseOfTheRecording) {
  options.wants_stats = true;
  ASSERT_EQ(record().value(), ExitStatus::kComplete);
  const std::string recorded = said;
  EXPECT_THAT(recorded, HasSubstr("emitted                   3000  "));
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  EXPECT_EQ(said, recorded);
}

TEST_F(SnapshotCommands, StatsOfAFileThatLostItsEndHaveOnlyWhatIsKnown) {
  options.wants_stats = true;
  ASSERT_EQ(record().value(), ExitStatus::kComplete);
  EXPECT_THAT(said, HasSubstr("windows  "));
  std::string file = dir.read("snapshot");
  // its last frame is the end
  dir.write("snapshot", file.substr(0, file.size() - 10));
  ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("emitted                   3000  "));
  for (const char* const unknown : {"windows  ", "tail  ", "unowned  ", "longest_read_ns  "})
    EXPECT_THAT(said, testing::Not(HasSubstr(unknown)));
}

TEST_F(SnapshotCommands, WhatCouldNotBeReadIsSaidWhenRecordingAndReporting) {
  session.context.stacks.erase(7);
  ASSERT_EQ(record().value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("1 stack or cgroup that could not be read (no such stack)"));
  EXPECT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  const std::string live_said = said;
  EXPECT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_EQ(said, live_said);
}

TEST_F(SnapshotCommands, ADamagedFileIsAnErrorAndLeavesNothing) {
  ASSERT_TRUE(record());
  std::string file = dir.read("snapshot");
  file[file.size() / 2] = static_cast<char>(~file[file.size() / 2]);
  dir.write("snapshot", file);
  auto ended = report();
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().what, HasSubstr("snapshot is damaged at byte "));
  EXPECT_THAT(ended.error().hint, HasSubstr("--salvage"));
  EXPECT_FALSE(has_output());
}

TEST_F(SnapshotCommands, SalvageShowsWhatIsIntact) {
  session.pages = test::RandomPages(12).take(2 * kBlockPagesMax + 100);
  ASSERT_TRUE(record());
  options.mode = POBPF_MODE_HANDLE;
  const std::string text = live();
  std::string file = dir.read("snapshot");
  // in the last block
  dir.write("snapshot", file.substr(0, file.size() - 2000));
  ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("an unknown number of records lost in 1 damaged place"));
  EXPECT_TRUE(text.starts_with(dir.read("out")));
  // in the second block
  file[file.size() / 2 + 1000] = static_cast<char>(~file[file.size() / 2 + 1000]);
  dir.write("snapshot", file);
  ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("16384 records"));
}

/// All stacks stand in front of the first block.
TEST_F(SnapshotCommands, SalvageShowsRecordsWhoseStacksAreLost) {
  for (pobpf_page& page : session.pages) page.memcg_flags = 0;
  ASSERT_TRUE(record());
  options.mode = POBPF_MODE_HANDLE;
  const std::string text = live();
  std::string file = dir.read("snapshot");
  // the second frame
  const std::size_t at = file.find("\x28\xb5\x2f\xfd", 1);
  ASSERT_NE(at, std::string::npos);
  file[at + 20] = static_cast<char>(~file[at + 20]);
  dir.write("snapshot", file);
  options.mode = POBPF_MODE_STACK;
  ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
  EXPECT_TRUE(dir.read("out") == text) << "a handle in place of each stack";
  EXPECT_THAT(said, HasSubstr("3000 records with a part that could not be read"));
  EXPECT_THAT(said, HasSubstr("0 records, 50 stacks lost in "));
}

TEST_F(SnapshotCommands, ErrorsAreJsonWithJsonOnly) {
  ASSERT_TRUE(record());
  const std::string file = dir.read("snapshot");
  dir.write("snapshot", file.substr(0, file.size() - 10));
  for (const Format format : {Format::kText, Format::kCsv, Format::kJson}) {
    options.format = format;
    ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kIncomplete);
    EXPECT_EQ(said.starts_with('{'), format == Format::kJson) << said;
  }
}

TEST_F(SnapshotCommands, SalvageOfAnIntactFileIsComplete) {
  ASSERT_TRUE(record());
  ASSERT_EQ(report(DamagePolicy::kSalvage).value(), ExitStatus::kComplete);
  EXPECT_EQ(said, "");
}

TEST_F(SnapshotCommands, ARecordingWithoutPages) {
  session.pages.clear();
  ASSERT_EQ(record().value(), ExitStatus::kComplete);
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"), "");
}

/// As an import of a text that summed up already has them.
TEST_F(SnapshotCommands, WhatSumsDoNotSayIsAbsentAndNotZero) {
  samples::MadeUpContext context;
  context.add_stack(7, {"f+0x1/0x2"});
  context.stacks[7].frames[0].address = 0;
  DecodedGroups groups;
  groups.records.fields = PageFields{} | PageField::kHandle;
  groups.records.pages.resize(1);
  groups.records.pages[0].handle = 7;
  groups.nr_pages = {3};
  DecodedGroups known = groups;
  known.nr_allocations = {2};
  std::string file;
  SnapshotWriter writer(context, file, kLevelMin);
  ASSERT_TRUE(writer.begin(test::made_up_header()));
  // one that says it makes no sum of what is known
  for (const auto* sums : {&known, &groups}) ASSERT_TRUE(writer.append(*sums));
  ASSERT_TRUE(writer.end(std::nullopt));
  dir.write("snapshot", file);

  options.snapshot.view = ReportView::kStacks;
  ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_EQ(dir.read("out"), " f+0x1/0x2\nhandle: 7\nnr_base_pages: 6\n\n");
  options.format = Format::kJson;
  ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_EQ(dir.read("out"),
            "{\"handle\":7,\"nr_base_pages\":6,\"stack\":[{\"symbol\":\"f+0x1/0x2\"}]}\n");

  options.snapshot.view = ReportView::kTop;
  options.top.fields = {GroupField::kStack};
  ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
  for (const auto& row : objects()) EXPECT_FALSE(row.contains("allocations")) << row;
  options.format = Format::kCsv;
  ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("group,6,24576,,1.000000,"));
  options.format = Format::kText;
  ASSERT_EQ(report().value(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("    6   24K       -  100.0%"));
}

TEST_F(SnapshotCommands, AFullDiskIsAnError) {
  auto output = Output::to_file("/dev/full");
  ASSERT_TRUE(output);
  auto ended = run(record_pages, session, *output);
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().what, HasSubstr("No space left on device"));
}

TEST_F(SnapshotCommands, TheFileIsReadOnce) {
  ASSERT_TRUE(record());
  auto snapshot = SnapshotSession::open(dir / "snapshot", DamagePolicy::kRefuse);
  ASSERT_TRUE(snapshot);
  EXPECT_TRUE((*snapshot)->sum_groups({}, {}, {}));
  EXPECT_FALSE((*snapshot)->open_reader({}));
}

TEST_F(SnapshotCommands, StacksAndTopAreOfThePagesOfTheFile) {
  ASSERT_TRUE(record());
  options.format = Format::kJson;
  options.snapshot.view = ReportView::kStacks;
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  std::map<std::uint32_t, std::uint64_t> sums;
  for (const auto& group : objects()) sums[group["handle"]] = group["nr_allocations"];
  std::map<std::uint32_t, std::uint64_t> wanted;
  for (const pobpf_page& page : session.pages) ++wanted[page.handle];
  EXPECT_EQ(sums, wanted);

  options.snapshot.view = ReportView::kTop;
  options.top.fields = {GroupField::kTgid};
  ASSERT_EQ(report().value(), ExitStatus::kComplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("\"kind\":\"total\""));
  EXPECT_THAT(dir.read("out"), HasSubstr("\"allocations\":3000"));
}

}  // namespace
}  // namespace pobpf::cli
