// SPDX-License-Identifier: GPL-2.0-only
// Reading what a test has made up as a file, to its end or its error.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../util/temp_dir.h"
#include "snapshot/snapshot_reader.h"

namespace pobpf::test {

struct ReadSnapshot {
  std::vector<pobpf_page> pages;  ///< up to the error
  std::vector<pobpf_page_detail> details;
  PageFields fields = ~PageFields{0};  ///< that all blocks have
  std::optional<Error> error;
  SnapshotLosses losses;
  std::optional<SnapshotFooter> footer;
  std::unique_ptr<SnapshotReader> reader;  ///< null if it could not be opened
};

inline ReadSnapshot read_snapshot(std::string_view file,
                                  DamagePolicy policy = DamagePolicy::kRefuse) {
  const TempDir dir;
  dir.write("file", file);
  ReadSnapshot read;
  auto opened = SnapshotReader::open(dir / "file", policy);
  if (!opened) {
    read.error = opened.error();
    return read;
  }
  read.reader = *std::move(opened);
  while (true) {
    auto block = read.reader->next();
    if (!block) {
      read.error = block.error();
      return read;
    }
    if (*block == nullptr) break;
    read.pages.insert(read.pages.end(), (*block)->pages.begin(), (*block)->pages.end());
    read.details.insert(read.details.end(), (*block)->details.begin(), (*block)->details.end());
    read.fields &= (*block)->fields;
  }
  read.losses = read.reader->losses();
  read.footer = read.reader->footer();
  return read;
}

inline bool is_same(const std::vector<pobpf_page>& a, const std::vector<pobpf_page>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(pobpf_page)) == 0;
}

}  // namespace pobpf::test
