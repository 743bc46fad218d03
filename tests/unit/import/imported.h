// SPDX-License-Identifier: GPL-2.0-only
// Importing a text and reading what became of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../util/temp_dir.h"
#include "format/page_formatter.h"
#include "import/importer.h"
#include "snapshot/snapshot_session.h"

namespace pobpf::test {

/// A page and what is known of it.
struct ImportedPage {
  pobpf_page page{};
  PageFields fields = 0;
};

struct ImportedGroup {
  ImportedPage record;
  std::optional<std::uint64_t> nr_allocations;
  std::optional<std::uint64_t> nr_pages;
  std::string label;
};

struct Imported {
  std::optional<Error> error;
  ImportReport report;
  std::string snapshot;
  std::vector<ImportedPage> pages;
  std::vector<ImportedGroup> groups;
  std::unique_ptr<SnapshotReader> reader;

  [[nodiscard]] const KernelFacts& facts() const { return *reader->header().facts; }
  /// Text of the stack of a page, or why there is none.
  [[nodiscard]] std::string stack_of(const ImportedPage& page) const {
    if (!has_field(page.fields, PageField::kHandle)) return "none";
    auto stack = reader->stack(page.page.handle);
    return stack ? (*stack)->kernel_text : stack.error().what;
  }
};

inline std::unique_ptr<SnapshotReader> open_snapshot(const TempDir& dir) {
  auto reader = SnapshotReader::open(dir / "file", DamagePolicy::kRefuse);
  EXPECT_TRUE(reader) << reader.error().what;
  return reader ? *std::move(reader) : nullptr;
}

inline void read_groups(const TempDir& dir, Imported& imported) {
  const auto reader = open_snapshot(dir);
  while (true) {
    auto block = reader->next_groups();
    ASSERT_TRUE(block) << block.error().what;
    if (*block == nullptr) return;
    const DecodedGroups& groups = **block;
    for (std::size_t i = 0; i < groups.records.pages.size(); ++i) {
      ImportedGroup group;
      group.record = {groups.records.pages[i], groups.records.fields};
      if (!groups.nr_allocations.empty()) group.nr_allocations = groups.nr_allocations[i];
      if (!groups.nr_pages.empty()) group.nr_pages = groups.nr_pages[i];
      if (!groups.labels.empty()) group.label = groups.labels[i];
      imported.groups.push_back(std::move(group));
    }
  }
}

inline Imported import_bytes(std::string_view bytes) {
  Imported imported;
  auto source = open_text_bytes(bytes);
  EXPECT_TRUE(source);
  auto report = import_text(**source, ImportOptions(), imported.snapshot);
  if (!report) {
    imported.error = report.error();
    return imported;
  }
  imported.report = *std::move(report);
  const TempDir dir;
  dir.write("file", imported.snapshot);
  read_groups(dir, imported);
  imported.reader = open_snapshot(dir);
  while (true) {
    auto block = imported.reader->next();
    EXPECT_TRUE(block) << block.error().what;
    if (!block || *block == nullptr) break;
    for (const pobpf_page& page : (*block)->pages)
      imported.pages.push_back({page, (*block)->fields});
  }
  EXPECT_EQ(imported.pages.size(), imported.report.nr_pages);
  EXPECT_EQ(imported.groups.size(), imported.report.nr_groups);
  return imported;
}

/// Returns what `pobpf report` prints of the snapshot.
inline std::string reported(const std::string& snapshot, pobpf_mode mode) {
  const TempDir dir;
  dir.write("file", snapshot);
  auto session = SnapshotSession::open(dir / "file", DamagePolicy::kRefuse);
  EXPECT_TRUE(session);
  auto reader = (*session)->open_reader({{}, mode});
  EXPECT_TRUE(reader);
  const auto formatter =
      make_kernel_text_formatter((*session)->facts(), mode, CommStyle::kRaw).value();
  std::string text;
  for (bool at_end = false; !at_end;) {
    auto pages = (*reader)->next(at_end);
    EXPECT_TRUE(pages) << pages.error().what;
    if (!pages) break;
    formatter->set_fields((*reader)->fields());
    for (const pobpf_page& page : *pages) {
      auto status = formatter->append(page, **session, text);
      EXPECT_TRUE(status) << status.error().what;
    }
  }
  return text;
}

}  // namespace pobpf::test
