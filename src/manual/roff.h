// SPDX-License-Identifier: GPL-2.0-only
// Text as the man(7) macros want it.
#pragma once

#include <string>
#include <string_view>

namespace pobpf::manual {

/// `text` so that it is printed as it stands: no character of it is a request or an escape, no
/// hyphen or quote becomes a typographic one. Lines stay lines of the source, which man(7) fills.
[[nodiscard]] std::string roff(std::string_view text);

}  // namespace pobpf::manual
