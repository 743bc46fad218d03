// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf record, report, import and snapshot that no other command has.
#pragma once

#include <string>
#include <vector>

#include "pobpf/error.h"
#include "snapshot/frame_writer.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// What pobpf report shows of a snapshot.
enum class ReportView { kPages, kStacks, kTop, kPage };

struct SnapshotOptions {
  ReportView view = ReportView::kPages;
  std::string path;  ///< of report and import: the file to read
  bool salvages = false;
  bool with_free_side = false;  ///< of record
  int level = kLevelDefault;    ///< of record and import
  std::string view_text;        ///< of record: the filters as given
  std::string reason;           ///< why a snapshot is taken, if nobody asked for it
};

/// What the option parser fills in.
struct RawSnapshotOptions {
  std::vector<std::string> files;
  std::vector<std::string> level;
  bool salvages = false;
  bool with_free_side = false;
};

void add_record_options(CLI::App& record, RawSnapshotOptions& raw);
void add_report_options(CLI::App& report, RawSnapshotOptions& raw);
void add_import_options(CLI::App& import, RawSnapshotOptions& raw);
/// Of one page: what follows the file are pages.
void add_report_page_options(CLI::App& report, RawSnapshotOptions& raw);

/// `command` is "record", "report", "import" or "snapshot"; `has_output`: -o was given; `hint`:
/// where help is.
[[nodiscard]] Result<SnapshotOptions> check_snapshot_options(const RawSnapshotOptions& raw,
                                                             const std::string& command,
                                                             bool has_output,
                                                             const std::string& hint);

}  // namespace pobpf::cli
