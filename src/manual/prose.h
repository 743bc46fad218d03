// SPDX-License-Identifier: GPL-2.0-only
// What a man page says that --help does not: man/*.roff.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pobpf/error.h"

namespace pobpf::manual {

struct Section {
  std::string title;  ///< "DESCRIPTION"
  std::string text;   ///< man(7) source, ending in a newline
};

/// Sections behind lines "[TITLE]", as the include files of help2man have them. kFailed for a text
/// in front of the first, a title that is there twice, and an empty section.
[[nodiscard]] Result<std::vector<Section>> parse_prose(const std::string& text);

/// Of a file; none where there is no such file.
[[nodiscard]] Result<std::vector<Section>> read_prose(const std::filesystem::path& path);

}  // namespace pobpf::manual
