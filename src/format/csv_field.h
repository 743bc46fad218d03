// SPDX-License-Identifier: GPL-2.0-only
// Fields of CSV (RFC 4180).
#pragma once

#include <string>
#include <string_view>

namespace pobpf {

/// Appends `text` as one field: in quotes if it holds a comma, a quote, CR or LF.
void append_csv_field(std::string& out, std::string_view text);

}  // namespace pobpf
