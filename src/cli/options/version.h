// SPDX-License-Identifier: GPL-2.0-only
// Which versions of what are at work: the first question of every bug report.
#pragma once

#include <string>

namespace pobpf::cli {

enum class Format;

/// Lines of text, or one JSON object.
[[nodiscard]] std::string version_text(Format format);

}  // namespace pobpf::cli
