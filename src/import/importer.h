// SPDX-License-Identifier: GPL-2.0-only
// The text of any kernel's page_owner into a snapshot. Knows nothing of files.
#pragma once

#include <functional>
#include <string>

#include "import/import_report.h"
#include "import/text_source.h"
#include "snapshot/frame_writer.h"
#include "util/error.h"

namespace pobpf {

struct ImportOptions {
  std::string pobpf_version;  ///< for the header
  int level = kLevelDefault;
  /// Called after each few hundred KiB of text, to write out what was appended; an error ends the
  /// import.
  std::function<Status(const ImportReport& so_far)> on_progress;
};

/// Appends a whole snapshot of what is understood of the text to `out`, in the order of the text.
/// Takes about 40 MiB beyond the distinct stacks, whatever the text. kFailed if the text cannot be
/// read to its end.
[[nodiscard]] Result<ImportReport> import_text(TextSource& source, const ImportOptions& options,
                                               std::string& out);

}  // namespace pobpf
